"""States by day: events aggregated to hours, once for each (day, ingest batch, measure)."""

from datetime import timedelta

import dagster as dg

from billing_assets import runs
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.resources import BillingWorkspace, ReportBook
from billing_assets.defs.specs import LAKE_POOL, OWNERS
from billing_assets.schemas import TABLES


def usage_states(calendar: Calendar) -> dg.AssetsDefinition:
    @dg.asset(
        name="usage_states",
        deps=["events", "catalog"],
        group_name="metering",
        owners=OWNERS,
        kinds={"polars", "deltalake"},
        description=TABLES["usage_states"].description,
        partitions_def=calendar.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # Late data re-fires its day, however old; what is final is decided further down.
        automation_condition=dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window()),
        pool=LAKE_POOL,
    )
    def states(
        context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> dg.MaterializeResult[None]:
        days = context.partition_time_window
        last = days.end - timedelta(days=1)
        report = runs.meter(workspace.open_lake(), workspace.load_catalog(), days.start.date(), last.date())
        reports.record("metering", report)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.states_written,
                "days_metered": len(report.days),
                "slices_metered": report.slices,
            }
        )

    return states
