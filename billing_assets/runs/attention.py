"""What waits for a person: invoices that are held, months that should be sealed by now."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.drafts import NOT_HELD
from billing_assets.runs.inputs import sealed_months
from billing_assets.runs.seals import months_between
from billing_assets.storage.lake import Lake

PATIENCE = timedelta(days=4)
"""How long after its grace period a month may stay open before somebody should look."""

HELD = (
    pl.col("customer_id"),
    pl.col("hold_reasons").str.replace_all(r'[\[\]"]', ""),
    *(pl.col(name) for name in ("total", "currency", "period_start", "period_end", "contract_id", "invoice_id")),
)
"""What is shown of a held invoice, the reason first: a wide table is cut at its right."""


def held_invoices(lake: Lake, now: datetime) -> pl.DataFrame:
    """HELD of the drafts that would be final at `now` if nothing held them, as of their last refresh."""
    drafts, final = lake.scan("draft_invoices"), lake.scan("invoices").select("invoice_id")
    due = pl.col("issued_at") <= pl.lit(now, dtype=TIMESTAMP)
    held = drafts.filter(due, pl.col("hold_reasons") != NOT_HELD).join(final, on="invoice_id", how="anti")
    return lake.collect(held.sort("contract_id", "period_start").select(HELD))


def overdue_months(lake: Lake, catalog: Catalog, now: datetime) -> pl.DataFrame:
    """Months that ended more than the grace period and PATIENCE before `now` and are not sealed, with what is open.

    Grain close_month, in order. drafts, held: of the last refresh.
    """
    over = months_between(catalog.settings.starting_at, now - catalog.settings.grace_period - PATIENCE)
    unsealed = pl.LazyFrame({"close_month": sorted(set(over) - set(sealed_months(lake)))}, {"close_month": pl.String})
    drafts = lake.scan("draft_invoices").group_by("close_month")
    counted = drafts.agg(drafts=pl.len().cast(pl.Int64), held=(pl.col("hold_reasons") != NOT_HELD).sum().cast(pl.Int64))
    found = unsealed.join(counted, on="close_month", how="left")
    return lake.collect(found.with_columns(pl.col("drafts", "held").fill_null(0)).sort("close_month"))
