"""A month as a person runs it in the UI: files, a range of days in one run, the month; what each run shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import polars as pl
import pytest

from billing_assets.schemas import TABLES
from billing_assets_tests.defs.conftest import January
from billing_assets_tests.defs.project import DAYS, MONTH, Project, materialized, metadata, plain, verdicts


def test_every_run_of_the_chain_succeeds(january: January) -> None:
    for result in (january.ingested, january.metered, january.closed):
        assert result.success
        assert all(one.passed for one in verdicts(result).values())


def test_ingestion_shows_its_files_and_touches_the_days_of_their_events(january: January) -> None:
    shown = metadata(january.ingested, "ingested_files")
    assert (shown["rows"], shown["accepted"], shown["rejected"], shown["duplicates"]) == (86, 86, 0, 0)
    assert shown["dagster/row_count"] == 1
    assert "2026-01.jsonl" in shown["details"]
    days = materialized(january.ingested, "events")
    assert [one.partition for one in days] == [f"2026-01-{day:02}" for day in range(1, 29)]
    assert sum(one.metadata["dagster/partition_row_count"].value for one in days) == 86


def test_a_range_of_days_is_one_run_with_one_commit(january: January) -> None:
    assert len(materialized(january.metered, "usage_states")) == 31
    shown = metadata(january.metered, "usage_states")
    assert shown["days_metered"] == 28
    assert shown["rows_written"] == shown["dagster/partition_row_count"] > 0
    assert january.project.lake.version("usage_states") == 1


def test_a_month_shows_totals_top_customers_and_versions_of_its_tables(january: January) -> None:
    lake = january.project.lake
    for name in ("rated_lines", "usage", "unbilled_usage", "invoices", "line_items", "month_closes"):
        (event,) = materialized(january.closed, name)
        assert event.partition == MONTH
        shown = metadata(january.closed, name)
        assert shown["delta_version"] == lake.version(name)
        column = "close_month" if "close_month" in TABLES[name].columns else "month"
        stored = lake.scan(name, pl.col(column) == MONTH).collect().height
        assert shown["dagster/partition_row_count"] == stored
    shown = metadata(january.closed, "invoices")
    assert "| USAGE | USD | 2 | 81.54 |" in shown["totals"]
    assert shown["top_customers"].splitlines()[2:] == ["| globex | USD | 1 | 76.8 |", "| acme | USD | 1 | 4.74 |"]
    assert (shown["sealed"], shown["held"], shown["rows_written"]) == (MONTH, "none", 2)
    assert shown["state_of_month"] == "sealed"
    seal = metadata(january.closed, "month_closes")
    assert seal["control_totals"]["invoices"]["USD"] == {"count": 2, "total": "81.540000000000"}
    assert metadata(january.closed, "draft_invoices")["dagster/row_count"] == 2


def test_what_was_made_is_the_close_to_the_cent(january: January) -> None:
    invoices = january.project.lake.scan("invoices").sort("customer_id").collect()
    assert list(invoices["total"]) == [Decimal("4.74"), Decimal("76.80")]
    assert set(invoices["catalog_version"]) == {metadata(january.ingested, "catalog")["catalog_version"]}


def test_repeating_every_run_writes_no_new_version(closed: Project, instance: dg.DagsterInstance) -> None:
    before = closed.versions()
    assert closed.run(instance, "ingest_event_files").success
    assert closed.run(instance, "meter_days", **DAYS).success
    again = closed.run(instance, "monthly_close", MONTH)
    assert again.success
    assert closed.versions() == before
    shown = metadata(again, "invoices")
    assert (shown["books_batch"], shown["rows_written"]) == ("nothing to finalize", 0)
    assert shown["dagster/partition_row_count"] == 2


def test_an_invoice_that_cannot_be_priced_is_shown_as_held(fresh: Project, instance: dg.DagsterInstance) -> None:
    fresh.add_event("new-model.jsonl", "2026-01-20T10:00:00Z", properties={"model": "huge", "output_tokens": 7})
    assert fresh.run(instance, "ingest_event_files").success
    assert fresh.run(instance, "meter_days", **DAYS).success
    result = fresh.run(instance, "monthly_close", MONTH)
    assert result.success
    shown = metadata(result, "invoices")
    assert "UNRATED_USAGE" in shown["held"]
    assert (shown["rows_written"], shown["sealed"]) == (1, "none")
    assert shown["state_of_month"] == "open: 1 held, 0 not yet due"
    assert not materialized(result, "month_closes")
    held = verdicts(result)["nothing_held"]
    assert (held.passed, held.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "UNRATED_USAGE" in plain(held.metadata)["rows"]
    assert "huge" in metadata(result, "rated_lines")["unrated"]


@pytest.mark.parametrize(
    ("schedule", "at", "asked"),
    [
        ("close_previous_month", datetime(2026, 2, 3, 6, tzinfo=UTC), "2026-01 is sealed"),
        ("close_previous_month", datetime(2026, 3, 1, 6, tzinfo=UTC), ["2026-02"]),
        ("finalize_due", datetime(2026, 2, 3, 6, tzinfo=UTC), "nothing is due"),
        ("finalize_due", datetime(2026, 3, 2, 6, 30, tzinfo=UTC), ["2026-02"]),
    ],
)
def test_schedules_ask_for_months_until_they_are_sealed(
    january: January, schedule: str, at: datetime, asked: str | list[str]
) -> None:
    found = january.project.definitions.resolve_schedule_def(schedule)
    context = dg.build_schedule_context(scheduled_execution_time=at, resources={"workspace": january.project.workspace})
    answer = found(context)
    requests = [answer] if isinstance(answer, dg.RunRequest) else answer
    got = answer.skip_message if isinstance(answer, dg.SkipReason) else [one.partition_key for one in requests]
    assert got == asked
