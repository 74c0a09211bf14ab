"""SIGKILL at an instant of a real command; the next one finishes it, and the lake is that of an undisturbed run."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from random import Random

import pytest

from billing_assets_tests.cli.process import billing
from billing_assets_tests.faults.books import EARLY, STAGES, arrive, new_book
from billing_assets_tests.faults.killing import Undisturbed, killed_at, open_batches, undisturbed, wrong_in
from billing_assets_tests.runs.stopping import die_at

JANUARY = STAGES[:2]


@pytest.fixture(scope="module")
def undisturbed_book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Undisturbed]:
    """Where it is, and what is in it. Copy it before you write to it."""
    project = tmp_path_factory.mktemp("book") / "undisturbed"
    return project, undisturbed(project, JANUARY)


def test_killed_commands_are_finished_by_the_next(undisturbed_book: tuple[Path, Undisturbed], tmp_path: Path) -> None:
    """The short form of `python -m billing_assets_tests.faults.run`: its first month, each command killed."""
    expected, random = undisturbed_book[1], Random(4)
    project = new_book(tmp_path / "killed")
    for stage in JANUARY:
        arrive(project, stage)
        killed_at(project, stage, random.uniform(0, expected.seconds[stage.name]))
        assert billing(project, *stage.command).returncode == expected.codes[stage.name]
    assert wrong_in(project, expected.tables) == []


def test_a_void_that_was_killed_before_its_commit_is_finished_by_the_next(
    undisturbed_book: tuple[Path, Undisturbed], tmp_path: Path
) -> None:
    """Its invoice is void by then: the command that is run again finds it so, and must not leave the batch open."""
    project = Path(shutil.copytree(undisturbed_book[0], tmp_path / "project"))
    void = ("void", "INV-2026-000004", "--reason", "ticket 4711", "--now", EARLY)
    assert billing(project, *void, before=partial(die_at, "invoices/after")).returncode == -9
    assert open_batches(project) == ("books",)
    again = billing(project, *void)
    assert (again.returncode, again.stderr) == (
        2,
        "billing: INV-2026-000004 is void already, since 2026-02-03 00:00 UTC\n",
    )
    assert open_batches(project) == ()
