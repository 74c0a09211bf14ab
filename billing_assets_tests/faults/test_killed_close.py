"""SIGKILL at an instant of a real command; the next one finishes it, and the lake is that of an undisturbed run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest

from billing_assets_tests.cli.process import billing
from billing_assets_tests.faults.books import STAGES, arrive, new_book
from billing_assets_tests.faults.killing import Undisturbed, killed_round, undisturbed, wrong_in
from billing_assets_tests.runs.stopping import die_at

JANUARY = STAGES[:2]
INSTANTS = ("usage_states/after", "line_items/after", "invoices/before")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return undisturbed(tmp_path_factory.mktemp("book") / "undisturbed", JANUARY)


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_killed_close_is_finished_by_the_next(instant: str, expected: Undisturbed, tmp_path: Path) -> None:
    project = new_book(tmp_path / "project")
    for stage in JANUARY:
        arrive(project, stage)
        if stage.command[0] == "close":
            killed = billing(project, *stage.command, before=partial(die_at, instant))
            assert killed.returncode == -9, killed.stderr
        assert billing(project, *stage.command).returncode == expected.codes[stage.name]
    assert wrong_in(project, expected.tables) == []


def test_commands_killed_at_random_instants_are_finished_by_the_next(expected: Undisturbed, tmp_path: Path) -> None:
    """The short form of `python -m billing_assets_tests.faults.run`: its first month, each command killed."""
    assert killed_round(tmp_path / "killed", expected, Random(4), JANUARY).wrong == []
