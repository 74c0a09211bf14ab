"""`billing usage`: how much was used, by day or month."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, group, number
from billing_assets.cli.output import Column, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = """
billing usage --customer acme --month 2026-10
billing usage --metric output_tokens --by day
billing usage --month 2026-10 --format json
"""

COLUMNS = (
    Column("when", lambda row: str(row.get("usage_date") or row["month"])),
    Column("customer", lambda row: row["customer_id"]),
    Column("contract", lambda row: row["contract_id"], rank=2),
    Column("metric", lambda row: row["billable_metric_id"]),
    Column("group", lambda row: group(row["group_values"])),
    Column("quantity", lambda row: number(row["quantity"]), numeric=True),
    Column("events", lambda row: number(row["event_count"]), numeric=True, rank=1),
)


class By(StrEnum):
    """How finely usage is listed."""

    DAY = "day"
    MONTH = "month"


@command("usage", examples=EXAMPLES)
def usage(
    settings: Settings,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Of one customer.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", metavar="ID", help="Of one billable metric.")] = None,
    month_: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Of one month.")] = None,
    by: Annotated[By, typer.Option("--by", metavar="day|month", help="A row per day or per month.")] = By.MONTH,
) -> int:
    """List metered usage per customer, contract, metric and group, as of the last close.

    Quantities are as the metric counts them, before a product's conversion and rounding; a day's quantity is what it
    added to the billing period. Rows of different group keys of one metric describe the same events: do not add them.
    """
    import polars as pl

    from billing_assets.cli import queries

    lake = settings.lake()
    chosen = [
        queries.is_customer(queries.known_customer(lake, customer)),
        queries.is_month("month", month(month_)),
        *([pl.col("billable_metric_id") == metric] if metric else []),
    ]
    found = records(lake.collect(summed(lake.scan("usage").filter(*chosen), by)))
    if settings.json:
        print_json({"usage": [record(row) for row in found]})
        return 0
    if not found:
        say("no usage; `billing close` meters and rates what is new")
        return 0
    print_table(found, COLUMNS)
    say()
    say(counted(len(found), "row"))
    if len({(row["billable_metric_id"], row["group_key"]) for row in found}) > len(
        {row["billable_metric_id"] for row in found}
    ):
        say("Rows of different group keys of one metric describe the same events.")
    return 0


def summed(rows: pl.LazyFrame, by: By) -> pl.LazyFrame:
    """Usage by day as stored, or its increments added up by month."""
    import polars as pl

    keys = ["customer_id", "billable_metric_id", "contract_id", "group_key", "group_values", "month"]
    coarse_first = pl.col("group_key").str.len_chars()
    group = ["contract_id", coarse_first, "group_key", "group_values"]
    if by is By.DAY:
        return rows.sort("customer_id", "billable_metric_id", "usage_date", *group)
    added = rows.group_by(keys).agg(pl.col("quantity", "event_count").sum())
    return added.sort("month", "customer_id", "billable_metric_id", *group)
