"""`billing simulate`: history by another catalog."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import money
from billing_assets.cli.output import Column, heading, print_json, print_table, record, records, say, tell
from billing_assets.cli.settings import Settings, month
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.catalog import Catalog

EXAMPLES = """
billing simulate --catalog catalog-of-next-year --from 2026-01 --to 2026-06
billing simulate --catalog . --from 2026-06 --to 2026-06 --by product      the catalog of now, over the past
"""

FIGURES = ("billed", "simulated", "difference")


class By(StrEnum):
    """What `--by` takes: by what the money is added up."""

    CUSTOMER = "customer"
    PRODUCT = "product"


@command("simulate", examples=EXAMPLES)
def simulate(
    settings: Settings,
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="The first month to compare.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM", help="The last one.")],
    by: Annotated[By, typer.Option("--by", metavar="NAME", help=f"{', '.join(By)}.")] = By.CUSTOMER,
) -> int:
    """Bill history anew by another catalog, and compare it with what was billed. Nothing is written to the lake.

    --catalog names the other one. All months from the beginning are closed one after the other, so that balances run
    through them; compared are those asked for. All events count in their own month: what came late is not late here.
    Adjustments, voids and other decisions of people are left out.
    """
    from billing_assets.runs import whatif

    months = (month(first, "--from") or "", month(last, "--to") or "")
    if months[0] > months[1]:
        raise UsageError(f"--from {first} is after --to {last}")
    lake, catalog = settings.lake(), settings.catalog()
    refuse_open(catalog, last, settings.now)
    if not lake.committed("ingest"):
        raise UsageError("the lake has no events yet; `billing ingest` reads event files")
    rows = whatif.simulate(lake, catalog, months, settings.now, lambda name: tell(f"simulating {name}"))
    if settings.json:
        print_json({"from": first, "to": last, "lines": [record(row) for row in records(rows)]})
        return 0
    if rows.is_empty():
        say("by this catalog everything would have been billed as it was")
        return 0
    key = f"{by.value}_id"
    added = whatif.sums(rows, key, FIGURES)
    print_table(records(added[key]), (Column(by.value, lambda row: row[key] or "(the invoice)"), *COLUMNS))
    heading("Total")
    print_table(records(added["currency"]), COLUMNS)
    return 0


def refuse_open(catalog: Catalog, last: str, now: datetime) -> None:
    """Raise UsageError for a month that is not closed at `now`, or over before anything is billed."""
    from billing_assets.pipeline import month_after

    rules = catalog.settings
    ends = month_after(datetime.strptime(last, "%Y-%m").replace(tzinfo=now.tzinfo))
    if ends + rules.grace_period > now:
        raise UsageError(f"--to {last} is not over at {now:%Y-%m-%d}, with its grace period: it is not billed yet")
    if ends <= rules.starting_at:
        raise UsageError(f"--to {last} is over before settings.starting_at, {rules.starting_at:%Y-%m-%d}")


COLUMNS = (
    *(
        Column(name, lambda row, name=name: money(row[name], row["currency"]), numeric=True)  # type: ignore[misc]
        for name in FIGURES
    ),
    Column("", lambda row: row["currency"]),
)
