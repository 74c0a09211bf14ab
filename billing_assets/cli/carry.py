"""`billing carry`: what a final invoice would be now is billed on the next one."""

from __future__ import annotations

from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.cli.variances import COLUMNS, described, totals
from billing_assets.cli.void import decided, final_invoice

EXAMPLES = """
billing variances --cause CATALOG
billing carry HI-2026-000042 --reason "price of March was wrong; ticket 4711" --dry-run
billing carry HI-2026-000042 --reason "price of March was wrong; ticket 4711"
"""


@command("carry", examples=EXAMPLES)
def carry(
    settings: Settings,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="A final invoice: its number, id, or a prefix.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the action.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decided; you if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", help="Accept a --now later than the clock.")] = False,
) -> int:
    """Bill the difference between a final invoice and what it would be by the catalog of now.

    The invoice stays as it is. The difference is late usage of it: on the contract's next invoice, or on a CORRECTION
    where the contract has none or wants it so. Subscriptions and scheduled charges are not carried: what the catalog
    has anew of them is charged by itself.
    """
    from billing_assets.runs import carry as carrying

    settings.refuse_future(allow_future)
    lake, catalog = settings.lake(), settings.catalog()
    final, decision = final_invoice(lake, invoice, "is billed whole when it is final"), decided(settings, reason, by)
    rows = records(lake.collect(described(lake, carrying.to_carry(lake, catalog, final, decision).lazy())))
    if not dry_run:
        carrying.carry(lake, catalog, final, decision)
    if settings.json:
        print_json({"invoice": record(final), "carried": [record(row) for row in rows], "written": not dry_run})
        return 0
    print_table(rows, COLUMNS)
    say()
    say(f"{'would carry' if dry_run else 'carries'} {totals(rows)} of {final['invoice_number']}")
    if not dry_run:
        say(f"next: billing draft --customer {final['customer_id']}")
    return 0
