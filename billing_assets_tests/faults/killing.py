"""Rounds of a book in which every command is killed at a random instant, and run again."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import polars as pl

from billing_assets.runs.batches import unfinished
from billing_assets.runs.protocol import Author
from billing_assets.storage.lake import Lake
from billing_assets.storage.upkeep import sweep
from billing_assets_tests import forking
from billing_assets_tests.cli.process import billing, environment
from billing_assets_tests.faults.books import STAGES, Stage, arrive, contents, differences, new_book, staging_files

AGAIN = 0.5
"""The share of finishing runs that are killed in their turn."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A book that nothing disturbed: its tables, and each command's exit code and duration in seconds."""

    tables: Mapping[str, pl.DataFrame]
    codes: Mapping[str, int]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL: in which command, how far into it, and what the process left behind."""

    stage: str
    after: float
    open_batches: tuple[str, ...]
    staging: int


@dataclass(slots=True)
class Round:
    """What became of a book whose commands were killed."""

    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def undisturbed(project: Path, stages: Sequence[Stage] = STAGES, base: Path | None = None) -> Undisturbed:
    """The stages one after the other, on a new book, or on a copy of `base`."""
    codes, seconds = {}, {}
    begin(project, base)
    for stage in stages:
        arrive(project, stage)
        started = time.monotonic()
        ended = billing(project, *stage.command)
        seconds[stage.name] = time.monotonic() - started
        if ended.returncode not in (0, 1):
            raise ValueError(f"{stage.name} exits with {ended.returncode}, though nothing disturbs it: {ended.stderr}")
        codes[stage.name] = ended.returncode
    return Undisturbed(contents(project), codes, seconds)


def begin(project: Path, base: Path | None) -> None:
    """A new book, or a copy of `base`."""
    if base is None:
        new_book(project)
    else:
        shutil.copytree(base, project)


def killed_round(
    project: Path,
    expected: Undisturbed,
    random: Random,
    stages: Sequence[Stage] = STAGES,
    base: Path | None = None,
) -> Round:
    """The book to the end of `stages`, each killed at a random instant of its duration before it is run to its end."""
    found = Round()
    begin(project, base)
    for stage in stages:
        arrive(project, stage)
        killing = True
        while killing:
            killed = killed_at(project, stage, random.uniform(0, expected.seconds[stage.name]))
            found.kills += [killed] if killed is not None else []
            killing = killed is not None and random.random() < AGAIN
        finished = billing(project, *stage.command)
        was_done = finished.returncode == 2 and stage.done is not None and stage.done in finished.stderr
        if finished.returncode != expected.codes[stage.name] and not was_done:
            found.wrong.append(f"{stage.name} exits with {finished.returncode}: {finished.stderr}")
    found.wrong += wrong_in(project, expected.tables)
    return found


def killed_at(project: Path, stage: Stage, after: float) -> Kill | None:
    """The stage's command, killed `after` seconds; None where it had ended by then."""
    with open("/dev/null", "rb") as nothing, tempfile.TemporaryFile() as output:
        streams = (nothing.fileno(), output.fileno(), output.fileno())
        process = forking.start(stage.command, project, environment(), streams)
        process.join(after)
        process.kill()
        if forking.ended(process) != -signal.SIGKILL:
            return None
    return Kill(stage.name, after, open_batches(project), len(staging_files(project)))


def open_batches(project: Path) -> tuple[str, ...]:
    """The sequences whose last batch waits to be finished."""
    lake, reader = Lake(project / "lake"), Author(lambda: datetime.now(UTC))
    return tuple(sequence for sequence in ("ingest", "books") if unfinished(lake, sequence, reader) is not None)


def wrong_in(project: Path, expected: Mapping[str, pl.DataFrame]) -> list[str]:
    """What is not as in the undisturbed book, once the left-overs of the dead are swept; nothing where all is well."""
    lake = Lake(project / "lake")
    sweep(lake, datetime.now(UTC) + timedelta(minutes=1), older_than=timedelta(0))
    wrong = [f"table {name} differs" for name in differences(contents(project), expected)]
    wrong += [f"{sequence} has an open batch" for sequence in open_batches(project)]
    wrong += [f"{path} was left" for path in staging_files(project)]
    check = billing(project, "check", "--now", STAGES[-1].command[-1])
    return wrong + ([f"billing check exits with {check.returncode}: {check.stdout}"] if check.returncode else [])
