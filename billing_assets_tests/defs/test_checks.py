"""Checks on stored tables: each break is found with its rows; events that do not reconcile stop what follows."""

from __future__ import annotations

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from billing_assets_tests.defs.project import MONTH, Project, materialized, messages, plain, verdicts

OF_JOURNAL = {"journal_exact", "receivable_is_sealed"}
"""What else finds a total that was altered."""


def update(project: Project, table: str, updates: dict[str, str], where: str | None = None) -> None:
    """Alter stored rows behind the engine's back."""
    DeltaTable(project.lake.uri(table)).update(updates=updates, predicate=where)


def delete(project: Project, table: str, where: str) -> None:
    DeltaTable(project.lake.uri(table)).delete(where)


def test_an_altered_invoice_fails_its_checks_with_its_row_and_stops_nothing(
    closed: Project, instance: dg.DagsterInstance
) -> None:
    update(closed, "invoices", {"total": "total + 1"}, "customer_id = 'acme'")
    result = closed.run(instance, "monthly_close", MONTH)
    assert result.success
    found = verdicts(result)
    broken = {name for name, one in found.items() if not one.passed}
    assert broken == {"sums_of_lines", "contents_unaltered", *OF_JOURNAL}
    (acme,) = closed.lake.scan("invoices", pl.col("customer_id") == "acme").collect()["invoice_id"]
    for name in broken - OF_JOURNAL:
        assert found[name].severity == dg.AssetCheckSeverity.ERROR
        shown = plain(found[name].metadata)
        assert shown["discrepancies"] == 1
        assert acme in shown["rows"]
    assert materialized(result, "draft_invoices")


def test_lost_events_fail_the_run_that_finds_them(closed: Project, instance: dg.DagsterInstance) -> None:
    delete(closed, "events", "event_date = '2026-01-05'")
    result = closed.run(instance, "ingest_event_files")
    assert not result.success
    one = verdicts(result)["events_stored"]
    assert (one.passed, one.blocking, one.severity) == (False, True, dg.AssetCheckSeverity.ERROR)
    assert "| 1 | 86 | 83 |" in plain(one.metadata)["rows"]


def test_a_repeated_id_with_another_payload_only_warns(fresh: Project, instance: dg.DagsterInstance) -> None:
    fresh.add_event("one.jsonl", "2026-01-20T10:00:00Z", transaction_id="same")
    fresh.add_event("two.jsonl", "2026-01-20T11:00:00Z", transaction_id="same")
    result = fresh.run(instance, "ingest_event_files")
    assert result.success
    one = verdicts(result)["no_conflicting_duplicates"]
    assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "same" in plain(one.metadata)["rows"]


@pytest.mark.parametrize(("metered", "waits"), [(False, "28 day(s) to meter"), (True, "1 event file(s) to ingest")])
def test_a_close_by_schedule_refuses_what_is_behind(
    fresh: Project, instance: dg.DagsterInstance, metered: bool, waits: str
) -> None:
    assert fresh.run(instance, "ingest_event_files").success
    if metered:
        days = {"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": "2026-01-28"}
        assert fresh.run(instance, "meter_days", **days).success
        fresh.add_event("late.jsonl", "2026-01-20T10:00:00Z")
    result = fresh.run(instance, "monthly_close", MONTH)
    assert not result.success
    assert any("inputs_are_current" in message for message in messages(result))
    one = verdicts(result)["inputs_are_current"]
    assert one.severity == dg.AssetCheckSeverity.ERROR
    assert f"{MONTH} cannot be rated yet: {waits}" in one.description
    assert "ingest_event_files" in one.description
    assert not materialized(result, "rated_lines")
    assert not fresh.lake.exists("rated_lines")


def test_days_after_the_month_and_changed_files_do_not_keep_it_waiting(
    closed: Project, instance: dg.DagsterInstance
) -> None:
    closed.add_event("february.jsonl", "2026-02-02T10:00:00Z")
    assert closed.run(instance, "ingest_event_files").success
    with (closed.root / "events" / "2026-01.jsonl").open("a") as file:
        file.write("{}\n")
    result = closed.run(instance, "monthly_close", MONTH)
    assert result.success
    assert verdicts(result)["inputs_are_current"].passed


def test_metering_is_told_what_waits_but_goes_on(fresh: Project, instance: dg.DagsterInstance) -> None:
    assert fresh.run(instance, "ingest_event_files").success
    result = fresh.run(instance, "meter_days", "2026-01-05")
    assert result.success
    one = verdicts(result)["inputs_are_current"]
    assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "2026-01-01" in plain(one.metadata)["rows"]
    assert "2026-01-05" not in plain(one.metadata)["rows"]
