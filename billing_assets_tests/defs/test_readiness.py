"""Materializing a month's assets by themselves cannot finalize usage that was not metered, nor a catalog not kept."""

from __future__ import annotations

from typing import Any

import dagster as dg

from billing_assets.defs.resources import NOW_TAG
from billing_assets.defs.specs import BOOKS, RATED
from billing_assets_tests.defs.project import DAYS, MONTH, NOW, QUIET, Project, messages


def materialize_month(project: Project, instance: dg.DagsterInstance) -> Any:
    """As with the button Materialize on these assets: no job, and so no check of it."""
    return project.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config=QUIET,
        instance=instance,
        partition_key=MONTH,
        asset_selection=[dg.AssetKey(name) for name in (*RATED, *BOOKS)],
        tags={NOW_TAG: NOW.isoformat()},
        raise_on_error=False,
    )


def test_days_that_are_not_metered_are_named(fresh: Project, instance: dg.DagsterInstance) -> None:
    assert fresh.run(instance, "ingest_event_files").success
    result = materialize_month(fresh, instance)
    assert not result.success
    assert any("28 day(s) with usage are not metered: 2026-01-01, " in text for text in messages(result))
    assert not fresh.lake.exists("invoices")


def test_a_catalog_that_was_not_recorded_is_refused(fresh: Project, instance: dg.DagsterInstance) -> None:
    assert fresh.run(instance, "ingest_event_files").success
    assert fresh.run(instance, "meter_days", **DAYS).success
    fresh.edit("settings.yaml", "backdating_window: none", "backdating_window: 400d")
    result = materialize_month(fresh, instance)
    assert not result.success
    assert any("the catalog has changed" in text for text in messages(result))


def test_a_month_that_is_ready_is_rated(closed: Project, instance: dg.DagsterInstance) -> None:
    assert materialize_month(closed, instance).success
