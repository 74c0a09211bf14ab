"""Jobs, schedules and sensors: when the chain runs on its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from billing_assets import runs
from billing_assets.defs.attention import SEALED_IN_TIME
from billing_assets.defs.checks import INPUTS_CURRENT, REFUSE, STAGES, WHEN_BEHIND_TAG
from billing_assets.defs.failures import MAX_RETRIES_TAG
from billing_assets.defs.partitions import previous_month
from billing_assets.defs.resources import BillingWorkspace
from billing_assets.defs.specs import BOOKS, DRAFTS, INGESTION, RATED, SEALS
from billing_assets.errors import BillingError

INGEST, METER, CLOSE, REFRESH = "ingest_event_files", "meter_days", "monthly_close", "refresh_drafts"
RETRIES = {MAX_RETRIES_TAG: "2", "dagster/retry_on_asset_or_op_failure": "false"}
"""A run whose process died is started again by the daemon. A step that failed says itself whether to try again."""
FILES_TAG = "billing/files"


def ingest_job() -> Any:
    return dg.define_asset_job(
        INGEST,
        selection=dg.AssetSelection.assets("catalog", *INGESTION)
        | dg.AssetSelection.checks_for_assets(*(dg.AssetKey(name) for name in STAGES["ingestion"])),
        tags=RETRIES,
        description="New event files into the lake. Metering of the touched days follows by automation.",
    )


def meter_job() -> Any:
    return dg.define_asset_job(
        METER,
        selection=dg.AssetSelection.assets("usage_states") | dg.AssetSelection.checks(INPUTS_CURRENT),
        tags=RETRIES,
        description="States of days: what is metered already stays. A backfill of a range of days is one run.",
    )


def close_job() -> Any:
    return dg.define_asset_job(
        CLOSE,
        selection=dg.AssetSelection.assets("catalog", *RATED, *BOOKS, *DRAFTS)
        | dg.AssetSelection.checks_for_assets(dg.AssetKey(SEALS))
        | dg.AssetSelection.checks(INPUTS_CURRENT),
        tags={**RETRIES, WHEN_BEHIND_TAG: REFUSE},
        description="Refuse a month whose event files or days wait; else rate it, finalize what is due and not held, "
        "seal it when nothing of it is open, refresh the drafts.",
    )


def drafts_job() -> Any:
    return dg.define_asset_job(
        REFRESH,
        selection=dg.AssetSelection.assets("catalog", *DRAFTS) | dg.AssetSelection.checks(SEALED_IN_TIME),
        tags=RETRIES,
        description="Drafts as of now.",
    )


def schedules(close: Any, drafts: Any) -> list[dg.ScheduleDefinition]:
    @dg.schedule(
        name="close_previous_month",
        job=close,
        cron_schedule="0 6 * * *",
        execution_timezone="UTC",
        description="Every day from the 1st on, asks for the previous month until it is sealed.",
    )
    def close_previous_month(
        context: dg.ScheduleEvaluationContext, workspace: BillingWorkspace
    ) -> dg.RunRequest | dg.SkipReason:
        today = context.scheduled_execution_time
        month = previous_month(today)
        if month in runs.sealed_months(workspace.open_lake()):
            return dg.SkipReason(f"{month} is sealed")
        return dg.RunRequest(partition_key=month, run_key=f"{month} asked on {today:%Y-%m-%d}")

    @dg.schedule(
        name="finalize_due",
        job=close,
        cron_schedule="30 6 * * *",
        execution_timezone="UTC",
        description="Every day finalizes whatever is due, in whatever month (weekly and anniversary periods).",
    )
    def finalize_due(
        context: dg.ScheduleEvaluationContext, workspace: BillingWorkspace
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time
        months = runs.due_months(workspace.open_lake(), workspace.load_catalog(), now)
        if not months:
            return dg.SkipReason("nothing is due")
        return [dg.RunRequest(partition_key=month, run_key=f"{month} due on {now:%Y-%m-%d}") for month in months]

    refresh = dg.ScheduleDefinition(
        name="refresh_drafts_hourly",
        job=drafts,
        cron_schedule="15 * * * *",
        execution_timezone="UTC",
        description="Every hour computes the drafts of all open periods anew.",
    )
    return [close_previous_month, finalize_due, refresh]


def file_sensor(job: Any) -> dg.SensorDefinition:
    @dg.sensor(
        name="new_event_files",
        job=job,
        minimum_interval_seconds=60,
        description="Asks for an ingestion when a file appears or changes in the events directory.",
    )
    def new_event_files(
        context: dg.SensorEvaluationContext, workspace: BillingWorkspace
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        try:
            files = runs.new_files(workspace.open_lake(), workspace.open_source())
        except BillingError as error:
            yield dg.SkipReason(str(error))
            return
        if not files:
            yield dg.SkipReason("no new event file")
            return
        listing = "\n".join(f"{file.name} {file.size_bytes} {file.modified.isoformat()}" for file in files)
        token = hashlib.sha256(listing.encode()).hexdigest()[:16]
        yield dg.RunRequest(run_key=run_key(context.instance, token), tags={FILES_TAG: token})

    return new_event_files


def run_key(instance: dg.DagsterInstance, token: str) -> str:
    """The same files are asked for once; after a failure once more in every hour, as the cause may be gone."""
    failed = dg.RunsFilter(tags={FILES_TAG: token}, statuses=[dg.DagsterRunStatus.FAILURE])
    return f"{token} {datetime.now(UTC):%Y-%m-%dT%H}" if instance.get_runs_count(failed) else token
