"""Months: priced lines, then invoices in one batch; and the drafts of every open period, as of now."""

import json
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.failures import STEP_RETRIES, told
from billing_assets.defs.metadata import stored, table
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.readiness import refuse_behind
from billing_assets.defs.resources import BillingWorkspace, ReportBook, launched_by, run_time
from billing_assets.defs.specs import BOOKS, DAILY, DRAFTS, LAKE_POOL, MONTHLY, RATED, SEALS, asset_spec, asset_specs
from billing_assets.runs.attention import HELD
from billing_assets.runs.billing import totals
from billing_assets.storage.lake import Lake

TOP_CUSTOMERS = 10
MONTHS_OF_USAGE = 12
"""A month's invoices may bill usage of up to a year before its end (annual billing periods)."""

with warnings.catch_warnings():  # a backfill policy is in beta; the version that we run is pinned
    warnings.simplefilter("ignore", dg.BetaWarning)
    A_RUN_EACH = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)


def rated_lines(calendar: Calendar) -> dg.AssetsDefinition:
    days_of_usage = dg.AssetDep(
        "usage_states", partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-MONTHS_OF_USAGE)
    )

    @dg.multi_asset(
        name="rating",
        specs=asset_specs(RATED, "rating", [days_of_usage, "catalog"], freshness_policy=MONTHLY),
        partitions_def=calendar.months,
        backfill_policy=A_RUN_EACH,
        pool=LAKE_POOL,
        retry_policy=STEP_RETRIES,
        description="Usage priced under each contract, and what is not billed with its reason.",
    )
    def rating(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.MaterializeResult[None]]:
        month, now = context.partition_key, run_time(context)
        with told(context):
            lake, catalog = workspace.open_lake(), workspace.load_catalog()
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
            yield dg.MaterializeResult(asset_key=name, metadata={**shown[name], **facts})

    return rating


def invoices(calendar: Calendar) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="finalization",
        specs=asset_specs(BOOKS, "invoices", ["rated_lines"], freshness_policy=MONTHLY),
        partitions_def=calendar.months,
        backfill_policy=A_RUN_EACH,
        pool=LAKE_POOL,
        retry_policy=STEP_RETRIES,
        description="What is due and not held becomes final, in one batch over all of these tables.",
    )
    def finalization(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
        month = context.partition_key
        with told(context):
            lake = workspace.open_lake()
            report = runs.finalize(lake, workspace.load_catalog(), month, run_time(context), launched_by(context))
        reports.record("finalization", report)
        state = state_of(month, lake, report)
        context.log.info(f"{month} {state}; {report.rows.get('invoices', 0)} invoice(s) finalized")
        for held in report.held.select(HELD).to_dicts():
            context.log.warning(f"held: {held['invoice_id']} of {held['customer_id']}, {held['hold_reasons']}")
        batch: dict[str, Any] = {
            "state_of_month": state,
            "held": table(report.held.select(HELD)),
            **of_month(lake, month),
            "finalized_now": report.rows.get("invoices", 0),
            "books_batch": report.batch_no or "nothing to finalize",
            "not_yet_due": report.not_yet_due,
            "sealed": ", ".join(report.sealed) or "none",
        }
        for name, facts in stored(lake, BOOKS, pl.col("close_month") == month).items():
            written = report.rows.get(name, 0) if report.batch_no else 0
            yield dg.MaterializeResult(asset_key=name, metadata={**batch, "rows_written": written, **facts})
        yield from sealed(lake, {month, *report.sealed})

    return finalization


def month_closes(calendar: Calendar) -> dg.AssetSpec:
    """Seals, which a close sets and nobody asks for: a partition is there when its month is sealed."""
    return asset_spec(SEALS, "invoices", ["invoices"], partitions_def=calendar.months)


def sealed(lake: Lake, months: Iterable[str]) -> Iterator[dg.AssetMaterialization]:
    """An event for each of these months that is sealed, with its control totals."""
    rows = lake.collect(lake.scan(SEALS, pl.col("close_month").is_in(sorted(months))).sort("close_month"))
    for row in rows.iter_rows(named=True):
        facts = stored(lake, [SEALS], pl.col("close_month") == row["close_month"])[SEALS]
        seal = {"sealed_at": f"{row['sealed_at']:%Y-%m-%d %H:%M} UTC", "by": row["by"], "books_batch": row["batch_no"]}
        totals = {name: dg.MetadataValue.json(json.loads(row[name])) for name in ("control_totals", "unbilled")}
        yield dg.AssetMaterialization(SEALS, partition=row["close_month"], metadata={**seal, **totals, **facts})


def of_month(lake: Lake, month: str) -> dict[str, Any]:
    """What the month's invoices come to that stand, whichever run finalized them, and its largest customers."""
    standing = lake.scan("invoices", pl.col("close_month") == month, pl.col("status") == "FINALIZED")
    invoices = lake.collect(standing.select("invoice_type", "customer_id", "currency", "total"))
    largest = totals(invoices, "customer_id", "currency").sort("total", descending=True)
    return {
        "totals": table(totals(invoices, "invoice_type", "currency")),
        "top_customers": table(largest.head(TOP_CUSTOMERS)),
    }


def state_of(month: str, lake: Lake, report: runs.FinalizeReport) -> str:
    """What the month's partition stands for after a run, as its green square does not tell."""
    if month in runs.sealed_months(lake):
        return "sealed"
    return f"open: {report.held.height} held, {report.not_yet_due} not yet due"


@dg.multi_asset(
    name="drafts",
    specs=asset_specs(DRAFTS, "drafts", ["usage_states", "invoices", "catalog"], freshness_policy=DAILY),
    pool=LAKE_POOL,
    retry_policy=STEP_RETRIES,
    description="Draft invoices of every open period, as of the last refresh.",
)
def drafts(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> Iterator[dg.MaterializeResult[None]]:
    with told(context):
        lake = workspace.open_lake()
        report = runs.refresh_drafts(lake, workspace.load_catalog(), run_time(context))
    reports.record("drafts", report)
    for name, facts in stored(lake, DRAFTS).items():
        yield dg.MaterializeResult(asset_key=name, metadata={"totals": table(report.totals), **facts})
