"""What docs/runbook.md shows is what its commands print, after January was closed through Dagster."""

from __future__ import annotations

from billing_assets_tests.defs.project import Project
from billing_assets_tests.docs.runbook import closes, commands, differences, prepared


def test_the_runbook_shows_what_its_commands_print(closed: Project) -> None:
    """`python -m billing_assets_tests.docs.runbook` runs the closes too."""
    chosen = [command for command in commands() if not closes(command)]
    assert len(chosen) > 10
    assert list(differences(prepared(closed), chosen)) == []
