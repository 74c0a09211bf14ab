"""The project of `billing init` with some days of its month only: each day with events costs Dagster time."""

from __future__ import annotations

from pathlib import Path

from billing_assets_tests.cli.process import billing

DAYS = ("15", "16", "20")
"""Around the day on which a price changes, and that on which seats are counted."""
EVENTS = 10


def new_project(root: Path, now: str) -> Path:
    """The project as of `now`, with the events of DAYS."""
    made = billing(root.parent, "init", root.name, "--now", now)
    assert made.returncode == 0, made.stderr
    (file,) = (root / "events").iterdir()
    month = file.name.removesuffix(".jsonl")
    lines = [
        line
        for line in file.read_text().splitlines(keepends=True)
        if any(f'"timestamp": "{month}-{day}' in line for day in DAYS)
    ]
    assert len(lines) == EVENTS
    file.write_text("".join(lines))
    return root
