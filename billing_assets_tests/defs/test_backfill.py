"""A backfill of days and months that are closed, after everything changed, leaves what is final as it was."""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl
from polars.testing import assert_frame_equal

from billing_assets.schemas import TABLES
from billing_assets_tests.defs.project import DAYS, MONTH, Project, metadata, verdicts

FINAL = ("invoices", "line_items", "ledger_entries", "invoice_events", "closed_periods", "month_closes")


def final(project: Project) -> dict[str, pl.DataFrame]:
    return {name: project.lake.scan(name).sort(pl.all()).collect() for name in FINAL}


def backfill(project: Project, instance: dg.DagsterInstance) -> Any:
    """The closed month's days, as a range and one of them again, then the month."""
    assert project.run(instance, "ingest_event_files").success
    metered = project.run(instance, "meter_days", **DAYS)
    assert metered.success
    assert metadata(metered, "usage_states")["rows_written"] > 0
    assert project.run(instance, "meter_days", "2026-01-20").success
    again = project.run(instance, "monthly_close", MONTH)
    assert again.success
    return again


def test_a_backfill_of_a_closed_month_leaves_every_final_row(closed: Project, instance: dg.DagsterInstance) -> None:
    before = final(closed)
    assert all(before[name].height for name in ("invoices", "line_items", "closed_periods", "month_closes"))
    closed.edit("rate_cards.yaml", "price: ", "price: 9")
    closed.add_event("late.jsonl", "2026-01-20T10:00:00Z")
    again = backfill(closed, instance)
    for name, rows in final(closed).items():
        kept = rows.join(before[name].select(TABLES[name].sort_keys), on=TABLES[name].sort_keys, how="semi")
        assert_frame_equal(kept.sort(pl.all()), before[name])
    assert all(verdicts(again)[name].passed for name in ("contents_unaltered", "sums_of_lines", "receivable_is_sealed"))
    assert metadata(again, "invoices")["state_of_month"] == "sealed"
    late = closed.lake.scan("unbilled_usage", pl.col("disposition") == "late_usage").collect()
    assert set(late["billable_metric_id"]) == {"output_tokens", "requests"}
