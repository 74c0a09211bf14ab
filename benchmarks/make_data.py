"""Make the benchmark's lake: a catalog, and one ingest batch of events written through the engine's own storage.

    python -m benchmarks.make_data                      10,000,000 events into benchmarks/data/dense/10000000
    python -m benchmarks.make_data --groups typical     the same, spread over fewer hours, models and regions
    python -m benchmarks.make_data --events 100000      a small one, with its invariants checked

The batch is made as ingestion makes one, only that its rows do not come from files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from polars.io.plugins import register_io_source

from benchmarks import world
from billing_assets.catalog import Catalog, load_catalog
from billing_assets.runs import batches
from billing_assets.runs.catalogs import record_catalog
from billing_assets.runs.checks import check
from billing_assets.runs.ingest import SEQUENCE, intent_of
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets.storage.staging import BatchFile

DATA = Path(__file__).parent / "data"
BY = "benchmark"


def place(count: int, groups: str) -> tuple[Path, Path]:
    """Directories of the lake and of the catalog for that many events, spread as world.GROUPS says."""
    directory = DATA / groups / str(count)
    return directory / "lake", directory / "catalog"


def make(count: int, groups: str) -> tuple[Lake, Catalog]:
    """The lake with `count` events, made anew."""
    lake_directory, catalog_directory = place(count, groups)
    shutil.rmtree(lake_directory.parent, ignore_errors=True)
    world.write_catalog(catalog_directory)
    lake, catalog = Lake(lake_directory), load_catalog(catalog_directory)
    record_catalog(lake, catalog, world.START)
    files = [_file(day) for day in range(world.DAYS)]
    intent = intent_of(files, catalog, world.NOW - timedelta(hours=6))
    batches.run(
        lake, SEQUENCE, lambda _: intent, lambda batch: _write(batch, count, world.GROUPS[groups]), clock=_clock, by=BY
    )
    return lake, catalog


def append_month(lake: Lake, catalog: Catalog, count: int, groups: str, month: int) -> None:
    """As many events of the thirty days that come `month` times thirty days later, as the next batch."""
    days = range(month * world.DAYS, (month + 1) * world.DAYS)
    intent = intent_of([_file(day) for day in days], catalog, world.NOW)

    def write(batch: batches.Batch) -> None:
        events = _events(count, world.GROUPS[groups], days).with_columns(
            ingest_batch=pl.lit(batch.batch_no, dtype=pl.Int64)
        )
        for table in batch.tables:
            batch.write(table, events if table == "events" else TABLES[table].empty())
        batch.commit({"files": world.DAYS})

    batches.run(lake, SEQUENCE, lambda _: intent, write, clock=_clock, by=BY)


def ensure(count: int, groups: str) -> None:
    """Make the lake if there is none of that size."""
    if not (place(count, groups)[0] / "batches").exists():
        print(f"making {count:,} events")
        make(count, groups)


@contextmanager
def fresh_copy(count: int, groups: str) -> Iterator[Lake]:
    """A lake of its own with the same files, by links: what is written to it is gone afterwards."""
    lake_directory, _ = place(count, groups)
    with TemporaryDirectory(dir=lake_directory.parent, prefix="run-") as directory:
        shutil.copytree(lake_directory, directory, copy_function=os.link, dirs_exist_ok=True)
        yield Lake(directory)


def _clock() -> datetime:
    return world.NOW - timedelta(hours=6)


def _file(day: int) -> BatchFile:
    name = world.source_file(day)
    return BatchFile(name, sha256(name.encode()).hexdigest(), 0, world.arrived_at(day))


def _write(batch: batches.Batch, count: int, groups: world.Groups) -> None:
    for table in batch.tables:
        if table == "events":
            batch.write(table, _events(count, groups))
        elif table == "ingested_files":
            batch.write(table, _files(batch.lake, count))
        else:
            batch.write(table, TABLES[table].empty())
    batch.commit({"files": world.DAYS})


def _rows(day: int, count: int) -> int:
    return (day + 1) * count // world.DAYS - day * count // world.DAYS


def _events(count: int, groups: world.Groups, days: range | None = None) -> pl.LazyFrame:
    """All events, or those of some days, in the order of the table, of which one day is in memory at a time."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        for day in range(world.DAYS) if days is None else days:
            rows = world.events_of_day(day, count, _rows(day, count), groups).lazy()
            rows = rows if predicate is None else rows.filter(predicate)
            yield (rows if columns is None else rows.select(columns)).collect()

    return register_io_source(read, schema=world.events_of_day(0, world.DAYS, 1, groups).schema)


def _files(lake: Lake, count: int) -> pl.DataFrame:
    written = (
        lake.scan("events", through={})
        .group_by("source_file")
        .agg(first_timestamp=pl.col("timestamp").min(), last_timestamp=pl.col("timestamp").max())
    )
    rows = [
        {
            "source_file": file.name,
            "content_hash": file.content_hash,
            "size_bytes": file.size_bytes,
            "arrived_at": file.arrived_at,
            "rows": _rows(day, count),
            "accepted": _rows(day, count),
            "duplicates": 0,
            "rejected": 0,
            "ingest_batch": 1,
        }
        for day, file in enumerate(map(_file, range(world.DAYS)))
    ]
    schema = TABLES["ingested_files"].schema
    known = pl.DataFrame(rows, schema={name: schema[name] for name in rows[0]})
    return TABLES["ingested_files"].complete(known.lazy().join(written, on="source_file")).collect()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--groups", choices=world.GROUPS, default="dense")
    parser.add_argument("--check", action="store_true", help="check every invariant of the lake")
    options = parser.parse_args()
    started = time.perf_counter()
    lake, _ = make(options.events, options.groups)
    print(f"{options.events:,} events in {lake.root} ({time.perf_counter() - started:.0f} s)")
    if options.check or options.events <= 1_000_000:
        broken = [result for result in check(lake) if not result.discrepancies.is_empty()]
        for result in broken:
            print(result.invariant, result.discrepancies)
        raise SystemExit(f"{len(broken)} invariant(s) broken" if broken else 0)


if __name__ == "__main__":
    main()
