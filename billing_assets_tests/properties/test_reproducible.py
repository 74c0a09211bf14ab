"""What must not matter does not: order of files and events, split into batches, threads; nor does a second close."""

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
from billing_assets_tests.cli.process import ROOT
from billing_assets_tests.oracle.strategies import NOW
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.properties.reproduced import BY_BATCH, close, contents, dealt, plain, unlike


def closed_by(threads: int, root: Path) -> Lake:
    """The books closed plainly by a process of their own with that many Polars threads."""
    program = [sys.executable, "-m", "billing_assets_tests.properties.reproduced", str(root)]
    subprocess.run(program, cwd=ROOT, env=os.environ | {"POLARS_MAX_THREADS": str(threads)}, check=True, timeout=300)
    return Books.open(root, plain()[0]).lake


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The books closed plainly, conflicting duplicates included."""
    return closed_by(2, tmp_path_factory.mktemp("plain"))


def test_the_books_have_something_to_confuse(closed: Lake) -> None:
    """Without duplicates, conflicts, rejects, final invoices and drafts of some size, nothing below says much."""
    found = contents(closed)
    assert found["duplicate_events"]["conflicting"].n_unique() == 2
    assert found["rejected_events"]["reason"].n_unique() > 1
    assert found["usage"].height > 500
    assert min(found[name].height for name in ("line_items", "draft_line_items", "unbilled_usage")) > 30
    assert closed.collect(closed.scan("events"))["ingest_batch"].n_unique() == 3


@pytest.mark.long
def test_order_of_files_and_events(closed: Lake, tmp_path: Path) -> None:
    catalog, arrivals = plain()
    other = close(tmp_path, catalog, [[one] for one in dealt(arrivals, 3)])
    assert unlike(closed, other) == []


@pytest.mark.long
def test_number_of_threads(closed: Lake, tmp_path: Path) -> None:
    assert unlike(closed, closed_by(1, tmp_path)) == []


def test_split_into_batches(tmp_path: Path) -> None:
    """Conflicting duplicates are left out: between those the split decides, by the rule of the first batch."""
    catalog, arrivals = plain(conflicts=False)
    at_once = close(tmp_path / "one", catalog, [arrivals])
    each = [[(at, {name: rows})] for at, files in dealt(arrivals, 2) for name, rows in files.items()]
    by_itself = close(tmp_path / "many", catalog, each)
    assert (at_once.committed("ingest"), by_itself.committed("ingest")) == (1, 6)
    assert unlike(at_once, by_itself, BY_BATCH) == []


def test_a_second_close_writes_nothing(closed: Lake) -> None:
    """Not one commit: no batch, and no new Delta version of any table, append-only or not."""
    root = Path(closed.root).parent
    books = Books.open(root, plain()[0])
    before = {name: closed.version(name) for name in TABLES if closed.exists(name)}
    again = runs.ingest(books.lake, EventSource(str(root / "events")), books.catalog, NOW, "test")
    books.close(NOW)
    assert again.batch_no is None
    assert {name: closed.version(name) for name in TABLES if closed.exists(name)} == before


def test_every_input_row_is_accounted_for_once(closed: Lake) -> None:
    """Each line of each file is in exactly one of events, duplicates and rejects, as the file's counts say."""
    files = sorted((Path(closed.root).parent / "events").iterdir())
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in files}
    parts = {"accepted": "events", "duplicates": "duplicate_events", "rejected": "rejected_events"}
    found = closed.collect_all(
        {part: closed.scan(table).select("source_file", "source_line") for part, table in parts.items()}
    )
    places = [(name, number + 1) for name, count in lines.items() for number in range(count)]
    assert sorted(pl.concat(found.values()).rows()) == places
    counts = closed.collect(closed.scan("ingested_files").sort("source_file"))
    assert dict(counts.select("source_file", "rows").rows()) == lines
    for part, rows in found.items():
        stated = dict(counts.select("source_file", part).rows())
        assert stated == {name: rows.filter(source_file=name).height for name in lines}
