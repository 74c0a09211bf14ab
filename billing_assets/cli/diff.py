"""`billing diff`: what an edit of the catalog does to open drafts, in money."""

from __future__ import annotations

from collections.abc import Sequence

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, money, reasons
from billing_assets.cli.output import Column, Row, heading, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import UsageError

EXAMPLES = """
billing diff --catalog catalog-of-next-year
billing diff --catalog . --now 2026-11-01              as the drafts will stand then, with the usage that is known now
"""

COLUMNS = (
    Column("customer", lambda row: row["customer_id"]),
    Column("product", lambda row: row["product_id"] or "(the invoice)"),
    Column("before", lambda row: money(row["before"], row["currency"]), numeric=True, rank=1),
    Column("after", lambda row: money(row["after"], row["currency"]), numeric=True, rank=2),
    Column("difference", lambda row: money(row["difference"], row["currency"]), numeric=True),
    Column("", lambda row: row["currency"]),
)
INVOICES = (
    Column("invoice", lambda row: row["invoice_id"], rank=2),
    Column("customer", lambda row: row["customer_id"]),
    Column("month", lambda row: row["close_month"], rank=1),
    Column("before", lambda row: state(row["total"], row["hold_reasons"], row["currency"])),
    Column("after", lambda row: state(row["total_after"], row["hold_reasons_after"], row["currency"])),
)


@command("diff", examples=EXAMPLES)
def diff(settings: Settings) -> int:
    """Compare the drafts of all open periods by the catalog that the lake last used with those by another one.

    --catalog names the other one. Amounts are exact, by customer and product; then every draft that has another total,
    is held or no longer held, appears or is gone. Nothing is written to the lake.
    """
    from billing_assets import runs
    from billing_assets.runs import whatif

    lake, after = settings.lake(), settings.catalog()
    before = runs.recorded_catalog(lake)
    if before is None:
        raise UsageError("the lake has used no catalog yet; `billing close` records one")
    found = whatif.diff(lake, before, after, settings.now)
    lines, invoices = records(found.lines), records(found.invoices)
    if settings.json:
        print_json({"lines": [record(row) for row in lines], "drafts": [record(row) for row in invoices]})
        return 0
    if not lines and not invoices:
        say("no draft changes")
        return 0
    print_table(lines, COLUMNS)
    heading("Drafts")
    print_table(invoices, INVOICES)
    say()
    changed = ", ".join(f"{money(row['difference'], row['currency'])} {row['currency']}" for row in totals(found.lines))
    say(f"{counted(len(invoices), 'draft')} of {counted(len({row['customer_id'] for row in invoices}), 'customer')}: "
        f"{changed or 'no money'}")  # fmt: skip
    return 0


def totals(lines: object) -> Sequence[Row]:
    from billing_assets.runs import whatif

    return records(whatif.sums(lines, "customer_id", ("difference",))["currency"])  # type: ignore[arg-type]


def state(total: object, held: str | None, currency: str) -> str:
    """`120.00`, `120.00 held UNRATED_USAGE`, or `none`."""
    if total is None:
        return "none"
    why = reasons(held)
    return money(total, currency) + (f" held {', '.join(why)}" if why else "")  # type: ignore[arg-type]
