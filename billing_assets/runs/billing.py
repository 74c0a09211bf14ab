"""Rate a month into its working tables, and refresh the drafts of every open period.

Both compute the same function as a close, `pipeline.bill`, over what is committed; they write what may be replaced.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets import __version__
from billing_assets.catalog import Catalog
from billing_assets.metering.grain import LATE
from billing_assets.pipeline import bill
from billing_assets.runs import months
from billing_assets.runs.inputs import holding, inputs
from billing_assets.runs.reports import DraftReport, RateReport
from billing_assets.runs.tables import as_table
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake


def rate_month(lake: Lake, catalog: Catalog, month: str, now: datetime) -> RateReport:
    """Write the month's slices of rated_lines, usage and unbilled_usage for the periods that are still open.

    Rows of periods that are final stay as they were when they were finalized.
    """
    asked = months.question(lake, catalog, month, now)
    computed = lake.collect_all(bill(inputs(lake, catalog, now, month), holding(lake)).frames())
    months.keep(asked, months.Month(*(computed[name] for name in ("invoices", "line_items", "equation"))))
    lines = computed["rated_lines"].with_columns(
        month=pl.lit(month),
        catalog_version=pl.lit(catalog.version),
        events_through=pl.lit(lake.committed("ingest"), dtype=pl.Int64),
        rated_as_of=pl.lit(now),
    )
    usage, unbilled = computed["usage"].filter(pl.col("month") == month), computed["unbilled"]
    replace_open(lake, "rated_lines", lines, month)
    replace_open(lake, "usage", usage, month)
    replace_open(lake, "unbilled_usage", unbilled, month)
    return RateReport(
        month=month,
        lines=lines.height,
        invoices=computed["invoices"].height,
        usage_rows=usage.height,
        unbilled_rows=unbilled.height,
        totals=totals(computed["invoices"], "currency"),
        unrated=computed["unrated"],
        unbilled=by_disposition(unbilled),
    )


def replace_open(lake: Lake, table: str, computed: pl.DataFrame, month: str) -> None:
    """Make `computed` the month's rows of `table`, beside the stored ones of contract periods that are final.

    All of the late usage of those periods is in `computed`.
    The instant of the computation does not count as a difference: a repeated run writes nothing.
    """
    final = lake.scan("invoices").filter(pl.col("status") == "FINALIZED").select("contract_id", "period_start")
    kept = lake.scan(table).filter(pl.col("month") == month).join(final, on=["contract_id", "period_start"], how="semi")
    if "disposition" in TABLES[table].columns:
        kept = kept.filter(pl.col("disposition") != LATE)
    fresh = TABLES[table].complete(computed.lazy()).select(*TABLES[table].columns)
    rows = lake.collect(pl.concat([kept, fresh], how="diagonal_relaxed"))
    lake.replace_slice(table, rows, {"month": month}, ignoring=[name for name in WHEN if name in rows.columns])


WHEN = ("rated_as_of", "events_through")
"""Columns that say when a working row was computed, not what."""


def refresh_drafts(lake: Lake, catalog: Catalog, now: datetime) -> DraftReport:
    """Overwrite the drafts: every open period as of `now`, whatever month it ends in."""
    invoices, items = draft(lake, catalog, now)
    lake.overwrite("draft_invoices", invoices)
    lake.overwrite("draft_line_items", items)
    return DraftReport(invoices.height, items.height, totals(invoices, "close_month", "currency"))


def draft(lake: Lake, catalog: Catalog, now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draft invoices and their lines as of `now`, as the tables would have them, computed without writing."""
    billed = bill(inputs(lake, catalog, now), holding(lake))
    seen = {
        "computed_as_of": pl.lit(now),
        "events_through": pl.lit(lake.committed("ingest"), dtype=pl.Int64),
        "catalog_version": pl.lit(catalog.version),
        "engine_version": pl.lit(__version__),
    }
    invoices = billed.invoices.with_columns(**seen, issuing_entity=pl.lit(catalog.settings.issuing_entity)).drop(
        "events_through_right", strict=False
    )
    held = billed.invoices.select("invoice_id", "hold_reasons")
    found = lake.collect_all(
        {
            "draft_invoices": as_table("draft_invoices", invoices),
            "draft_line_items": as_table("draft_line_items", billed.line_items.join(held, on="invoice_id")),
        }
    )
    return found["draft_invoices"], found["draft_line_items"]


def by_disposition(unbilled: pl.DataFrame) -> pl.DataFrame:
    """Unbilled events per disposition and metric."""
    keys = ["disposition", "billable_metric_id"]
    return unbilled.group_by(keys).agg(events=pl.col("event_count").sum()).sort(keys)


def totals(invoices: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Invoices and their exact total per combination of `keys`."""
    frame = invoices.lazy().group_by(keys).agg(invoices=pl.len(), total=pl.col("total").sum())
    return frame.sort(keys).collect()
