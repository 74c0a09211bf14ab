"""The whole asset graph as JSON: `python -m billing_assets_tests.defs.graph` writes `graph.json` anew."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from billing_assets_tests.defs.project import Project

GOLDEN = Path(__file__).with_name("graph.json")


def graph(definitions: dg.Definitions) -> dict[str, Any]:
    """Assets, checks, jobs, schedules and sensors with what matters of each."""
    specs = sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)
    checks = [spec for one in definitions.asset_checks or () for spec in one.check_specs]
    jobs = sorted(job.name for job in definitions.jobs or ())
    return {
        "assets": {spec.key.to_user_string(): _asset(spec) for spec in specs},
        "checks": {
            f"{spec.asset_key.to_user_string()}:{spec.name}": "blocking" if spec.blocking else "not blocking"
            for spec in sorted(checks, key=lambda spec: (spec.asset_key, spec.name))
        },
        "jobs": {name: _job(definitions.resolve_job_def(name)) for name in jobs},
        "schedules": {one.name: f"{one.cron_schedule} {one.job_name}" for one in definitions.schedules or ()},
        "sensors": sorted(sensor.name for sensor in definitions.sensors or ()),
    }


def _asset(spec: dg.AssetSpec) -> dict[str, Any]:
    condition = spec.automation_condition
    return {
        "group": spec.group_name,
        "deps": {dep.asset_key.to_user_string(): _mapping(dep.partition_mapping) for dep in sorted(spec.deps, key=str)},
        "partitions": _partitions(spec.partitions_def),
        "kinds": sorted(spec.kinds),
        "owners": sorted(spec.owners),
        "automation": condition is not None,
    }


def _job(job: dg.JobDefinition) -> dict[str, Any]:
    return {
        "steps": sorted(node.name for node in job.nodes),
        "partitions": _partitions(job.partitions_def),
        "tags": dict(sorted(job.tags.items())),
    }


def _mapping(mapping: dg.PartitionMapping | None) -> str | None:
    return None if mapping is None else str(mapping)


def _partitions(definition: dg.PartitionsDefinition | None) -> str | None:  # type: ignore[type-arg]
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return None
    start = definition.start.strftime(definition.fmt)
    return f"{type(definition).__name__} from {start} as {definition.fmt}, {definition.end_offset} ahead"


def as_text(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        GOLDEN.write_text(as_text(graph(Project.made(Path(directory)).definitions)), encoding="utf-8")
