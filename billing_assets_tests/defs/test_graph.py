"""What Dagster shows before any run: the graph as a whole, and that it loads whatever state the workspace is in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg

from billing_assets_tests.cli.process import ROOT
from billing_assets_tests.defs.graph import GOLDEN, graph
from billing_assets_tests.defs.project import MONTH, Project, messages, verdicts


def test_the_graph_is_as_agreed(fresh: Project) -> None:
    """A change of the golden file is a change of what operators see and schedule: `python -m ...defs.graph`."""
    assert graph(fresh.definitions) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_asset_tells_what_it_is(fresh: Project) -> None:
    for spec in fresh.definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, spec.key
        assert all(column.description for column in columns), spec.key


def test_the_workspace_file_names_the_module_that_has_the_definitions() -> None:
    assert "module_name: billing_assets.definitions" in (ROOT / "workspace.yaml").read_text()
    assert Path(ROOT / "billing_assets" / "definitions.py").exists()


def test_a_broken_catalog_loads_and_its_problems_are_on_the_asset(fresh: Project, instance: dg.DagsterInstance) -> None:
    fresh.edit("contracts.yaml", "customer_id: globex", "customer_id: globus")
    result = fresh.run(instance, "ingest_event_files")
    assert not result.success
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["catalog"]
    assert any("contracts.yaml:" in message and "globex" in message for message in messages(result))
    assert not Path(fresh.places.lake).exists()


def test_a_broken_catalog_blocks_the_close_of_what_is_ingested(closed: Project, instance: dg.DagsterInstance) -> None:
    before = closed.versions()
    closed.edit("contracts.yaml", "customer_id: globex", "customer_id: globus")
    result = closed.run(instance, "monthly_close", MONTH)
    failed = {event.step_key for event in result.all_events if event.is_step_failure}
    assert failed == {"catalog", "readiness"}
    assert all("globus" in message for message in messages(result) if "CatalogError" in message)
    assert closed.versions() == before


def test_days_of_the_last_catalog_stay_addressable_when_it_breaks(closed: Project) -> None:
    closed.edit("settings.yaml", "grace_period: 24h", "grace_period: soon")
    (spec,) = (one for one in closed.definitions.resolve_all_asset_specs() if one.key == dg.AssetKey("events"))
    assert isinstance(spec.partitions_def, dg.DailyPartitionsDefinition)
    assert f"{spec.partitions_def.start:%Y-%m-%d}" == "2026-01-01"


def test_missing_places_load_and_fail_by_name(fresh: Project, instance: dg.DagsterInstance) -> None:
    shutil.rmtree(fresh.places.events)
    result = fresh.run(instance, "ingest_event_files")
    assert not result.success
    assert any("events" in message for message in messages(result))
    shutil.rmtree(fresh.places.catalog)
    result = fresh.run(instance, "ingest_event_files")
    assert any("catalog" in message for message in messages(result))
    assert {spec.group_name for spec in fresh.definitions.resolve_all_asset_specs()} >= {"catalog", "invoices"}


def test_the_code_location_loads_where_the_settings_file_is_broken(fresh: Project) -> None:
    (fresh.root / "billing.toml").write_text("catalog = [")
    assert fresh.definitions.resolve_job_def("monthly_close").name == "monthly_close"


def test_a_run_reads_the_catalog_as_it_is_when_it_starts(fresh: Project, instance: dg.DagsterInstance) -> None:
    definitions = fresh.definitions
    job = definitions.resolve_job_def("ingest_event_files")
    assert job.execute_in_process(instance=instance).success
    fresh.edit("settings.yaml", "Example Inc.", "Example Ltd.")
    assert job.execute_in_process(instance=instance).success
    assert fresh.lake.scan("catalog_versions").collect().height == 2


def test_checks_run_before_what_they_guard(fresh: Project, instance: dg.DagsterInstance) -> None:
    result = fresh.run(instance, "ingest_event_files")
    assert result.success
    found = verdicts(result)
    assert set(found) == {
        "files_reconcile",
        "events_stored",
        "rejects_stored",
        "duplicates_stored",
        "no_conflicting_duplicates",
    }
    assert all(one.passed for one in found.values())
