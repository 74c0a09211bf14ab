"""`billing verify`: final invoices computed again from what they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, number
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month
from billing_assets.cli.void import final_invoice

EXAMPLES = """
billing verify HI-2026-000042
billing verify --month 2026-10
billing verify                                       every final invoice of the lake
"""

SHOWN_ROWS = 20
COLUMNS = (
    Column("invoice", lambda row: row["invoice_number"] or row["invoice_id"] or ""),
    Column("table", lambda row: row["table"]),
    Column("key", lambda row: row["key"], rank=1),
    Column("column", lambda row: row["column"] or "(the row)"),
    Column("recorded", lambda row: row["recorded"] or "null"),
    Column("recomputed", lambda row: row["recomputed"] or "null"),
)


@command("verify", examples=EXAMPLES)
def verify(
    settings: Settings,
    invoice: Annotated[
        str | None, typer.Argument(metavar="[INVOICE]", help="A final invoice: its number, id, or a prefix.")
    ] = None,
    month_: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="All of one close month.")] = None,
) -> int:
    """Compute final invoices again from their recorded watermarks, and compare every figure to its last digit.

    Reads the events up to the invoice's watermark, the recorded catalog, and the ledger and actions as they were; void
    invoices are compared as they were issued. Nothing is written to the lake. Exit code 1 where something differs.
    """
    import polars as pl

    from billing_assets.runs import verify as verifying

    lake = settings.lake()
    lake.refuse_damage()
    rows = lake.scan("invoices")
    if invoice is not None:
        rows = rows.filter(pl.col("invoice_id") == final_invoice(lake, invoice)["invoice_id"])
    if month_ is not None:
        rows = rows.filter(pl.col("close_month") == month(month_))
    chosen = lake.collect(rows)
    if chosen.is_empty() and not settings.json:
        say("no final invoices to verify; `billing invoices` lists all")
        return 0
    found = verifying.verify(lake, chosen)
    numbers = chosen.select("invoice_id", "invoice_number")
    differences = records(found.differences.join(numbers, on="invoice_id", how="left"))
    if settings.json:
        print_json(
            {
                "equal": not differences,
                "invoices": chosen.height,
                "batches": [record(row) for row in records(found.batches)],
                "differences": [record(row) for row in differences],
            }
        )
        return 1 if differences else 0
    tell(found, differences, chosen.height)
    return 1 if differences else 0


def tell(found: Any, differences: Sequence[Row], invoices: int) -> None:
    wrong = {row["invoice_id"] for row in differences if row["invoice_id"]}
    for version in found.other_engines:
        say(f"note: made by engine {version}; this one may compute otherwise where its changelog says so")
    if not differences:
        batches = counted(found.batches.height, "batch", "batches")
        say(f"{counted(invoices, 'invoice')} of {batches}: equal to the last digit")
        return
    print_table(differences[:SHOWN_ROWS], COLUMNS)
    if len(differences) > SHOWN_ROWS:
        say(f"... and {number(len(differences) - SHOWN_ROWS)} more; --format json has all")
    say()
    say(f"{number(len(wrong))} of {counted(invoices, 'invoice')} differ from what they recorded")
