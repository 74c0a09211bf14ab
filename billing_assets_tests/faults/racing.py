"""Commands of a book beside each other, each in a process of its own, and what one after the other leaves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from billing_assets_tests import forking
from billing_assets_tests.cli.process import billing, environment
from billing_assets_tests.faults.books import LATER, STAGES, arrive, contents, new_book, numbers
from billing_assets_tests.faults.killing import wrong_in

INGEST = ("ingest", "--now", LATER)
JANUARY = ("close", "--month", "2026-01", "--now", LATER)
FEBRUARY = ("close", "--month", "2026-02", "--now", LATER)


@dataclass(frozen=True, slots=True)
class Race:
    """Commands at once, after `before`; the same tables come from them one after the other, in one of their orders."""

    name: str
    before: tuple[tuple[str, ...], ...]
    commands: tuple[tuple[str, ...], ...]


RACES = (
    Race("two ingests of the same files", (), (INGEST, INGEST)),
    Race("two closes of the same month, with their ingestion", (), (FEBRUARY, FEBRUARY)),
    Race("two closes of different months", (INGEST,), (JANUARY, FEBRUARY)),
    Race("an ingest and a close", (), (INGEST, JANUARY)),
    Race("three closes of the same month", (INGEST,), (JANUARY, JANUARY, JANUARY)),
)


def raced(root: Path, race: Race) -> list[str]:
    """What is wrong after the race; nothing where it left what the commands leave in one of their orders."""
    start, beside = new_book(root / "start"), root / "beside"
    for stage in STAGES:
        arrive(start, stage)
    for command in race.before:
        billing(start, *command)
    shutil.copytree(start, beside)
    ended = at_once(beside, race.commands)
    wrong: list[str] = []
    for number, commands in enumerate(dict.fromkeys(permutations(race.commands))):
        apart = Path(shutil.copytree(start, root / f"apart-{number}"))
        alone = [(done.returncode, done.stderr) for done in (billing(apart, *command) for command in commands)]
        wrong = [f"exit code {code}: {printed}" for code, printed in [*alone, *ended] if code not in (0, 1)]
        wrong += [] if numbers(beside) == numbers(apart) else [f"numbers {numbers(beside)}, not {numbers(apart)}"]
        wrong += wrong_in(beside, contents(apart))
        if not wrong:
            break
    return wrong


def at_once(project: Path, commands: Sequence[tuple[str, ...]]) -> list[tuple[int, str]]:
    """Exit code and output of each command, all at work at the same time."""
    with ExitStack() as opened:
        nothing = opened.enter_context(open("/dev/null", "rb")).fileno()
        outputs = [opened.enter_context(tempfile.TemporaryFile()) for _ in commands]
        processes = [
            forking.start(command, project, environment(), (nothing, output.fileno(), output.fileno()))
            for command, output in zip(commands, outputs, strict=True)
        ]
        codes = [forking.ended(process) for process in processes]
        for output in outputs:
            output.seek(0)
        return [(code, output.read().decode()) for code, output in zip(codes, outputs, strict=True)]
