"""`billing release`: what a person lifts of the reasons that hold a draft."""

from __future__ import annotations

from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import reasons
from billing_assets.cli.hold import described
from billing_assets.cli.holds import next_step
from billing_assets.cli.output import print_json, record, say
from billing_assets.cli.settings import Settings
from billing_assets.cli.show import find_invoice
from billing_assets.cli.void import decided

EXAMPLES = """
billing release inv_5f2c --reason "the customer agrees; ticket 4711"
billing release inv_5f2c --reason "the total is right" --dry-run
"""


@command("release", examples=EXAMPLES)
def release(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="A draft: its id, or a unique prefix of it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the action.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decided; you if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Release a held draft: the next close finalizes it if it is due.

    Lifts MANUAL, METRIC_EXCEPTIONS, NEGATIVE_TOTAL and TOTAL_OVER_LIMIT of this invoice, whatever it comes to, until
    `billing hold`. Usage without a price, a held predecessor and a void are cleared otherwise; what is left is listed
    with its next step, and then the exit code is 1.
    """
    from billing_assets.runs import holds

    settings.refuse_future(allow_future)
    lake = settings.lake()
    draft, decision = find_invoice(lake, invoice), decided(settings, reason, by)
    holds.refuse_release(lake, draft)
    if dry_run:
        left = list(holds.left_after(draft))
    else:
        draft = holds.release(lake, settings.catalog(), draft, decision)
        left = reasons(draft["hold_reasons"])
    if settings.json:
        print_json({"invoice": record(draft), "still_held_by": left, "written": not dry_run})
        return 1 if left else 0
    say(f"{'would release' if dry_run else 'released'} {described(draft)}")
    for one in left:
        say(f"  still held, {one}: {next_step(one, draft)}")
    if not left:
        say(f"next: billing close --month {draft['close_month']}")
    return 1 if left else 0
