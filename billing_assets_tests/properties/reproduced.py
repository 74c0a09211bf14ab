"""One close of generated books, in the batches, files and order that a test asks for; and what it left, to compare.

As a program: `python -m billing_assets_tests.properties.reproduced ROOT`, the plain close under this process's threads.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets import runs
from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource
from billing_assets_tests.oracle.strategies import HOLDING, NOW, merge, random_book
from billing_assets_tests.pipeline.closing import Books, Files, write_events

SEEDS = range(40, 60)
DAYS = ("01", "10", "11", "20", "21", "30", "31")
"""Days of a month with events: each costs a file in every batch, and its metering, whatever is in it."""
PLACES = ("source_file", "source_line")
"""Where a row stood, which is what the tests vary."""
WINNER = r"from \S+:\d+ in batch \d+"
"""Where the accepted event stood, in the detail of a duplicate."""
OF_THE_RUN = ("batches", "ingested_files", "metered_slices")
"""Tables that record runs and files."""
BY_BATCH = ("usage_states", "usage_values")
"""Tables with the ingest batch in their grain: alike only where the batches are."""

Arrival = tuple[datetime, Files]


def plain(conflicts: bool = True) -> tuple[dict[str, Any], list[Arrival]]:
    """The books, one file for each arrival; without `conflicts`, no second event under a transaction id."""
    catalog, batches = merge((random_book(seed) for seed in SEEDS), HOLDING)
    seen: dict[str, str] = {}
    arrivals: list[Arrival] = []
    for number, batch in enumerate(batches):
        rows = [
            row
            for row in batch.events
            if str(row.get("timestamp"))[8:10] in DAYS
            and (seen.setdefault(row["transaction_id"], json.dumps(row)) == json.dumps(row) or conflicts)
        ]
        arrivals.append((batch.arrived_at, {f"{number}.jsonl": rows}))
    return catalog, arrivals


def dealt(arrivals: Sequence[Arrival], files: int, seed: int = 1) -> list[Arrival]:
    """The same batches, their rows shuffled and dealt to several files, whose names run the other way."""
    chance, found = random.Random(seed), []
    for number, (arrived_at, given) in enumerate(arrivals):
        rows = [row for own in given.values() for row in own]
        chance.shuffle(rows)
        parts = {f"{number}-{files - part}.jsonl": rows[part::files] for part in range(files)}
        found.append((arrived_at, parts))
    return found


def close(root: Path, catalog: dict[str, Any], batches: Sequence[Sequence[Arrival]]) -> Lake:
    """Ingest what arrived for each batch at once, then close."""
    books = Books.open(root, catalog)
    for batch in batches:
        for arrived_at, files in batch:
            write_events(root / "events", files, arrived_at)
        runs.ingest(books.lake, EventSource(str(root / "events")), books.catalog, NOW, "test")
    books.close(NOW)
    return books.lake


def contents(lake: Lake, leaving_out: Sequence[str] = ()) -> dict[str, pl.DataFrame]:
    """Every table without recorded history, rows in one order."""
    names = [name for name in TABLES if lake.exists(name) and name not in (*OF_THE_RUN, *leaving_out)]
    tables = {name: lake.collect(lake.scan(name)).drop(*HISTORY_COLUMNS, *PLACES, strict=False) for name in names}
    of_duplicates = tables["duplicate_events"]
    tables["duplicate_events"] = of_duplicates.with_columns(pl.col("detail").str.replace(WINNER, "from there"))
    return {name: table.sort(pl.all().exclude(pl.Null), nulls_last=False) for name, table in tables.items()}


def unlike(lake: Lake, other: Lake, leaving_out: Sequence[str] = ()) -> list[str]:
    """Names of the tables in which two lakes differ."""
    ours, theirs = contents(lake, leaving_out), contents(other, leaving_out)
    assert ours.keys() == theirs.keys()
    return [name for name, table in ours.items() if not table.equals(theirs[name])]


if __name__ == "__main__":
    of_books, arrived = plain()
    close(Path(sys.argv[1]), of_books, [[one] for one in arrived])
