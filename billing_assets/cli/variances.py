"""`billing variances`: what final invoices would be now."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, money
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month
from billing_assets.cli.show import find_invoice

if TYPE_CHECKING:
    import polars as pl

    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing variances
billing variances --cause CATALOG                    a price that was corrected after the close
billing variances --invoice HI-2026-000042
"""

COLUMNS = (
    Column("invoice", lambda row: row["invoice_number"] or ""),
    Column("customer", lambda row: row["customer_id"] or "", rank=3),
    Column("line", lambda row: row["name"] or row["line_item_id"]),
    Column("cause", lambda row: row["cause"]),
    Column("finalized", lambda row: amount(row, "finalized"), numeric=True, rank=2),
    Column("would be", lambda row: amount(row, "recomputed"), numeric=True, rank=1),
    Column("billed since", lambda row: amount(row, "carried"), numeric=True, rank=4),
    Column("outstanding", lambda row: amount(row, "outstanding"), numeric=True),
    Column("", lambda row: row["amount_unit"] or ""),
)


class Cause(StrEnum):
    """What `--cause` takes: why an invoice would be another now."""

    ENGINE = "ENGINE"
    LATE_EVENT = "LATE_EVENT"
    ATTRIBUTION = "ATTRIBUTION"
    CATALOG = "CATALOG"


@command("variances", examples=EXAMPLES)
def variances(
    settings: Settings,
    month_: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Of invoices of one month.")] = None,
    cause: Annotated[Cause | None, typer.Option("--cause", metavar="NAME", help=f"{', '.join(Cause)}.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Of one customer.")] = None,
    invoice: Annotated[str | None, typer.Option("--invoice", metavar="INVOICE", help="Of one final invoice.")] = None,
) -> int:
    """List what final invoices would be now, line by line, as of the last refresh of the drafts.

    LATE_EVENT is billed by itself, as the contract's `late_usage` says. ATTRIBUTION, a reference that has moved,
    CATALOG, terms that were edited, and ENGINE, another version of billing_assets, are not: `billing carry` bills them,
    or `billing void` and `billing regenerate`.
    """
    import polars as pl

    lake = settings.lake()
    chosen = [
        *([pl.col("close_month") == month(month_)] if month_ else []),
        *([pl.col("cause") == cause.value] if cause else []),
        *([pl.col("customer_id") == customer] if customer else []),
        *([pl.col("invoice_id") == find_invoice(lake, invoice)["invoice_id"]] if invoice else []),
    ]
    found = records(lake.collect(described(lake, lake.scan("invoice_variances")).filter(*chosen)))
    if settings.json:
        print_json({"variances": [record(row) for row in found]})
    elif not found:
        say("no variances: as of the last close, every final invoice is what it would be now")
    else:
        print_table(found, COLUMNS)
        say()
        say(f"{counted(len(found), 'row')}; outstanding: {totals(found)}")
    return 0


def described(lake: Lake, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `invoice_variances` with the number and month of their invoice; none for a period that was skipped."""

    invoices = lake.scan("invoices").select("invoice_id", "invoice_number", "close_month")
    found = rows.join(invoices, on="invoice_id", how="left")
    return found.sort("close_month", "invoice_number", "line_item_id", "cause", nulls_last=True)


def amount(row: Row, name: str) -> str:
    return money(row[name], row["amount_unit"])


def totals(rows: Sequence[Row]) -> str:
    """What is outstanding, per unit."""
    sums: dict[str, Any] = {}
    for row in rows:
        unit = row["amount_unit"] or ""  # rows of before the last refresh by another version have none
        sums[unit] = sums.get(unit, 0) + row["outstanding"]
    return ", ".join(f"{money(value, unit)} {unit}" for unit, value in sorted(sums.items())) or "nothing"
