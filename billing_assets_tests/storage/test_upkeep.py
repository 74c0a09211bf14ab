"""Upkeep changes files, never rows."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from billing_assets.storage.lake import Lake
from billing_assets.storage.upkeep import compact, small_days, sweep, vacuum
from billing_assets_tests.storage.rows import events

DAY = date(2026, 1, 1)


def test_small_files_of_resting_days_become_one_sorted_file(lake: Lake) -> None:
    for batch in (1, 2, 3):
        lake.append_batch("events", events(60, batch), "ingest", batch)
    before = lake.collect(lake.scan("events", through={}).sort("transaction_id"))
    assert small_days(lake, "events", DAY + timedelta(days=3)) == {DAY: 3, DAY + timedelta(days=1): 3}
    assert compact(lake, "events", DAY + timedelta(days=3)) == {DAY: 3, DAY + timedelta(days=1): 3}
    assert lake.collect(lake.scan("events", through={}).sort("transaction_id")).equals(before)
    table = lake.open("events")
    assert table is not None
    for file in (file for file in table.file_uris() if "2026-01-01" in file):
        keys = pl.read_parquet(file).select("customer_ref", "timestamp")
        assert keys.equals(keys.sort("customer_ref", "timestamp"))
    assert small_days(lake, "events", DAY + timedelta(days=3)) == {}
    assert compact(lake, "events", DAY + timedelta(days=3)) == {}
    assert lake.append_batch("events", events(60, 3), "ingest", 3) > 0
    assert lake.collect(lake.scan("events", through={})).height == 180
    assert lake.transaction("events", "ingest/0") == 3


def test_states_are_compacted_and_tables_by_month_are_left(lake: Lake) -> None:
    assert compact(lake, "usage_states", DAY) == {}
    assert compact(lake, "invoices", DAY) == {}


def test_vacuum_removes_what_no_version_needs(lake: Lake) -> None:
    for batch in (1, 2):
        lake.append_batch("events", events(6, batch, days=1), "ingest", batch)
    compact(lake, "events", DAY + timedelta(days=9))
    assert vacuum(lake, "events") == []
    assert len(vacuum(lake, "events", timedelta(0))) == 2
    assert lake.collect(lake.scan("events", through={})).height == 12
    assert vacuum(lake, "invoices") == []


def test_staging_files_of_killed_writers_are_swept_when_old(lake: Lake) -> None:
    lake.append_batch("events", events(6, 1, days=1), "ingest", 1)
    folder = Path(lake.uri("events")) / "event_date=2026-01-01"
    now = datetime(2026, 1, 10, tzinfo=UTC)
    for name, age in (("part-old.parquet#1", 30), ("part-young.parquet#1", 1)):
        (folder / name).write_bytes(b"PAR1")
        os.utime(folder / name, ((now - timedelta(hours=age)).timestamp(),) * 2)
    assert [path.name for path in sweep(lake, now)] == ["part-old.parquet#1"]
    assert (folder / "part-young.parquet#1").exists()
    assert lake.collect(lake.scan("events", pl.col("event_date") == DAY, through={})).height == 6
