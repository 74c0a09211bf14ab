"""What docs/runbook.md shows is what its commands print, after January was closed through Dagster."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing_assets_tests.defs.project import Project
from billing_assets_tests.docs.runbook import closes, commands, differences, prepared, sections

OF_FEBRUARY_3 = ("Close a month", "Re-run a failed partition", "Restore from backup", "Upgrade the engine")


def test_the_runbook_shows_what_its_commands_print(closed: Project) -> None:
    chosen = [command for command in commands() if command.section in OF_FEBRUARY_3 and not closes(command)]
    assert len(chosen) > 10
    assert list(differences(prepared(closed), chosen)) == []


@pytest.mark.long
def test_the_whole_runbook_shows_what_its_commands_print(tmp_path: Path) -> None:
    """`python -m billing_assets_tests.docs.runbook` does the same."""
    assert len(sections()) == 8
    assert list(differences(prepared(Project.made(tmp_path / "company")), commands())) == []
