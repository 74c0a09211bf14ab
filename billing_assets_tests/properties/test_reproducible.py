"""What must not matter does not: order of files and events, split into batches, threads; a second close; no row lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from billing_assets import runs
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource
from billing_assets_tests.oracle.strategies import NOW
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.properties.reproduced import BY_BATCH, close, dealt, plain, unlike


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The books closed plainly, conflicting duplicates included."""
    catalog, arrivals = plain()
    return close(tmp_path_factory.mktemp("plain"), catalog, [[one] for one in arrivals])


@pytest.fixture(scope="module")
def closed_without_conflicts(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The books closed plainly, without conflicting duplicates, which the split into batches decides between."""
    catalog, arrivals = plain(conflicts=False)
    return close(tmp_path_factory.mktemp("agreeing"), catalog, [[one] for one in arrivals])


def test_order_of_files_and_events(closed: Lake, tmp_path: Path) -> None:
    catalog, arrivals = plain()
    other = close(tmp_path, catalog, [[one] for one in dealt(arrivals, 3)])
    assert unlike(closed, other) == []


def test_everything_in_one_batch(closed_without_conflicts: Lake, tmp_path: Path) -> None:
    catalog, arrivals = plain(conflicts=False)
    other = close(tmp_path, catalog, [arrivals])
    assert unlike(closed_without_conflicts, other, BY_BATCH) == []


def test_many_batches(closed_without_conflicts: Lake, tmp_path: Path) -> None:
    catalog, arrivals = plain(conflicts=False)
    each = [[(at, {name: rows})] for at, files in dealt(arrivals, 2) for name, rows in files.items()]
    assert unlike(closed_without_conflicts, close(tmp_path, catalog, each), BY_BATCH) == []


@pytest.mark.parametrize("threads", ["1", "2"])
def test_number_of_threads(closed: Lake, threads: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "billing_assets_tests.properties.reproduced", str(tmp_path)]
    subprocess.run(program, env=os.environ | {"POLARS_MAX_THREADS": threads}, check=True, timeout=300)
    assert unlike(closed, Books.open(tmp_path, plain()[0]).lake) == []


def test_a_second_close_writes_nothing(closed: Lake) -> None:
    root = Path(closed.root).parent
    books = Books.open(root, plain()[0])
    before = {name: closed.version(name) for name in TABLES if closed.exists(name)}
    again = runs.ingest(books.lake, EventSource(str(root / "events")), books.catalog, NOW, "test")
    books.close(NOW)
    assert again.batch_no is None
    assert {name: closed.version(name) for name in TABLES if closed.exists(name)} == before


def test_every_input_row_is_accounted_for_once(closed: Lake) -> None:
    lines = {
        (path.name, number + 1)
        for path in (Path(closed.root).parent / "events").iterdir()
        for number in range(len(path.read_text().splitlines()))
    }
    parts = [closed.scan(name) for name in ("events", "duplicate_events", "rejected_events")]
    places = closed.collect(pl.concat([part.select("source_file", "source_line") for part in parts]))
    assert sorted(places.rows()) == sorted(lines)
    sums = closed.collect(closed.scan("ingested_files").select(pl.col("rows", "accepted", "duplicates", "rejected")))
    assert sums.sum().row(0) == (len(lines), *(closed.collect(part).height for part in parts))
