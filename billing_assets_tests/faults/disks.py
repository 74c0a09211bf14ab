"""A book on a disk that fills up in the middle of its commands, and on one that takes no write. Only root can mount."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from billing_assets_tests.cli.process import billing
from billing_assets_tests.faults.books import LATER, STAGES, arrive, new_book
from billing_assets_tests.faults.fuzzing import STACK
from billing_assets_tests.faults.killing import Undisturbed, wrong_in

LARGE = 256 * 1024
READING = ("check", "status", "invoices", "draft", "balances")
WRITING = (("ingest",), ("close", "--month", "2026-02"))


def can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


def filled_round(
    project: Path, expected: Undisturbed, random: Random, growth: Mapping[str, int]
) -> tuple[int, list[str]]:
    """The book on a disk that has room for a part of each command's growth (KiB); how often it was full, what is wrong.

    After a failure the disk is made large and the same command is run again.
    """
    new_book(project)
    full, wrong = 0, []
    with mounted(project / "lake"):
        for stage in STAGES:
            arrive(project, stage)
            resize(project / "lake", used(project / "lake") + random.randint(0, growth[stage.name]))
            first = billing(project, *stage.command)
            resize(project / "lake", LARGE)
            if first.returncode == 3:
                full += 1
                wrong += [] if is_said(first.stderr, "full", "No space left") else [f"{stage.name}: {first.stderr}"]
            finished = billing(project, *stage.command) if first.returncode == 3 else first
            if finished.returncode != expected.codes[stage.name]:
                wrong.append(f"{stage.name} exits with {finished.returncode}: {finished.stderr}")
        wrong += wrong_in(project, expected.tables)
    return full, wrong


def growth_of(project: Path) -> dict[str, int]:
    """KiB that each command of the book adds to its lake."""
    new_book(project)
    grown = {}
    with mounted(project / "lake"):
        for stage in STAGES:
            arrive(project, stage)
            before = used(project / "lake")
            billing(project, *stage.command)
            grown[stage.name] = used(project / "lake") - before
    return grown


def wrong_read_only(project: Path) -> list[str]:
    """What is wrong with a closed book whose lake takes no write, and to which a file has arrived."""
    (project / "events" / "more.jsonl").write_text("{}\n")
    lake = project / "lake"
    before, wrong = digest(lake), []
    subprocess.run(["mount", "--bind", str(lake), str(lake)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(lake)], check=True)
        for command in WRITING:
            failed = billing(project, *command, "--now", LATER)
            if failed.returncode != 3 or not is_said(failed.stderr, "Read-only", "unable to open", "readonly"):
                wrong.append(f"{command[0]} exits with {failed.returncode}: {failed.stderr}")
        reads = {name: billing(project, name, "--now", LATER) for name in READING}
        wrong += [
            f"{name} exits with {read.returncode}: {read.stderr}" for name, read in reads.items() if read.returncode
        ]
    finally:
        subprocess.run(["umount", str(lake)], check=True)
    return wrong + ([] if digest(lake) == before else ["the lake has changed"])


def is_said(message: str, *words: str) -> bool:
    return any(word in message for word in words) and not STACK.search(message)


def digest(folder: Path) -> str:
    """One hash over the names and bytes of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A disk of its own at `folder`, in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LARGE}k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def resize(folder: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={max(kib, 4)}k", str(folder)], check=True)


def used(folder: Path) -> int:
    """KiB that the disk at `folder` holds."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
