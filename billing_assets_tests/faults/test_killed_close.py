"""SIGKILL at an instant of a real close; the next close finishes it, and the lake is that of an undisturbed run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl
import pytest

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import billing
from billing_assets_tests.cli.project import new_project
from billing_assets_tests.runs.stopping import die_at

AT = "2026-11-03T00:00:00Z"
NOW = ("--month", "2026-10", "--now", AT)
WHEN = (*HISTORY_COLUMNS, "at", "applied_at", "result", "intent", "attempt", "by", "etag")
INSTANTS = ("events/after", "usage_states/after", "line_items/after", "invoices/before", "month_closes/after")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    project = new_project(tmp_path_factory.mktemp("undisturbed") / "project", AT)
    assert billing(project, "close", *NOW).returncode == 0
    return contents(project)


def contents(project: Path) -> dict[str, pl.DataFrame]:
    """Every table, without what records when and by whom; committed rows only."""
    lake = Lake(project / "lake")
    return {
        name: lake.scan(name).drop(*WHEN, strict=False).sort(pl.all().exclude(pl.Null), nulls_last=False).collect()
        for name in TABLES
        if lake.exists(name)
    }


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_killed_close_is_finished_by_the_next(
    instant: str, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project", AT)
    killed = billing(project, "close", *NOW, before=partial(die_at, instant))
    assert killed.returncode == -9, killed.stderr
    assert billing(project, "close", *NOW).returncode == 0
    found = contents(project)
    assert found.keys() == undisturbed.keys()
    different = [name for name, frame in undisturbed.items() if not frame.equals(found[name])]
    assert different == []
    assert billing(project, "check").returncode == 0
