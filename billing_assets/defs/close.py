"""`billing close`: the assets of the chain, materialized in this process on the instance that the UI shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from billing_assets import runs
from billing_assets.defs.definitions import definitions
from billing_assets.defs.partitions import DAY_FORMAT
from billing_assets.defs.resources import NOW_TAG, BillingWorkspace, ReportBook
from billing_assets.defs.specs import BOOKS, DRAFTS, INGESTION, RATED
from billing_assets.runs.workspace import Workspace

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
    """Runs of one close on one Dagster instance: each stage is a run of its own, tagged alike."""

    def __init__(self, workspace: Workspace, now: datetime, by: str, instance: dg.DagsterInstance) -> None:
        places = BillingWorkspace(catalog=str(workspace.catalog), events=workspace.events, lake=workspace.lake)
        self.places = places
        self.definitions = definitions(places)
        self.instance = instance
        self.tags = {NOW_TAG: now.isoformat(), "billing/by": by, "billing/close": f"{now:%Y%m%dT%H%M%SZ}"}

    def run(self, selection: Sequence[str], partition: str | None = None, **tags: str) -> ReportBook:
        """Materialize `selection` with its checks. Raises the BillingError of the step that failed, as it was."""
        book = ReportBook()
        assets = dg.AssetSelection.assets(*selection)
        dg.materialize(
            [*(self.definitions.assets or ()), *(self.definitions.asset_checks or ())],  # type: ignore[list-item]
            selection=assets,
            partition_key=partition,
            instance=self.instance,
            resources={"workspace": self.places, "reports": book},
            run_config=QUIET,
            tags={**self.tags, **tags},
        )
        return book


def run_close(
    workspace: Workspace, month: str | None, now: datetime, *, by: str = "billing close", ingest: bool = True
) -> CloseReport:
    """Ingest, meter, rate and finalize what is due (of `month`, or anywhere), refresh the drafts, seal, check."""
    started = time.monotonic()
    with dg.DagsterInstance.get() as instance:
        chain = Chain(workspace, now, by, instance)
        first = chain.run(["catalog", *(INGESTION if ingest else ())])
        metered = meter_stale_days(chain, now)
        lake, catalog = chain.places.open_lake(), chain.places.load_catalog()
        months = (month,) if month else runs.due_months(lake, catalog, now)
        closed = tuple(close_month(chain, one) for one in months)
        drafts = chain.run(DRAFTS).entries["drafts"]
    return CloseReport(
        ingest=first.entries.get("ingestion"),
        meter=metered,
        months=closed,
        drafts=drafts,
        checks=runs.check(lake),
        seconds=time.monotonic() - started,
    )


def meter_stale_days(chain: Chain, now: datetime) -> runs.MeterReport | None:
    """One single-run range from the first to the last day whose states are not current."""
    stale = runs.stale_days(chain.places.open_lake(), chain.places.load_catalog(), now)
    if not stale:
        return None
    first, last = (day.strftime(DAY_FORMAT) for day in (min(stale), max(stale)))
    span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    report: runs.MeterReport = chain.run(["usage_states"], **span).entries["metering"]
    return report


def close_month(chain: Chain, month: str) -> tuple[runs.RateReport, runs.FinalizeReport]:
    book = chain.run([*RATED, *BOOKS], partition=month)
    return book.entries["rating"], book.entries["finalization"]
