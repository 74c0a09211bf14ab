"""What assets are given: the places of the workspace, the time of the run, and a book for their reports."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from billing_assets.catalog import Catalog, load_catalog
from billing_assets.runs.workspace import Workspace, find_workspace
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource

NOW_TAG = "billing/now"


class BillingWorkspace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Catalog, event files and lake of this deployment. Empty values are resolved as the command line does."""

    catalog: str = ""
    events: str = ""
    lake: str = ""

    _loaded: Catalog | None = PrivateAttr(default=None)

    def places(self) -> Workspace:
        return find_workspace(self.catalog or None, self.events or None, self.lake or None)

    def open_lake(self) -> Lake:
        places = self.places()
        return Lake(places.lake, dict(places.storage_options))

    def open_source(self) -> EventSource:
        places = self.places()
        return EventSource(places.events, dict(places.storage_options))

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A run and a tick of a schedule or sensor each start from the files as they are."""
        self._loaded = None

    def load_catalog(self) -> Catalog:
        """The catalog, read once: every step of a run works with the same one."""
        if self._loaded is None:
            self._loaded = load_catalog(Path(self.places().catalog))
        return self._loaded


class ReportBook:
    """Reports that the assets of one run in this process leave for their caller, by asset step."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def record(self, step: str, report: Any) -> None:
        self.entries[step] = report


@dg.resource(description="A book that nobody reads: only `billing close` keeps the reports of its runs.")
def unread_reports(_context: dg.InitResourceContext) -> ReportBook:
    return ReportBook()


def run_time(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> datetime:
    """The run's `now`: the tag that `billing close --now` sets, so that a retry computes the same; else the clock."""
    tagged = context.run.tags.get(NOW_TAG)
    return datetime.fromisoformat(tagged) if tagged else datetime.now(UTC)


def launched_by(context: dg.AssetExecutionContext) -> str:
    """Who is recorded on a batch: the user tag of the run, or the run itself."""
    return context.run.tags.get("billing/by") or context.run.tags.get("user") or f"dagster run {context.run.run_id[:8]}"
