"""The small project of `billing init` as data, its definitions, and runs of its jobs on a given instance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from billing_assets.cli.init import project_files
from billing_assets.defs.definitions import definitions
from billing_assets.defs.resources import NOW_TAG, BillingWorkspace
from billing_assets.runs.workspace import Workspace
from billing_assets.storage.lake import Lake

MONTH = "2026-01"
NOW = datetime(2026, 2, 3, tzinfo=UTC)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAYS = {"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": "2026-01-31"}


class Project:
    """A directory with a catalog, events of January 2026 and a lake, and what Dagster makes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = Workspace(root / "catalog", str(root / "events"), str(root / "lake"), {})
        self.lake = Lake(root / "lake")

    @classmethod
    def made(cls, root: Path) -> Project:
        for name, text in project_files(MONTH).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        project = cls(root)
        # Its events arrive when they are written, which is long after January for whoever runs this later.
        project.edit("settings.yaml", "backdating_window: 90d", "backdating_window: none")
        return project

    def copied(self, to: Path) -> Project:
        return Project(Path(shutil.copytree(self.root, to / "copy", symlinks=True)))

    @property
    def workspace(self) -> BillingWorkspace:
        catalog, events, lake = str(self.places.catalog), self.places.events, self.places.lake
        return BillingWorkspace(catalog=catalog, events=events, lake=lake)

    @property
    def definitions(self) -> dg.Definitions:
        return definitions(self.workspace)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.places.catalog / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def add_event(self, file: str, timestamp: str, **changes: Any) -> Path:
        """A file with one more completion of Acme."""
        event = {
            "transaction_id": f"more-{timestamp}",
            "customer_id": "acme",
            "event_type": "completion",
            "timestamp": timestamp,
            "properties": {"model": "small", "output_tokens": 1000},
        }
        path = self.root / "events" / file
        path.write_text(json.dumps({**event, **changes}) + "\n")
        return path

    def run(self, instance: dg.DagsterInstance, job: str, partition: str | None = None, **tags: str) -> Any:
        """Run a job in this process as of NOW; the result, failed or not."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config=QUIET,
            instance=instance,
            partition_key=partition,
            tags={NOW_TAG: NOW.isoformat(), **tags},
            raise_on_error=False,
        )

    def versions(self) -> dict[str, int | None]:
        """The Delta version of every table."""
        tables = sorted(path.name for path in Path(self.places.lake).iterdir() if (path / "_delta_log").is_dir())
        return {name: self.lake.version(name) for name in tables}


def materialized(result: Any, name: str) -> list[Any]:
    """The materializations of an asset in a run, in order."""
    events = [event for event in result.all_events if event.is_step_materialization]
    return [event.materialization for event in events if event.asset_key == dg.AssetKey(name)]


def metadata(result: Any, name: str) -> dict[str, Any]:
    """The metadata of an asset's last materialization, as plain values."""
    return plain(materialized(result, name)[-1].metadata)


def plain(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry.value for key, entry in entries.items()}


def verdicts(result: Any) -> dict[str, Any]:
    """Every check that a run evaluated, by name."""
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def messages(result: Any) -> Iterable[str]:
    """Why steps of a run failed, causes included."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None:
                yield error.message
                error = error.cause
