"""What a person is told whose disk is damaged, full or no lake: one message that names it, exit code 3, no stack."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from billing_assets_tests.cli.process import billing
from billing_assets_tests.faults.books import EARLY, STAGES, arrive, contents, differences, new_book
from billing_assets_tests.faults.damage import garble
from billing_assets_tests.faults.fuzzing import STACK


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book with its January ingested. Copy it before you break it."""
    project = new_book(tmp_path_factory.mktemp("book") / "project")
    arrive(project, STAGES[0])
    assert billing(project, *STAGES[0].command).returncode == 0
    return project


@pytest.fixture
def project(ingested: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested, tmp_path / "project"))


def told(project: Path, *arguments: str, before: Callable[[], None] | None = None) -> str:
    """The message of a command that must fail for a reason outside the books."""
    failed = billing(project, *arguments, "--now", EARLY, before=before)
    assert failed.returncode == 3, failed.stderr
    assert not STACK.search(failed.stdout + failed.stderr), failed.stderr
    return failed.stderr


def data_file(project: Path, table: str) -> Path:
    return sorted((project / "lake" / table).rglob("*.parquet"))[0]


@pytest.mark.parametrize(
    "damage", [partial(os.truncate, length=100), garble, Path.unlink], ids=["cut", "garbled", "gone"]
)
@pytest.mark.parametrize("table", ["events", "ingested_files"])
def test_a_damaged_data_file_is_named(project: Path, table: str, damage: Callable[[Path], object]) -> None:
    file = data_file(project, table)
    damage(file)
    assert f"table {table}: data file {file} cannot be read" in told(project, "check")


def test_a_damaged_log_entry_is_named(project: Path) -> None:
    entry = project / "lake" / "batches" / "_delta_log" / f"{2:020}.json"
    os.truncate(entry, 200)
    assert f"table batches: log entry {entry} cannot be read" in told(project, "ingest")


def limit_files(size: int) -> None:
    """From now on this process can write no file beyond that many bytes, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_named_and_what_was_begun_is_finished(ingested: Path, tmp_path: Path) -> None:
    project = new_book(tmp_path / "project")
    arrive(project, STAGES[0])
    message = told(project, "ingest", before=partial(limit_files, 4_000))
    assert re.search(r"table \w+ cannot be written \(.*\): File too large", message), message
    assert billing(project, *STAGES[0].command).returncode == 0
    assert differences(contents(project), contents(ingested)) == []


def test_a_file_in_the_place_of_the_lake_is_named(tmp_path: Path) -> None:
    project = new_book(tmp_path / "project")
    arrive(project, STAGES[0])
    (project / "lake").write_text("no folder")
    for command in ("ingest", "close", "status", "check"):
        assert f"{project / 'lake'}: expected the folder of the lake, found a file" in told(project, command)


def to_full_device() -> None:
    """From now on the standard output of this process takes nothing."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def test_an_output_that_cannot_be_written_is_told(project: Path) -> None:
    assert "billing: the output: No space left on device" in told(project, "status", before=to_full_device)
