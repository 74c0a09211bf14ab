"""`billing void`: a final invoice is void from now on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import money
from billing_assets.cli.output import Row, print_json, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.runs.lifecycle import Decision
    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing void INV-2026-000017 --reason "wrong price; ticket 4711" --dry-run
billing void INV-2026-000017 --reason "wrong price; ticket 4711"
"""


@command("void", examples=EXAMPLES)
def void(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Number, id, or unique prefix of the id.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded on the invoice.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Void a final invoice: it keeps its number and its lines, and what it drew goes back to the balances.

    Its period is not billed again until `billing regenerate`. An invoice of which another one bills late usage, or
    whose balances have rolled over, is refused.
    """
    from billing_assets.runs import lifecycle, reissue

    settings.refuse_future(allow_future)
    lake = settings.lake()
    if not dry_run:
        finish_begun(lake, settings)
    found, decision = final_invoice(lake, invoice), decided(settings, reason)
    lifecycle.refuse_void(lake, found)
    if not dry_run:
        reissue.void(lake, settings.catalog(), found, decision)
        found = final_invoice(lake, found["invoice_id"])
    moved = returned(lake, found, settings, written=not dry_run)
    if settings.json:
        print_json({"invoice": record(found), "reversed": [record(row) for row in moved], "written": not dry_run})
        return 0
    total = f"{money(found['total'], found['currency'])} {found['currency']}"
    say(f"{'would void' if dry_run else 'voided'} {found['invoice_number']}: {total}")
    for row in moved:
        sign = "+" if row["amount"] > 0 else ""
        say(f"  {row['segment_id']}: {sign}{money(row['amount'], row['unit'])} {row['unit']} goes back")
    say(f"next: billing regenerate {found['invoice_number']} --reason ...")
    return 0


def returned(lake: Lake, invoice: Row, settings: Settings, *, written: bool) -> Sequence[Row]:
    """The ledger rows of the void, as they are or would be."""
    import polars as pl

    from billing_assets.runs import lifecycle

    if written:
        rows = lake.scan("ledger_entries").filter(
            pl.col("invoice_id") == invoice["invoice_id"], pl.col("entry_type") == "VOID_REVERSAL"
        )
    else:
        rows = lifecycle.reversals(lake, invoice["invoice_id"], lake.committed("books"), settings.now)
    return records(lake.collect(rows.select("segment_id", "amount", "unit").sort("segment_id", "amount")))


def finish_begun(lake: Lake, settings: Settings) -> None:
    """Finish what a killed process has begun, maybe this very decision: the invoice changes before its batch ends."""
    from billing_assets.runs import books

    books.apply_decisions(lake, settings.by, settings.now)


def final_invoice(lake: Lake, wanted: str, of_draft: str = "needs no void") -> Row:
    """The row of `invoices` of a number, id or unique prefix. Raises UsageError for a draft, with `of_draft` in it."""
    import polars as pl

    from billing_assets.cli.show import find_invoice

    name = find_invoice(lake, wanted)["invoice_id"]
    found = records(lake.collect(lake.scan("invoices").filter(pl.col("invoice_id") == name)))
    if not found:
        raise UsageError(f"{wanted} is a draft: it changes with the catalog and with usage, and {of_draft}")
    return found[0]


def decided(settings: Settings, reason: str, by: str | None = None) -> Decision:
    """Who decides (by: None for who runs the command), when and why. Raises UsageError for an empty reason."""
    from billing_assets.runs.lifecycle import Decision

    if not reason.strip():
        raise UsageError("--reason: found nothing, expected the reason of the decision")
    return Decision(reason.strip(), by or settings.by, settings.now)
