"""`billing invoices`: what invoices there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, moment, money, reasons, span
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month

EXAMPLES = """
billing invoices --month 2026-10
billing invoices --status held
billing invoices --customer acme --format json
"""

COLUMNS = (
    Column("number", lambda row: row["invoice_number"] or "-"),
    Column("status", lambda row: shown_status(row)),
    Column("customer", lambda row: row["customer_id"]),
    Column("contract", lambda row: row["contract_id"] or "", rank=2),
    Column("period", lambda row: span(row["period_start"], row["period_end"]), rank=3),
    Column("type", lambda row: row["invoice_type"], rank=6),
    Column("month", lambda row: row["close_month"], rank=5),
    Column("due", lambda row: moment(row["due_at"]), rank=4),
    Column("total", lambda row: money(row["total"], row["currency"]), numeric=True),
    Column("", lambda row: row["currency"]),
    Column("invoice id", lambda row: row["invoice_id"], rank=1),
)


class Status(StrEnum):
    """What `--status` takes; held invoices are drafts that something holds."""

    FINALIZED = "finalized"
    DRAFT = "draft"
    HELD = "held"
    VOID = "void"


class InvoiceType(StrEnum):
    """What `--type` takes."""

    USAGE = "usage"
    SCHEDULED = "scheduled"
    TRUEUP = "trueup"
    USAGE_CONSOLIDATED = "usage_consolidated"
    CORRECTION = "correction"


LABELS: dict[Status, Callable[[int], str]] = {
    Status.FINALIZED: lambda count: f"{count:,} finalized",
    Status.DRAFT: lambda count: counted(count, "draft"),
    Status.HELD: lambda count: f"{count:,} held",
    Status.VOID: lambda count: f"{count:,} void",
}


@command("invoices", examples=EXAMPLES)
def invoices(
    settings: Settings,
    month_: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Of one month.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Of one customer.")] = None,
    status: Annotated[
        Status | None, typer.Option("--status", case_sensitive=False, metavar="finalized|draft|held|void")
    ] = None,
    type_: Annotated[
        InvoiceType | None, typer.Option("--type", case_sensitive=False, metavar="|".join(InvoiceType))
    ] = None,
) -> int:
    """List invoices: finalized ones, and drafts as of the last refresh.

    `billing close` refreshes the drafts; `billing draft` computes them as of now.
    """
    import polars as pl

    from billing_assets.cli import queries

    lake = settings.lake()
    chosen = [
        queries.is_month("close_month", month(month_)),
        queries.is_customer(queries.known_customer(lake, customer)),
        *([pl.col("invoice_type") == type_.name] if type_ else []),
        *([status_filter(status)] if status else []),
    ]
    order = ["close_month", "issuing_entity", "number_series", "number_sequence", "customer_id", "period_start"]
    found = records(
        lake.collect(queries.all_invoices(lake).filter(*chosen).sort(*order, "invoice_id", nulls_last=True))
    )
    if settings.json:
        print_json({"invoices": [record(row) for row in found]})
    else:
        print_invoices(found)
    return 0


def status_filter(status: Status) -> Any:
    import polars as pl

    held = pl.col("hold_reasons") != "[]"
    match status:
        case Status.HELD:
            return held
        case Status.DRAFT | Status.FINALIZED | Status.VOID:
            return pl.col("status") == status.name


def shown_status(row: Row) -> str:
    """`DRAFT`, `HELD UNRATED_USAGE`, `FINALIZED`, `VOID`."""
    held = reasons(row.get("hold_reasons"))
    return f"HELD {', '.join(held)}" if held else str(row["status"])


def print_invoices(rows: Sequence[Row]) -> None:
    """The list and its totals; nothing but a sentence where there is none."""
    if not rows:
        say("no invoices")
        return
    print_table(rows, COLUMNS)
    say()
    say(summary(rows))


def summary(rows: Sequence[Row]) -> str:
    """`41 finalized: 3,390 JPY, 4,158.01 USD; 2 held: 14.20 USD`, by status and currency."""
    parts = []
    for status in Status:
        chosen = [row for row in rows if status_of(row) is status]
        totals: dict[str, Decimal] = {}
        for row in chosen:
            totals[row["currency"]] = totals.get(row["currency"], Decimal(0)) + row["total"]
        listed = ", ".join(f"{money(total, currency)} {currency}" for currency, total in sorted(totals.items()))
        parts += [f"{LABELS[status](len(chosen))}: {listed}"] if chosen else []
    return "; ".join(parts)


def status_of(row: Row) -> Status:
    return Status.HELD if reasons(row.get("hold_reasons")) else Status(str(row["status"]).lower())
