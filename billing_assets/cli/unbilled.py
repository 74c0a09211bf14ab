"""`billing unbilled`: usage that is on no invoice, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, group, number
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month

EXAMPLES = """
billing unbilled --month 2026-10
billing unbilled --disposition unattributed          references that no customer has
billing unbilled --disposition unrated --customer acme
"""

COLUMNS = (
    Column("disposition", lambda row: row["disposition"]),
    Column("reference", lambda row: row["customer_ref"]),
    Column("customer", lambda row: row["customer_id"] or "", rank=6),
    Column("metric", lambda row: row["billable_metric_id"] or ""),
    Column("product", lambda row: row["product_id"] or "", rank=5),
    Column("group", lambda row: group(row["group_values"]), rank=1),
    Column("days", lambda row: days(row), rank=2),
    Column("events", lambda row: number(row["event_count"]), numeric=True),
    Column("quantity", lambda row: number(row["quantity"]), numeric=True, rank=3),
    Column("reason", lambda row: row["reason"] or "", rank=4),
    Column("first event", lambda row: row["first_transaction_id"] or "", rank=7),
)


class Disposition(StrEnum):
    """What `--disposition` takes: why usage is not billed."""

    NOT_ENTITLED = "not_entitled"
    UNRATED = "unrated"
    NO_CONTRACT = "no_contract"
    NO_PRODUCT = "no_product"
    EXCLUDED_BY_USAGE_FILTER = "excluded_by_usage_filter"
    METRIC_EXCEPTION = "metric_exception"
    UNATTRIBUTED = "unattributed"
    LATE_USAGE = "late_usage"
    WAIVED = "waived"
    NO_METRIC = "no_metric"


@command("unbilled", examples=EXAMPLES)
def unbilled(
    settings: Settings,
    month_: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Of one month.")] = None,
    disposition: Annotated[
        Disposition | None,
        typer.Option("--disposition", metavar="NAME", help=f"For one reason: {', '.join(Disposition)}."),
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="ID", help="Of a customer's id or a reference as events send it."),
    ] = None,
) -> int:
    """List usage that is on no invoice, with the reason, as of the last close.

    Every accepted event is either billed or listed here, for each metric that it matches. Unattributed usage is
    billed as soon as a customer has its reference as an ingest alias.
    """
    import polars as pl

    from billing_assets.cli import queries

    lake = settings.lake()
    chosen = [
        queries.is_month("month", month(month_)),
        *([pl.col("disposition") == disposition.value] if disposition else []),
        *([(pl.col("customer_ref") == customer) | (pl.col("customer_id") == customer)] if customer else []),
    ]
    keys = ["disposition", "customer_ref", "customer_id", "billable_metric_id", "product_id", "contract_id",
            "group_values", "reason", "month"]  # fmt: skip
    spans = (
        lake.scan("unbilled_usage")
        .filter(*chosen)
        .group_by(keys)
        .agg(
            pl.col("event_count").sum(),
            pl.when(pl.col("quantity").is_not_null().any()).then(pl.col("quantity").sum()).alias("quantity"),
            first_date=pl.col("usage_date").min(),
            last_date=pl.col("usage_date").max(),
            first_transaction_id=pl.col("first_transaction_id").sort_by("usage_date").first(),
            last_transaction_id=pl.col("last_transaction_id").sort_by("usage_date").last(),
        )
        .sort("month", *keys[:-1], nulls_last=True)
    )
    found = records(lake.collect(spans))
    if settings.json:
        print_json({"unbilled": [record(row) for row in found]})
    elif not found:
        say("no unbilled usage; `billing close` lists it anew")
    else:
        print_table(found, COLUMNS)
        say()
        say(summary(found))
    return 0


def summary(rows: list[Row] | list[dict[str, object]]) -> str:
    """Rows by disposition. Events are counted once for each metric that they match."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["disposition"])] = counts.get(str(row["disposition"]), 0) + int(str(row["event_count"]))
    listed = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    return f"{counted(len(rows), 'row')}; events per metric: {listed}"


def days(row: Row) -> str:
    first, last = row["first_date"], row["last_date"]
    return str(first) if first == last else f"{first} to {last}"
