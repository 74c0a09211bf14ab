"""`billing verify`: final invoices computed again from what they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, money, number
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings, month
from billing_assets.cli.void import final_invoice
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.runs.verify import Verified

EXAMPLES = """
billing verify HI-2026-000042
billing verify --month 2026-10
billing verify                                       every final invoice of the lake
"""

SHOWN_ROWS = 20
OF_INVOICE = (
    "invoice_id", "invoice_number", "close_month", "customer_id", "status", "total", "currency", "equal",
    "content_hash", "batch_no", "events_through", "ledger_through", "actions_through", "catalog_version",
    "computed_as_of", "engine_version",
)  # fmt: skip
INVOICES = (
    Column("invoice", lambda row: row["invoice_number"]),
    Column("customer", lambda row: row["customer_id"], rank=2),
    Column("total", lambda row: money(row["total"], row["currency"]), numeric=True),
    Column("", lambda row: row["currency"]),
    Column("batch", lambda row: str(row["batch_no"]), numeric=True, rank=1),
    Column("as of", lambda row: f"{row['computed_as_of']:%Y-%m-%d %H:%M} UTC", rank=3),
    Column("catalog", lambda row: row["catalog_version"][:12], rank=5),
    Column("events through", lambda row: str(row["events_through"]), numeric=True, rank=4),
    Column("result", lambda row: "equal" if row["equal"] else "DIFFERS"),
)
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
    invoices are compared as they were issued. An invoice that a batch made and the lake lacks is a difference, too.
    Nothing is written to the lake. Exit code 1 where something differs.
    """
    from billing_assets.runs import verify as verifying

    if invoice and month_:
        raise UsageError("give an INVOICE or --month, not both")
    lake = settings.lake()
    lake.refuse_damage()
    one = final_invoice(lake, invoice, "has nothing recorded to be compared with") if invoice else None
    found = verifying.verify(
        lake, month=month(month_) if month_ else None, invoice_id=one["invoice_id"] if one else None
    )
    numbers = found.invoices.select("invoice_id", "invoice_number")
    differences = records(found.differences.join(numbers, on="invoice_id", how="left"))
    wrong = {row["invoice_id"] for row in differences}
    invoices = [{**row, "equal": row["invoice_id"] not in wrong} for row in records(found.invoices)]
    invoices.sort(key=lambda row: row["equal"])
    if settings.json:
        print_json(
            {
                "equal": not differences,
                "metered_again": found.metered_again,
                "invoices": [record({name: row[name] for name in OF_INVOICE}) for row in invoices],
                "batches": [record(row) for row in records(found.batches)],
                "differences": [record(row) for row in differences],
            }
        )
    elif found.batches.is_empty():
        say("no final invoices to verify; `billing invoices` lists all")
    else:
        tell(found, invoices, differences)
    return 1 if differences else 0


def tell(found: Verified, invoices: Sequence[Row], differences: Sequence[Row]) -> None:
    for version in found.other_engines:
        say(f"note: made by engine {version}; this one may compute otherwise where its changelog says so")
    if not found.metered_again:
        say("note: the lake is in an object store: usage is read as its states have it, and was not metered again")
    shortened(invoices, INVOICES)
    if differences:
        say()
        shortened(differences, COLUMNS)
    say()
    those = f"{counted(len(invoices), 'invoice')} of {counted(found.batches.height, 'batch', 'batches')}"
    wrong = sum(not row["equal"] for row in invoices)
    if not differences:
        say(f"{those}: equal to the last digit")
    elif wrong:
        say(f"{number(wrong)} of {those} differ from what they recorded")
    else:
        say(f"{those}: equal themselves, but not what was recorded beside them")


def shortened(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    print_table(rows[:SHOWN_ROWS], columns)
    if len(rows) > SHOWN_ROWS:
        say(f"... and {number(len(rows) - SHOWN_ROWS)} more; --format json has all")
