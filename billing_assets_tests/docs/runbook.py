"""Runs every command of docs/runbook.md, in its order: `python -m billing_assets_tests.docs.runbook`.

It exits with 1, and says what differs, where the page shows a line that a command does not print. The tests run the
sections of February 3 but for their closes, in a project whose January is closed already; the long ones run all.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from billing_assets_tests.cli.process import ROOT, billing
from billing_assets_tests.defs.project import NOW, Project

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
READ_ONLY = {"--version"}
CUT = "..."
"""Stands for lines, or the rest of a line, that the page leaves out."""


@dataclass(frozen=True)
class Command:
    """A line that begins with `$`, with those that begin with `>`, and the lines under it."""

    section: str
    text: str
    shown: tuple[str, ...]


def commands() -> list[Command]:
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        for block in re.findall(r"^```console\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                first, *rest = part.rstrip().splitlines()
                text = [first.split("  #")[0].strip(), *(line[2:] for line in rest if line.startswith("> "))]
                shown = tuple(line for line in rest if line.strip() and not line.startswith("> "))
                found.append(Command(title, "\n".join(text), shown))
    return found


def run(command: Command, project: Path) -> list[str]:
    """What it prints, on both streams; `exit N` last where that is not 0. Commands of the shell must succeed."""
    if not command.text.startswith("billing "):
        subprocess.run(["bash", "-c", command.text], cwd=project, check=True)
        return []
    words = shlex.split(command.text)
    at = () if {*READ_ONLY, "--now"} & set(words) else ("--now", NOW.isoformat())
    done = billing(project, *words[1:], *at)
    ending = [f"exit {done.returncode}"] if done.returncode else []
    return [*done.stdout.splitlines(), *done.stderr.splitlines(), *ending]


def is_shown(line: str, printed: str) -> bool:
    """Columns are as wide as what stands in them, so that spaces count as one."""
    pieces = (re.escape(" ".join(piece.split())) for piece in line.split(CUT))
    return re.fullmatch(".*".join(pieces), " ".join(printed.split())) is not None


def missing(shown: tuple[str, ...], printed: list[str]) -> list[str]:
    """Lines of the page that the command did not print, or not in this order."""
    left = iter(printed)
    return [line for line in shown if line.strip() != CUT and not any(is_shown(line, each) for each in left)]


def prepared(project: Project) -> Project:
    """The project with what the page takes for granted: where its places are, and a folder for backups beside it."""
    (project.root / "billing.toml").write_text('catalog = "catalog"\nevents = "events"\nlake = "lake"\n')
    (project.root.parent / "backups").mkdir()
    return project


def sections() -> list[str]:
    return list(dict.fromkeys(command.section for command in commands()))


def closes(command: Command) -> bool:
    """Whether it is a close that goes through, which takes long."""
    return command.text.startswith("billing close") and not any(line.startswith("exit") for line in command.shown)


def differences(project: Project, chosen: Iterable[Command]) -> Iterator[str]:
    """Run these commands; of each what the page shows and it did not print."""
    for command in chosen:
        printed = run(command, project.root)
        if absent := missing(command.shown, printed):
            yield f"$ {command.text}\ndid not print {absent}, but\n" + "\n".join(printed)


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        found = list(differences(prepared(Project.made(Path(directory) / "company")), commands()))
    print(*found, sep="\n\n")
    sys.exit(1 if found else 0)
