"""Care of the lake between runs: small files made large, superseded files and left-over staging files removed.

Safe at any time: nothing of the engine reads an old version of a table, and a batch never depends on a file's name.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from billing_assets.schemas import TABLES
from billing_assets.storage import failures
from billing_assets.storage.definition import columns
from billing_assets.storage.lake import Lake, writer_of
from billing_assets.storage.passage import Passage
from billing_assets.storage.slices import Slice, as_filter, as_sql

STAGING_AGE = timedelta(days=1)
REST_DAYS = 2
_FEW_FILES = 2


def sweep(lake: Lake, now: datetime, older_than: timedelta = STAGING_AGE) -> list[Path]:
    """Remove what killed writers left behind on a local disk (`*.parquet#*`), which VACUUM never sees."""
    if not lake.is_local:
        return []
    before = (now - older_than).timestamp()
    found = [path for table in TABLES for path in Path(lake.uri(table)).rglob("*.parquet#*")]
    left = sorted(path for path in found if path.stat().st_mtime < before)
    for path in left:
        path.unlink(missing_ok=True)
    return left


def small_days(lake: Lake, table: str, today: date) -> dict[date, int]:
    """Days of a table partitioned by day that are at rest (two days old) and in several files: how many files each."""
    opened, by = lake.open(table), TABLES[table].partition_by
    if opened is None or not by or TABLES[table].schema[by[0]] != pl.Date:
        return {}
    files = pl.DataFrame(opened.get_add_actions(flatten=True)).select(day=pl.col(f"partition.{by[0]}").cast(pl.Date))
    resting = files.filter(pl.col("day") <= today - timedelta(days=REST_DAYS)).group_by("day").len().sort("day")
    return dict(resting.filter(pl.col("len") >= _FEW_FILES).iter_rows())


def compact(lake: Lake, table: str, today: date) -> dict[date, int]:
    """Rewrite the small files of each resting day as one, in the order of the table's keys; the files each day had.

    No row changes, and the table keeps its batches. A day that another process writes meanwhile is left for next time.
    """
    return {day: files for day, files in small_days(lake, table, today).items() if _rewrite(lake, table, day)}


def _rewrite(lake: Lake, table: str, day: date) -> bool:
    """Write a day's rows anew; False where another writer came first. (Delta's own compaction does not sort.)"""
    spec, opened = TABLES[table], lake.open(table)
    if opened is None:
        return False
    where: Slice = {spec.partition_by[0]: day}
    rows = Passage(spec, lake.read(spec, opened).filter(as_filter(spec, where))).stream(columns(opened))
    with failures.naming(table, lake.uri(table), "compacted"):
        try:
            writer = writer_of(spec.name)
            write_deltalake(opened, rows, mode="overwrite", predicate=as_sql(spec, where), writer_properties=writer)
        except CommitFailedError:
            return False
    return True


def vacuum(lake: Lake, table: str, retention: timedelta | None = None) -> list[str]:
    """Remove data files that no current version uses and that are older than `retention` (default: the table's week).

    A shorter retention than a week may take files from under a reader or writer that is still running.
    """
    opened = lake.open(table)
    if opened is None:
        return []
    hours = None if retention is None else int(retention.total_seconds() // 3600)
    with failures.naming(table, lake.uri(table), "vacuumed"):
        return list(opened.vacuum(retention_hours=hours, enforce_retention_duration=retention is None, dry_run=False))
