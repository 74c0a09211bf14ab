"""A lake that a disk has damaged says which table and which file; it never reads as if rows had not been there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from billing_assets.errors import LakeError
from billing_assets.storage.lake import Lake
from billing_assets_tests.storage.rows import events

Damage = Callable[[Path], object]


@pytest.fixture
def table(lake: Lake) -> Path:
    lake.append_batch("events", events(3000, 1), "ingest", 1)
    lake.append_batch("events", events(3000, 2), "ingest", 2)
    return Path(lake.uri("events"))


def garble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)
    file.write_bytes(content)


def truncate(file: Path) -> None:
    os.truncate(file, 100)


def cut(file: Path) -> None:
    """A piece out of the middle: the footer is whole, and points beyond the end."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 4] + content[len(content) // 2 :])


@pytest.mark.parametrize("damage", [garble, truncate, cut, Path.unlink], ids=["garbled", "truncated", "cut", "missing"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_damaged_data_file_is_named(lake: Lake, table: Path, damage: Damage) -> None:
    file = sorted(table.rglob("*.parquet"))[0]
    damage(file)
    with pytest.raises(LakeError, match=r"table events: data file .* cannot be read") as raised:
        lake.collect(lake.scan("events", through={}))
    assert file.name in str(raised.value)
    assert "restore the lake" in str(raised.value)
    assert raised.value.exit_code == 3


def test_an_error_of_the_query_itself_is_not_blamed_on_the_lake(lake: Lake, table: Path) -> None:
    plan = lake.scan("events", through={}).select(pl.col("customer_ref").cast(pl.Int64))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        lake.collect(plan)


def test_without_its_log_a_table_is_not_taken_for_new(lake: Lake, table: Path) -> None:
    shutil.rmtree(table / "_delta_log")
    for use in (lambda: lake.scan("events"), lambda: lake.append_batch("events", events(1, 3), "ingest", 3)):
        with pytest.raises(LakeError, match=r"table events: .* holds data files and no Delta log"):
            use()


def entry(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020}.json"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: entry(table, 2).write_text('{"add": {"path": '), "00000000000000000002.json cannot be read"),
        (lambda table: entry(table, 1).unlink(), "found gap"),
        (lambda table: entry(table, 0).unlink(), "No (table metadata|protocol)"),
        (lambda table: entry(table, 2).write_text(""), "00000000000000000002.json is empty"),
    ],
    ids=["truncated", "gap", "no first entry", "empty"],
)
def test_a_damaged_log_is_named(lake: Lake, table: Path, damage: Damage, message: str) -> None:
    damage(table)
    for use in (lambda: lake.scan("events"), lambda: lake.append_batch("events", events(1, 3), "ingest", 3)):
        with pytest.raises(LakeError, match=f"table events[\\s\\S]*{message}"):
            use()


def test_a_damaged_checkpoint_is_named(lake: Lake, table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    (checkpoint,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    for version in range(3):
        entry(table, version).unlink()
    truncate(checkpoint)
    with pytest.raises(LakeError, match=f"table events: log entry {checkpoint} cannot be read"):
        lake.scan("events")


def test_a_file_that_no_query_reads_is_looked_at_too(lake: Lake, table: Path) -> None:
    lake.refuse_damage()
    file = sorted(table.rglob("*.parquet"))[0]
    truncate(file)
    with pytest.raises(LakeError, match=f"table events: data file {file} cannot be read: 100 of its [0-9,]+ bytes"):
        Lake(lake.root).refuse_damage()


def test_a_place_that_cannot_hold_a_lake_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LakeError, match="file: expected the folder of the lake, found a file"):
        Lake(tmp_path / "file").append_batch("events", events(1, 1), "ingest", 1)


FULL_DISK = """
import resource, signal, sys
from billing_assets.errors import LakeError
from billing_assets.storage.lake import Lake
from billing_assets_tests.storage.rows import events
lake = Lake(sys.argv[1])
lake.append_batch("events", events(10, 1), "ingest", 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    lake.append_batch("events", events(50_000, 2), "ingest", 2)
except LakeError as error:
    print(error)
print(lake.collect(lake.scan("events", through={})).height)
"""


def test_a_full_disk_is_named_and_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    message, height = ended.stdout.strip().splitlines()
    assert message.startswith("table events cannot be written")
    assert height == "10"
