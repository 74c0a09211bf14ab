"""SIGKILL at an instant of a real close; the next close finishes it, and the lake is that of an undisturbed run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import billing, environment

NOW = ("--month", "2026-10", "--now", "2026-11-03T00:00:00Z")
WHEN = (*HISTORY_COLUMNS, "at", "applied_at", "result", "intent", "attempt", "by", "etag")
INSTANTS = ("events/after", "usage_states/after", "line_items/after", "invoices/before", "month_closes/after")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    project = tmp_path_factory.mktemp("undisturbed") / "project"
    billing(project.parent, "init", str(project))
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
    project = tmp_path / "project"
    billing(tmp_path, "init", str(project))
    killed = subprocess.run(
        [sys.executable, "-m", "billing_assets_tests.runs.stopping", instant, "close", *NOW],
        cwd=project,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert billing(project, "close", *NOW).returncode == 0
    found = contents(project)
    assert found.keys() == undisturbed.keys()
    different = [name for name, frame in undisturbed.items() if not frame.equals(found[name])]
    assert different == []
    assert billing(project, "check").returncode == 0
