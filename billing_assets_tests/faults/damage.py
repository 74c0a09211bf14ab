"""Every table of a closed book damaged in every way, one after the other, and what `billing check` says of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import billing
from billing_assets_tests.faults.books import LATER
from billing_assets_tests.faults.fuzzing import STACK


def garble(file: Path) -> None:
    """A quarter of the bytes, from the first page on; the length stays, and so does the footer."""
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * (len(content) // 4) + content[4 + len(content) // 4 :])


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


DATA: Mapping[str, Callable[[Path], object]] = {"cut": cut, "empty": empty, "gone": Path.unlink, "garbled": garble}
LOG: Mapping[str, Callable[[Path], object]] = {"cut": cut, "empty": empty}


def wrong_with_damage(project: Path) -> tuple[int, list[str]]:
    """How many damages were done to the closed book, each undone after, and what was not said of one of them."""
    lake, done, wrong = Lake(project / "lake"), 0, []
    for table in TABLES:
        opened = lake.open(table)
        if opened is None:
            continue
        entry = sorted(Path(lake.uri(table), "_delta_log").glob("*.json"))[-1]
        targets = [(Path(file), kind) for file in opened.file_uris()[:1] for kind in DATA.items()]
        for file, (kind, damage) in targets + [(entry, kind) for kind in LOG.items()]:
            found = told(project, table, file, damage, must_fail=kind != "garbled")
            wrong += [f"{table}, {kind} {file.name}: {found}"] if found else []
            done += 1
    return done, wrong


def told(project: Path, table: str, file: Path, damage: Callable[[Path], object], *, must_fail: bool) -> str | None:
    """What is wrong with the message about a damaged file. A check need not read what is garbled inside."""
    before = file.read_bytes()
    damage(file)
    said = billing(project, "check", "--now", LATER)
    file.write_bytes(before)
    if said.returncode == 0 and not must_fail:
        return None
    named = f"table {table}: " in said.stderr and str(file) in said.stderr
    right = said.returncode == 3 and named and not STACK.search(said.stdout + said.stderr)
    return None if right else f"exit code {said.returncode}: {said.stderr}"
