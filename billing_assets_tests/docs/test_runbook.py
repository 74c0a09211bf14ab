"""Every command of docs/runbook.md is run, in its order, in one project; what the page shows is what they print."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing_assets_tests.cli.process import ROOT, billing
from billing_assets_tests.defs.project import Project

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
NOW = "2026-02-02T06:00:00Z"
READ_ONLY = {"--version", "validate"}
CUT = "..."
"""Stands for lines, or the rest of a line, that the page leaves out."""


@dataclass(frozen=True)
class Command:
    """A line that begins with `$`, and the lines under it."""

    text: str
    shown: tuple[str, ...]


def commands() -> list[Command]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *shown = part.rstrip().splitlines()
            found.append(Command(first.split("  #")[0].strip(), tuple(line for line in shown if line.strip())))
    return found


def run(command: Command, project: Path) -> list[str]:
    """What it prints, on both streams; `exit N` last where that is not 0. Commands of the shell must succeed."""
    words = shlex.split(command.text)
    if words[0] != "billing":
        subprocess.run(words, cwd=project, check=True)
        return []
    at = () if READ_ONLY & set(words) else ("--now", NOW)
    done = billing(project, *words[1:], *at)
    ending = [f"exit {done.returncode}"] if done.returncode else []
    return [*done.stdout.splitlines(), *done.stderr.splitlines(), *ending]


def is_shown(line: str, printed: str) -> bool:
    pieces = (re.escape(piece.strip()) for piece in line.strip().split(CUT))
    return re.fullmatch(".*".join(pieces), printed.strip()) is not None


def missing(shown: tuple[str, ...], printed: list[str]) -> list[str]:
    """Lines of the page that the command did not print, or not in this order."""
    left = iter(printed)
    return [line for line in shown if line.strip() != CUT and not any(is_shown(line, each) for each in left)]


def test_the_runbook_was_run(tmp_path: Path) -> None:
    project = Project.made(tmp_path / "company")
    (project.root / "billing.toml").write_text('catalog = "catalog"\nevents = "events"\nlake = "lake"\n')
    (tmp_path / "backups").mkdir()
    found = commands()
    assert len(found) > 10
    for command in found:
        printed = run(command, project.root)
        absent = missing(command.shown, printed)
        if absent:
            pytest.fail(f"$ {command.text}\ndid not print {absent}, but\n" + "\n".join(printed))
