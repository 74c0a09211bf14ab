"""`billing waive`: usage without a price that is not billed."""

from __future__ import annotations

from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import number, reasons
from billing_assets.cli.hold import described
from billing_assets.cli.holds import next_step
from billing_assets.cli.output import Column, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.cli.show import find_invoice
from billing_assets.cli.void import decided

EXAMPLES = """
billing waive inv_5f2c --reason "beta feature, free until launch" --dry-run
billing waive inv_5f2c --product gpu-hours --reason "agreed with the customer; ticket 4711"
"""

COLUMNS = (
    Column("contract", lambda row: row["contract_id"]),
    Column("product", lambda row: row["product_id"]),
    Column("events", lambda row: number(row["event_count"]), numeric=True),
    Column("quantity", lambda row: number(row["quantity"]), numeric=True),
    Column("why it has no price", lambda row: row["reason"]),
)


@command("waive", examples=EXAMPLES)
def waive(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="A draft: its id, or a unique prefix of it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the action.")],
    product: Annotated[str | None, typer.Option("--product", metavar="ID", help="Only of this product.")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decided; you if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Waive usage of a draft that has no price: it is not billed, and holds the invoice no longer.

    It is listed as waived by `billing unbilled`. If it has a price after all before the invoice is final, it is billed.
    """
    from billing_assets.runs import waive as waivers

    settings.refuse_future(allow_future)
    lake, catalog = settings.lake(), settings.catalog()
    draft, decision = find_invoice(lake, invoice), decided(settings, reason, by)
    usage = waivers.unpriced_usage(lake, catalog, draft, decision, product)
    if not dry_run:
        draft = waivers.waive(lake, catalog, draft, usage, decision)
    rows, left = records(usage), reasons(draft["hold_reasons"]) if not dry_run else []
    if settings.json:
        about = {"invoice": record(draft), "waived": [record(row) for row in rows], "written": not dry_run}
        print_json(about | ({} if dry_run else {"still_held_by": left}))
        return 1 if left else 0
    print_table(rows, COLUMNS)
    say()
    say(f"{'would waive' if dry_run else 'waived'} that of {described(draft)}")
    for one in left:
        say(f"  still held, {one}: {next_step(one, draft)}")
    if not left and not dry_run:
        say(f"next: billing close --month {draft['close_month']}")
    return 1 if left else 0
