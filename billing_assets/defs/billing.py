"""Months: priced lines, then invoices in one batch; and the drafts of every open period, as of now."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.metadata import stored, table
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.readiness import refuse_behind
from billing_assets.defs.resources import BillingWorkspace, ReportBook, launched_by, run_time
from billing_assets.defs.specs import BOOKS, DRAFTS, LAKE_POOL, RATED, asset_specs

HELD = ("customer_id", "hold_reasons", "total", "currency", "period_start", "period_end", "contract_id", "invoice_id")
"""What is shown of a held invoice, the reason first: a wide table is cut at its right."""

MONTHS_OF_USAGE = 12
"""A month's invoices may bill usage of up to a year before its end (annual billing periods)."""


def rated_lines(calendar: Calendar) -> dg.AssetsDefinition:
    days_of_usage = dg.AssetDep(
        "usage_states", partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-MONTHS_OF_USAGE)
    )

    @dg.multi_asset(
        name="rating",
        specs=asset_specs(RATED, "rating", [days_of_usage, "catalog"]),
        partitions_def=calendar.months,
        pool=LAKE_POOL,
        description="Usage priced under each contract, and what is not billed with its reason.",
    )
    def rating(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.MaterializeResult[None]]:
        lake, catalog = workspace.open_lake(), workspace.load_catalog()
        month, now = context.partition_key, run_time(context)
        refuse_behind(lake, catalog, month, now)
        report = runs.rate_month(lake, catalog, month, now)
        reports.record("rating", report)
        shown: dict[str, dict[str, Any]] = {
            "rated_lines": {
                "open_lines": report.lines,
                "open_invoices": report.invoices,
                "totals": table(report.totals),
                "unrated": table(report.unrated),
            },
            "usage": {"open_rows": report.usage_rows},
            "unbilled_usage": {"open_rows": report.unbilled_rows, "dispositions": table(report.unbilled)},
        }
        for name, facts in stored(lake, RATED, pl.col("month") == month).items():
            yield dg.MaterializeResult(asset_key=name, metadata={**facts, **shown[name]})

    return rating


def invoices(calendar: Calendar) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="finalization",
        specs=asset_specs(BOOKS, "invoices", ["rated_lines"]),
        partitions_def=calendar.months,
        pool=LAKE_POOL,
        description="What is due and not held becomes final, in one batch over all of these tables.",
    )
    def finalization(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.MaterializeResult[None]]:
        lake, month = workspace.open_lake(), context.partition_key
        report = runs.finalize(lake, workspace.load_catalog(), month, run_time(context), launched_by(context))
        reports.record("finalization", report)
        batch = {
            "books_batch": report.batch_no or "nothing to finalize",
            "totals": table(report.finalized),
            "top_customers": table(report.top_customers),
            "held": table(report.held.select(HELD)),
            "not_yet_due": report.not_yet_due,
            "sealed": ", ".join(report.sealed) or "none",
        }
        for name, facts in stored(lake, BOOKS, pl.col("close_month") == month).items():
            written = report.rows.get(name, 0) if report.batch_no else 0
            yield dg.MaterializeResult(asset_key=name, metadata={**facts, "rows_written": written, **batch})

    return finalization


@dg.multi_asset(
    name="drafts",
    specs=asset_specs(DRAFTS, "drafts", ["usage_states", "invoices", "catalog"]),
    pool=LAKE_POOL,
    description="Draft invoices of every open period, as of the last refresh.",
)
def drafts(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> Iterator[dg.MaterializeResult[None]]:
    lake = workspace.open_lake()
    report = runs.refresh_drafts(lake, workspace.load_catalog(), run_time(context))
    reports.record("drafts", report)
    for name, facts in stored(lake, DRAFTS).items():
        yield dg.MaterializeResult(asset_key=name, metadata={**facts, "totals": table(report.totals)})
