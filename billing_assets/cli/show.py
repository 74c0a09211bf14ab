"""`billing show`: one invoice, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import Row, print_json, record, records
from billing_assets.cli.settings import Settings
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing show INV-2026-000017
billing show inv_5f2c                 an id, or the beginning of one
billing show INV-2026-000017 --verbose
billing show INV-2026-000017 --format json | jq .total
"""


@command("show", examples=EXAMPLES)
def show(
    settings: Settings,
    invoice: Annotated[
        str, typer.Argument(metavar="INVOICE", help="Its number, its id, or a unique prefix of its id.")
    ],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also what it was computed from: watermarks, rates, line ids.")
    ] = False,
) -> int:
    """Show an invoice as its customer will read it: bill-to, dates, lines by product, totals.

    Amounts of lines are exact; the rounding line makes the total a sum of whole minor units. A draft is marked as
    such: its numbers change until its period is final.
    """
    from billing_assets.cli.invoice_page import print_invoice
    from billing_assets.cli.queries import lines_of

    lake = settings.lake()
    found = find_invoice(lake, invoice)
    lines = records(lines_of(lake, [found["invoice_id"]]))
    if settings.json:
        print_json({**record(found), "lines": [record(line) for line in lines]})
    else:
        print_invoice(found, lines, verbose)
    return 0


def find_invoice(lake: Lake, wanted: str) -> Row:
    """The invoice of that number, id or unique prefix. Raises UsageError for several, NotFound for none."""
    from billing_assets.cli import queries

    keys = ["invoice_id", "invoice_number", "customer_id", "close_month"]
    known = records(lake.collect(queries.all_invoices(lake).select(keys).sort("invoice_id")))
    exact = [row for row in known if wanted in (row["invoice_id"], row["invoice_number"])]
    chosen = exact or [row for row in known if row["invoice_id"].startswith(wanted)]
    if len(chosen) > 1:
        raise UsageError(f"{len(chosen)} invoices begin with {wanted!r}:\n{_listed(chosen)}")
    if not chosen:
        names = [name for row in known for name in (row["invoice_id"], row["invoice_number"]) if name]
        hint = queries.nearest(wanted, names) if known else "; there are none yet: `billing close` makes them"
        raise queries.NotFound(f"no invoice {wanted!r}{hint}")
    import polars as pl

    one = queries.all_invoices(lake).filter(pl.col("invoice_id") == chosen[0]["invoice_id"])
    return records(lake.collect(one))[0]


def _listed(rows: Sequence[Row], most: int = 20) -> str:
    lines = [
        f"  {row['invoice_id']}  {row['invoice_number'] or 'DRAFT'}  {row['customer_id']}  {row['close_month']}"
        for row in rows[:most]
    ]
    return "\n".join(lines + ([f"  ... and {len(rows) - most} more"] if len(rows) > most else []))
