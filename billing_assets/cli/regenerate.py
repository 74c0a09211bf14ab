"""`billing regenerate`: what replaces a void invoice."""

from __future__ import annotations

from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import money
from billing_assets.cli.output import print_json, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.cli.void import decided, final_invoice, finish_begun

EXAMPLES = """
billing regenerate INV-2026-000017 --reason "price corrected; ticket 4711" --dry-run
billing regenerate INV-2026-000017 --reason "price corrected; ticket 4711"
"""


@command("regenerate", examples=EXAMPLES)
def regenerate(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="The void one: number, id, or unique prefix.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the action.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be issued, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Issue the replacement of a void invoice: by the catalog, the events and the balances of now.

    It has an id and a number of its own, names the invoice that it replaces, and may belong to a sealed month. One that
    is held for another reason than the void is refused.
    """
    from billing_assets.runs import reissue

    settings.refuse_future(allow_future)
    lake, catalog = settings.lake(), settings.catalog()
    if not dry_run:
        finish_begun(lake, settings)
    void, decision = final_invoice(lake, invoice, "is computed anew by every close"), decided(settings, reason)
    if dry_run:
        books = reissue.replacement_of(lake, catalog, void, decision, lake.committed("books"))
    else:
        books = reissue.regenerate(lake, catalog, void, decision)
    [issued] = records(books.rows["invoices"])
    if settings.json:
        print_json({"invoice": record(issued), "replaces": record(void), "written": not dry_run})
        return 0
    done = "would issue" if dry_run else "issued"
    say(f"{done} {issued['invoice_number']}: {money(issued['total'], issued['currency'])} {issued['currency']}")
    before = f"{money(void['total'], void['currency'])} {void['currency']}"
    say(f"  in place of {void['invoice_number']}, which came to {before}")
    if not dry_run:
        say(f"next: billing show {issued['invoice_number']}")
    return 0
