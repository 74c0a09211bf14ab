"""`billing close`: the assets of the chain, materialized in this process on the instance that the UI shows."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from billing_assets import runs
from billing_assets.defs.attention import SEALED_IN_TIME
from billing_assets.defs.definitions import definitions
from billing_assets.defs.failures import MAX_RETRIES_TAG, NEVER
from billing_assets.defs.instance import opened_instance
from billing_assets.defs.jobs import CLOSE, INGEST, METER, REFRESH
from billing_assets.defs.partitions import DAY_FORMAT
from billing_assets.defs.resources import NOW_TAG, BillingWorkspace, ReportBook
from billing_assets.defs.specs import BOOKS, DRAFTS, RATED, SEALS
from billing_assets.errors import BillingError, InvariantBreach
from billing_assets.runs.workspace import Workspace
from billing_assets.storage.upkeep import sweep

PROCESS_TAG = "billing/process"
MAX_RUNTIME_TAG, MAX_RUNTIME_SECONDS = "dagster/max_runtime", f"{6 * 60 * 60}"
"""A close that was killed is ended by the next one, or by Dagster's run monitoring after this time."""
NO_RETRIES = {MAX_RETRIES_TAG: NEVER}
"""Whoever called repeats a failed close; the daemon of a running UI must not."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What one close did, stage by stage; `checks` are all invariants after it."""

    ingest: runs.IngestReport | None
    meter: runs.MeterReport | None
    months: tuple[tuple[runs.RateReport, runs.FinalizeReport], ...]
    drafts: runs.DraftReport
    checks: tuple[runs.CheckResult, ...]
    seconds: float


class Chain:
    """The jobs of one close on one Dagster instance: the runs that the UI shows, tagged alike, with one catalog."""

    def __init__(self, workspace: Workspace, now: datetime, by: str, instance: dg.DagsterInstance) -> None:
        self.places = BillingWorkspace(catalog=str(workspace.catalog), events=workspace.events, lake=workspace.lake)
        self.book = ReportBook()
        self.definitions = definitions(self.places, self.book)
        self.instance = instance
        self.tags = {
            NOW_TAG: now.isoformat(),
            "billing/by": by,
            "billing/close": f"{now:%Y%m%dT%H%M%SZ}",
            PROCESS_TAG: this_process(),
            MAX_RUNTIME_TAG: MAX_RUNTIME_SECONDS,
            **NO_RETRIES,
        }

    def run(
        self,
        job: str,
        assets: Sequence[str] = (),
        partition: str | None = None,
        seals: Collection[dg.AssetCheckKey] = (),
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run a job, or only these assets of it with their checks and those of the seals; the reports of its steps.

        Raises the BillingError of a failed step as it was raised, and InvariantBreach for a blocking check.
        """
        self.book.entries = {}
        try:
            self.chosen(job, assets, seals).execute_in_process(
                run_config=QUIET, instance=self.instance, partition_key=partition, tags={**self.tags, **(tags or {})}
            )
        except dg.Failure as failure:
            raised = failure.__cause__ or failure
        except dg.DagsterError as error:
            raise _failure(job, self.book, error) from error
        else:
            return self.book.entries
        raise raised

    def chosen(self, job: str, assets: Sequence[str], seals: Collection[dg.AssetCheckKey]) -> dg.JobDefinition:
        """The job, or a part of it: of what it only reports on, no asset can be chosen, so its checks are named."""
        whole = self.definitions.resolve_job_def(job)
        if not assets:
            return whole
        keys = {dg.AssetKey(name) for name in assets}
        return whole.get_subset(
            asset_selection=keys,
            asset_check_selection={*(key for key in self.checks if key.asset_key in keys), *seals},
        )

    @property
    def checks(self) -> Iterator[dg.AssetCheckKey]:
        return (key for one in self.definitions.asset_checks or () for key in one.check_keys)


def run_close(
    workspace: Workspace, month: str | None, now: datetime, *, by: str = "billing close", ingest: bool = True
) -> CloseReport:
    """Ingest, meter, rate and finalize what is due (of `month`, or anywhere), refresh the drafts, seal, check.

    What killed writers left a day ago and before is swept.
    """
    started = time.monotonic()
    with opened_instance() as instance:
        end_killed_runs(instance)
        chain = Chain(workspace, now, by, instance)
        lake, catalog = chain.places.open_lake(), chain.places.load_catalog()
        first = chain.run(INGEST, () if ingest else ["catalog"])
        metered = meter_stale_days(chain, runs.stale_days(lake, catalog, now))
        months = (month,) if month else runs.due_months(lake, catalog, now)
        closed, drafts = close_months(chain, months)
        sweep(lake, datetime.now(UTC))
    return CloseReport(
        ingest=first.get("ingestion"),
        meter=metered,
        months=closed,
        drafts=drafts,
        checks=runs.check(lake),
        seconds=time.monotonic() - started,
    )


def meter_stale_days(chain: Chain, stale: Sequence[date]) -> runs.MeterReport | None:
    """One single-run range from the first to the last day whose states are not current."""
    if not stale:
        return None
    first, last = (day.strftime(DAY_FORMAT) for day in (min(stale), max(stale)))
    span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    report: runs.MeterReport = chain.run(METER, tags=span)["metering"]
    return report


def close_months(
    chain: Chain, months: Sequence[str]
) -> tuple[tuple[tuple[runs.RateReport, runs.FinalizeReport], ...], runs.DraftReport]:
    """Each month in order, a run each; the last one refreshes the drafts too.

    What a scheduled close checks first has just been done, or was left out by whoever asked.
    """
    closed = []
    seals = [key for key in chain.checks if key.asset_key == dg.AssetKey(SEALS)]
    for month in months:
        found = chain.run(CLOSE, [*RATED, *BOOKS, *(DRAFTS if month == months[-1] else ())], month, seals)
        closed.append((found["rating"], found["finalization"]))
    last = found if months else chain.run(REFRESH, DRAFTS, seals=[SEALED_IN_TIME])
    return tuple(closed), last["drafts"]


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Runs of a close whose process is gone can never end by themselves, and would hold a place in the run queue."""
    here, _ = this_process().split(":")
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == here and not _is_alive(int(process)):
            instance.report_run_failed(run, f"Process {process} of this close was killed; a later close goes on.")


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _failure(job: str, book: ReportBook, error: dg.DagsterError) -> BillingError:
    """Why a run ended that no step of ours ended: a blocking check, else what Dagster says."""
    results = [result for entry in book.entries.values() if isinstance(entry, tuple) for result in entry]
    broken = [one for one in results if one.discrepancies.height and not one.invariant.warning]
    if not broken:
        return BillingError(f"job {job} failed: {error}")
    counts = ", ".join(f"{one.invariant.name} ({one.discrepancies.height} row(s))" for one in broken)
    return InvariantBreach(
        f"job {job} stopped before anything was metered: {counts} failed; `billing check` lists them"
    )
