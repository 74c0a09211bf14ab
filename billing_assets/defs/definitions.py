"""The code location. It loads with a broken or missing catalog, so that the UI can show what is wrong with it."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import dagster as dg

from billing_assets import runs
from billing_assets.defs.attention import attention_checks
from billing_assets.defs.billing import drafts, invoices, month_closes, rated_lines
from billing_assets.defs.checks import STAGES, journal_checks, readiness, stage_checks
from billing_assets.defs.ingestion import catalog, events, ingestion
from billing_assets.defs.jobs import close_job, drafts_job, file_sensor, ingest_job, meter_job, schedules
from billing_assets.defs.metering import usage_states
from billing_assets.defs.partitions import Calendar
from billing_assets.defs.problems import problem_sensor
from billing_assets.defs.resources import BillingWorkspace, ReportBook, unread_reports
from billing_assets.errors import BillingError

TOUCHED = "Materializes usage_states for the days that got events, old ones too, once ingestion's checks have passed."
constant = dg.ResourceDefinition.hardcoded_resource


def first_day(workspace: BillingWorkspace) -> datetime:
    """The first addressable day: of the catalog, else of the last one that was applied, else of this year."""
    try:
        return workspace.load_catalog().settings.starting_at
    except BillingError:
        return recorded_first_day(workspace) or datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)


def recorded_first_day(workspace: BillingWorkspace) -> datetime | None:
    """The first day of the catalog that was applied last; None where the lake has none or cannot be read."""
    try:
        recorded = runs.recorded_catalog(workspace.open_lake())
    except BillingError:
        return None
    return recorded.settings.starting_at if recorded else None


def definitions(workspace: BillingWorkspace | None = None, reports: ReportBook | None = None) -> dg.Definitions:
    """Everything that Dagster shows and runs for one workspace; without one, for the environment's.

    With a book for the reports, all runs of these definitions fill it, and share one reading of the catalog.
    """
    places = workspace or BillingWorkspace()
    fixed = {} if reports is None else {"workspace": constant(places), "reports": constant(reports)}
    calendar = Calendar.starting(first_day(places))
    ingest, close, refresh = ingest_job(), close_job(), drafts_job()
    with warnings.catch_warnings():  # a backfill policy is in beta; the version that we run is pinned
        warnings.simplefilter("ignore", dg.BetaWarning)
        states = usage_states(calendar)
    checks = [*(stage_checks(stage) for stage in STAGES), journal_checks, attention_checks, readiness]
    return dg.Definitions(
        assets=[
            catalog,
            ingestion,
            events(calendar),
            states,
            rated_lines(calendar),
            invoices(calendar),
            month_closes(calendar),
            drafts,
        ],
        asset_checks=checks,
        jobs=[ingest, meter_job(), close, refresh],
        schedules=schedules(close, refresh),
        sensors=[
            file_sensor(ingest),
            problem_sensor(key for one in checks for key in one.check_keys),
            dg.AutomationConditionSensorDefinition(
                "meter_touched_days", target=dg.AssetSelection.assets("usage_states"), description=TOUCHED
            ),
        ],
        resources={"workspace": places, "reports": unread_reports, **fixed},
        executor=dg.in_process_executor,
    )
