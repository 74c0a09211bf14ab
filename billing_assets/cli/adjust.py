"""`billing adjust`: a manual ledger entry."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import moment, plain
from billing_assets.cli.output import Row, print_json, record, records, say
from billing_assets.cli.settings import Settings, instant
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing adjust acme-prepaid --amount 250 --reason "goodwill for the outage of 2026-10-03"
billing adjust acme-monthly@2026-10-01 --amount -12.50 --reason "granted twice" --dry-run
billing adjust acme-prepaid/2 --amount 100 --at 2026-10-15 --reason "ticket 4711"
"""


@command("adjust", examples=EXAMPLES)
def adjust(
    settings: Settings,
    balance: Annotated[
        str, typer.Argument(metavar="BALANCE", help="Id of a commit or credit, or of one of its access segments.")
    ],
    amount: Annotated[str, typer.Option("--amount", metavar="N", help="What to add, or with a minus sign to take.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the entry.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIMESTAMP", help="When it takes effect; now if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Add to a balance or take from it, as a MANUAL ledger entry with a reason.

    The entry is final: a wrong one is corrected by another. Finalized invoices keep what they drew; the drafts are
    computed with the new balance at the next `billing close`.
    """
    from billing_assets.runs import adjust as runs

    settings.refuse_future(allow_future)
    lake = settings.lake()
    segment = find_segment(lake, balance)
    effective_at = settings.now if at is None else instant(at)
    adjustment = runs.Adjustment(segment, exact(amount), effective_at)
    if not reason.strip():
        raise UsageError("--reason: found nothing, expected the reason of the adjustment")
    runs.refuse(lake, adjustment)
    number = None if dry_run else runs.adjust(lake, adjustment, reason.strip(), settings.by, settings.now)
    if settings.json:
        entry = {**segment, "amount": adjustment.amount, "effective_at": effective_at, "action_no": number}
        print_json({"entry": record(entry), "written": not dry_run})
    else:
        done = "would add" if dry_run else f"action {number}: added"
        say(f"{done} {plain(adjustment.amount)} {segment['unit']} to {segment['segment_id']} at {moment(effective_at)}")
    return 0


def find_segment(lake: Lake, wanted: str) -> Row:
    """The access segment of that id, or the only one of that balance. Raises UsageError, or NotFound with near ids."""
    from billing_assets.cli import queries
    from billing_assets.runs.adjust import segments

    known = records(lake.collect(segments(lake)))
    found = [row for row in known if row["segment_id"] == wanted] or [
        row for row in known if row["balance_id"] == wanted
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row["segment_id"] for row in found)
        raise UsageError(f"{wanted} has several access segments; name one of: {ids}")
    ids_near = queries.nearest(wanted, {row["segment_id"] for row in known} | {row["balance_id"] for row in known})
    raise queries.NotFound(f"no balance {wanted!r}{ids_near}; `billing balances` lists them")


def exact(text: str) -> Decimal:
    """A number as events and the catalog write it. Raises UsageError for one that is none, or that does not fit."""
    import polars as pl

    from billing_assets.numerals import number

    found: Decimal | None = pl.select(number(pl.lit(text.strip()))).item()
    if found is None:
        raise UsageError(f"--amount: found {text!r}, expected a number with at most 12 decimal places")
    return found
