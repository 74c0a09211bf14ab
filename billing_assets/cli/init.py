"""`billing init`: a new project to look at, run and change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import print_json, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import UsageError

EXAMPLES = """
billing init my-company
cd my-company && billing validate && billing close
"""

SETTLED = timedelta(days=2)
"""A month is over for sure this long after its last day: its grace period too."""


@command("init", examples=EXAMPLES)
def init(
    settings: Settings,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The new project; made if it does not exist.")],
) -> int:
    """Make a small complete project: a catalog with comments, sample events of last month, billing.toml.

    `billing validate` and `billing close` work in it at once; then replace the sample by your own catalog and events.
    Files that are there are never overwritten.
    """
    month = sample_month(settings.now)
    contents = project_files(month)
    if existing := [name for name in contents if (directory / name).exists()]:
        raise UsageError(f"{directory} has {', '.join(existing)} already; choose a new directory")
    for name, text in contents.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    steps = next_steps(directory, month)
    if settings.json:
        print_json({"directory": str(directory), "files": list(contents), "month": month, "next": steps})
        return 0
    say(f"Made {directory}:")
    for name in contents:
        say(f"  {name}")
    say()
    say("Next:")
    for step in steps:
        say(f"  {step}")
    return 0


def sample_month(now: datetime) -> str:
    """The last month that is over with its grace period, as 2026-10."""
    first = (now - SETTLED).replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def next_steps(directory: Path, month: str) -> list[str]:
    return [
        f"cd {directory}",
        "billing validate",
        f"billing close --month {month}",
        "billing invoices",
        f"billing show INV-{_issue_year(month)}-000001",
        "billing ui",
    ]


def _issue_year(month: str) -> int:
    """The year in which the month's invoices are issued, which numbers them."""
    year, number = map(int, month.split("-"))
    return year + (number == 12)


def project_files(month: str) -> dict[str, str]:
    """Every file of a new project by its name."""
    source = files("billing_assets.cli") / "project"
    catalog = sorted((source / "catalog").iterdir(), key=lambda file: file.name)
    return {
        "billing.toml": (source / "billing.toml").read_text("utf-8"),
        ".gitignore": (source / "gitignore").read_text("utf-8"),
        **{f"catalog/{file.name}": _filled(file, month) for file in catalog if file.name.endswith(".yaml")},
        f"events/{month}.jsonl": "".join(json.dumps(event) + "\n" for event in sample_events(month)),
    }


def _filled(file: Traversable, month: str) -> str:
    return Template(file.read_text("utf-8")).safe_substitute(month=month)


def sample_events(month: str) -> Iterator[dict[str, Any]]:
    """Completions of two customers on 28 days, one of them under an alias, and two counts of seats."""
    senders = (("acme-production", "large", 4_700), ("acme", "small", 9_100), ("globex", "large", 2_300))
    for day in range(1, 29):
        for position, (customer, model, tokens) in enumerate(senders):
            used = tokens + (day * 37 + position * 11) % 100
            properties = {"model": model, "output_tokens": used}
            yield _event(f"{month}-{day:02}T{8 + position:02}:15:00Z", customer, "completion", properties)
    yield _event(f"{month}-01T00:30:00Z", "globex", "seats_counted", {"seats": 3})
    yield _event(f"{month}-20T09:00:00Z", "globex", "seats_counted", {"seats": 5})


def _event(timestamp: str, customer: str, event_type: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "transaction_id": f"{customer}-{event_type}-{timestamp}",
        "customer_id": customer,
        "event_type": event_type,
        "timestamp": timestamp,
        "properties": properties,
    }
