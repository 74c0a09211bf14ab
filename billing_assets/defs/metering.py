"""States by day: events aggregated to hours, once for each (day, ingest batch, measure)."""

from datetime import timedelta

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.failures import STEP_RETRIES, told
from billing_assets.defs.metadata import stored
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.resources import BillingWorkspace, ReportBook
from billing_assets.defs.specs import KINDS, LAKE_POOL, OWNERS, described
from billing_assets.schemas import TABLES

# Late data re-fires its day, however old; what is final is decided further down.
TOUCHED_DAYS = (
    dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
)


def usage_states(calendar: Calendar) -> dg.AssetsDefinition:
    @dg.asset(
        name="usage_states",
        deps=["events", "catalog"],
        group_name="metering",
        owners=OWNERS,
        kinds=KINDS,
        metadata=described(TABLES["usage_states"]),
        description=TABLES["usage_states"].description,
        partitions_def=calendar.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=TOUCHED_DAYS,
        pool=LAKE_POOL,
        retry_policy=STEP_RETRIES,
    )
    def states(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> dg.MaterializeResult[None]:
        days = context.partition_time_window
        first, last = days.start.date(), (days.end - timedelta(days=1)).date()
        with told(context):
            lake = workspace.open_lake()
            report = runs.meter(lake, workspace.load_catalog(), first, last)
        reports.record("metering", report)
        facts = stored(lake, ["usage_states"], pl.col("usage_date").is_between(first, last))["usage_states"]
        return dg.MaterializeResult(
            metadata={
                "days_metered": len(report.days),
                "slices_metered": report.slices,
                "rows_written": report.states_written,
                **facts,
            }
        )

    return states
