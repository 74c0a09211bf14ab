"""Months: priced lines, then invoices in one batch; and the drafts of every open period, as of now."""

from collections.abc import Iterator

import dagster as dg

from billing_assets import runs
from billing_assets.defs.metadata import table
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.resources import BillingWorkspace, ReportBook, launched_by, run_time
from billing_assets.defs.specs import BOOKS, DRAFTS, LAKE_POOL, RATED, asset_specs

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
        report = runs.rate_month(
            workspace.open_lake(), workspace.load_catalog(), context.partition_key, run_time(context)
        )
        reports.record("rating", report)
        shown = {
            "rated_lines": (report.lines, {"totals": table(report.totals), "unrated": table(report.unrated)}),
            "usage": (report.usage_rows, {}),
            "unbilled_usage": (report.unbilled_rows, {"dispositions": table(report.unbilled)}),
        }
        for name, (rows, metadata) in shown.items():
            yield dg.MaterializeResult(asset_key=name, metadata={"dagster/row_count": rows, **metadata})

    return rating


def invoices(calendar: Calendar) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="finalization",
        specs=asset_specs(BOOKS, "invoices", ["rated_lines"]),
        partitions_def=calendar.months,
        pool=LAKE_POOL,
        op_tags={"billing/sequence": "books"},
        description="What is due and not held becomes final, in one batch over all of these tables.",
    )
    def finalization(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.MaterializeResult[None]]:
        report = runs.finalize(
            workspace.open_lake(),
            workspace.load_catalog(),
            context.partition_key,
            run_time(context),
            launched_by(context),
        )
        reports.record("finalization", report)
        for name in BOOKS:
            yield dg.MaterializeResult(
                asset_key=name,
                metadata={
                    "dagster/row_count": report.rows.get(name, 0),
                    "batch_no": report.batch_no or "nothing to finalize",
                    "finalized": table(report.finalized),
                    "top_customers": table(report.top_customers),
                    "held": table(report.held),
                    "sealed": ", ".join(report.sealed) or "none",
                },
            )

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
    report = runs.refresh_drafts(workspace.open_lake(), workspace.load_catalog(), run_time(context))
    reports.record("drafts", report)
    for name, rows in {"draft_invoices": report.drafts, "draft_line_items": report.lines}.items():
        yield dg.MaterializeResult(asset_key=name, metadata={"dagster/row_count": rows, "totals": table(report.totals)})
