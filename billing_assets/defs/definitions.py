"""The code location. It loads with a broken or missing catalog, so that the UI can show what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from billing_assets import runs
from billing_assets.defs.billing import drafts, invoices, rated_lines
from billing_assets.defs.checks import STAGES, stage_checks
from billing_assets.defs.ingestion import catalog, events, ingestion
from billing_assets.defs.jobs import close_job, drafts_job, file_sensor, ingest_job, schedules
from billing_assets.defs.metering import usage_states
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.resources import BillingWorkspace, unread_reports
from billing_assets.errors import BillingError


def first_day(workspace: BillingWorkspace) -> datetime:
    """The first addressable day: of the catalog, else of the last one that was applied, else of this year."""
    try:
        return workspace.load_catalog().settings.starting_at
    except BillingError:
        recorded = runs.recorded_catalog(workspace.open_lake())
        return recorded.settings.starting_at if recorded else datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)


def definitions(workspace: BillingWorkspace | None = None) -> dg.Definitions:
    """Everything that Dagster shows and runs for one workspace; without one, for the environment's."""
    places = workspace or BillingWorkspace()
    calendar = Calendar.starting(first_day(places))
    ingest, close, refresh = ingest_job(), close_job(calendar), drafts_job()
    return dg.Definitions(
        assets=[
            catalog,
            ingestion,
            events(calendar),
            usage_states(calendar),
            rated_lines(calendar),
            invoices(calendar),
            drafts,
        ],
        asset_checks=[stage_checks(stage) for stage in STAGES],
        jobs=[ingest, close, refresh],
        schedules=schedules(close, refresh),
        sensors=[
            file_sensor(ingest),
            dg.AutomationConditionSensorDefinition("meter_touched_days", target=dg.AssetSelection.all()),
        ],
        resources={"workspace": places, "reports": unread_reports},
        executor=dg.in_process_executor,
    )
