"""`billing draft`: what the open periods come to, as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import print_json, record, records, say, tell
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from billing_assets.catalog import Catalog
    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing draft
billing draft --customer acme --lines
billing draft --now 2026-11-01                 as it will stand then, with the usage that is known now
"""


@command("draft", examples=EXAMPLES)
def draft(
    settings: Settings,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Of one customer.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Each draft in full, as `billing show` does.")] = False,
) -> int:
    """Compute the draft invoices of all open periods as of now, with the catalog as it is now, without writing.

    Usage is what has been ingested and metered; `billing close` does both. Nothing is stored: `billing invoices`
    shows the drafts as `billing close` last left them.
    """
    import polars as pl

    from billing_assets import runs
    from billing_assets.cli import queries
    from billing_assets.cli.invoice_page import print_invoice
    from billing_assets.cli.invoices import print_invoices

    lake, catalog = settings.lake(), settings.catalog()
    if customer and customer not in (names := {one.id for one in catalog.customers}):
        raise queries.NotFound(f"no customer {customer!r} in the catalog{queries.nearest(customer, names)}")
    tables = runs.draft(lake, catalog, settings.now)
    computed, items = tables["draft_invoices"], tables["draft_line_items"]
    chosen = computed.lazy().filter(queries.is_customer(customer)).sort("close_month", "customer_id", "period_start")
    found = records(lake.collect(shown(chosen, settings)))
    by_invoice: dict[str, list[dict[str, object]]] = {row["invoice_id"]: [] for row in found}
    kept = items.lazy().filter(pl.col("invoice_id").is_in(list(by_invoice))).sort("invoice_id", "line_number")
    for line in records(lake.collect(kept)):
        by_invoice[line["invoice_id"]].append(line)
    _tell_what_is_missing(lake, catalog, settings)
    if settings.json:
        content = [{**record(row), "lines": [record(line) for line in by_invoice[row["invoice_id"]]]} for row in found]
        print_json({"as_of": settings.now, "drafts": content})
        return 0
    for row in found if lines else ():
        print_invoice(row, by_invoice[row["invoice_id"]])
        say()
    print_invoices(found)
    return 0


def shown(drafts: pl.LazyFrame, settings: Settings) -> pl.LazyFrame:
    """Computed drafts with every column that the page of an invoice reads."""
    import polars as pl

    from billing_assets.columns import TIMESTAMP
    from billing_assets.schemas import TABLES

    return TABLES["draft_invoices"].project(drafts.with_columns(computed_as_of=pl.lit(settings.now, dtype=TIMESTAMP)))


def _tell_what_is_missing(lake: Lake, catalog: Catalog, settings: Settings) -> None:
    """A draft of old usage must not pass for a draft of now."""
    from billing_assets import runs

    days = runs.stale_days(lake, catalog, settings.now)
    if days:
        tell(f"note: usage of {len(days)} day(s) from {min(days)} to {max(days)} is ingested but not metered yet, and "
             "not in these drafts; `billing close` meters it")  # fmt: skip
