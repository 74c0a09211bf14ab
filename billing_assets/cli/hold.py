"""`billing hold`: a draft that no close finalizes until it is released."""

from __future__ import annotations

from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import reasons
from billing_assets.cli.output import Row, print_json, record, say
from billing_assets.cli.settings import Settings
from billing_assets.cli.show import find_invoice
from billing_assets.cli.void import decided

EXAMPLES = """
billing hold inv_5f2c --reason "customer disputes the usage of the 3rd; ticket 4711"
billing hold inv_5f2c --reason "waits for the purchase order" --dry-run
"""


@command("hold", examples=EXAMPLES)
def hold(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="A draft: its id, or a unique prefix of it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the action.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decided; you if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Hold a draft invoice: no close finalizes it until `billing release`.

    It is refreshed like any draft. Later invoices that can draw on a balance which it may draw on wait for it; all
    others do not, but its month is not sealed meanwhile.
    """
    from billing_assets.runs import holds

    settings.refuse_future(allow_future)
    lake = settings.lake()
    draft, decision = find_invoice(lake, invoice), decided(settings, reason, by)
    holds.refuse_hold(lake, draft)
    if not dry_run:
        draft = holds.hold(lake, settings.catalog(), draft, decision)
    if settings.json:
        print_json({"invoice": record(draft), "written": not dry_run})
        return 0
    say(f"{'would hold' if dry_run else 'held'} {described(draft)}")
    say(f"next: billing release {draft['invoice_id']} --reason ...")
    return 0


def described(draft: Row) -> str:
    """A draft in half a line, with what holds it."""
    why = ", ".join(reasons(draft.get("hold_reasons"))) or "not held"
    return f"{draft['invoice_id']} of {draft['customer_id']}, {draft['close_month']}: {why}"
