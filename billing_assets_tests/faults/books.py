"""A book of two months as a project on disk, what is run on it, and what its tables hold in the end."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

CATALOG = Path(__file__).with_name("book") / "catalog.yaml"
WHEN = ("at", "applied_at", "result", "intent", "attempt", "by", "etag", "rated_as_of")
"""What besides HISTORY_COLUMNS records when, by whom and in how many attempts."""
EARLY, LATER = "2026-02-03T00:00:00Z", "2026-03-03T00:00:00Z"
CUSTOMERS = ("acme", "acme-prod", "globex", "initech", "umbrella", "ghost")
DAYS = (5, 12, 20)


@dataclass(frozen=True, slots=True)
class Stage:
    """Files that arrive, and then the command that meets them.

    `done` is what the command says, with exit code 2, where a killed one before it had done its work.
    """

    name: str
    arriving: tuple[str, ...]
    command: tuple[str, ...]
    done: str | None = None


STAGES = (
    Stage("ingest of January", ("january.jsonl", "january.csv"), ("ingest", "--now", EARLY)),
    Stage("close of January", ("broken.jsonl",), ("close", "--month", "2026-01", "--now", EARLY)),
    Stage("ingest of February", ("february.jsonl.gz", "again.jsonl"), ("ingest", "--now", LATER)),
    Stage("close of February", ("late.parquet",), ("close", "--month", "2026-02", "--now", LATER)),
)
VOIDED, HELD, UNPRICED = "INV-2026-000010", "inv_ec26d91e673be518", "inv_21a86e2054e317d8"
"""What is decided about once the book is closed: a final invoice that drew and bills late usage, a draft of March,
and the draft of January that waits for a price."""
WHY = ("--reason", "ticket 4711", "--now", LATER)
DECISIONS = (
    Stage("void", (), ("void", VOIDED, *WHY), "is void already"),
    Stage("regenerate", (), ("regenerate", VOIDED, *WHY), "is replaced already"),
    Stage("hold", (), ("hold", HELD, *WHY), "is held by hand already"),
    Stage("release", (), ("release", HELD, *WHY), "is not held"),
    Stage("waive", (), ("waive", UNPRICED, *WHY), "has no usage without a price"),
    Stage("close of January again", (), ("close", "--month", "2026-01", "--now", LATER)),
)
"""What comes after STAGES: decisions of people, and the close that acts on them."""


def new_book(root: Path) -> Path:
    """The catalog, and no event file yet."""
    (root / "catalog").mkdir(parents=True)
    (root / "events").mkdir()
    shutil.copy(CATALOG, root / "catalog" / "book.yaml")
    return root


def arrive(project: Path, stage: Stage) -> None:
    """The stage's files, each as it arrives in every book: the same bytes at the same instant."""
    at = datetime.fromisoformat(stage.command[-1]).timestamp()
    for name in stage.arriving:
        path = project / "events" / name
        path.write_bytes(content(name))
        os.utime(path, (at, at))


def content(name: str) -> bytes:
    """The bytes of an event file of the book."""
    january = list(_usage("2026-01"))
    match name:
        case "january.jsonl":
            return _lines(january[::2])
        case "january.csv":
            return _csv(january[1::2])
        case "broken.jsonl":  # two rows are rejected, one is a duplicate, one is held for want of a price
            bad = [{**january[0], "timestamp": "soon"}, {"transaction_id": "t"}]
            return _lines([*bad, january[1], _event("unpriced", "umbrella", "2026-01-20T10:00:00Z", "huge", 7)])
        case "february.jsonl.gz":
            return gzip.compress(_lines(_usage("2026-02")), mtime=0)
        case "again.jsonl":
            return _lines(january[:5])
        case "late.parquet":
            days = [f"2026-01-{day:02}" for day in DAYS]
            return _parquet([_event(f"late-{day}", "acme", f"{day}T09:00:00Z", "large", 50) for day in days])
    raise ValueError(f"the book has no event file {name!r}")


def contents(project: Path) -> dict[str, pl.DataFrame]:
    """Every table, without what records when and by whom; committed rows only."""
    lake = Lake(project / "lake")
    return {
        name: _once(name, lake.collect(lake.scan(name).drop(*HISTORY_COLUMNS, *WHEN, strict=False).sort(pl.all())))
        for name in TABLES
        if lake.exists(name)
    }


def _once(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A decision that is made again after a kill is recorded again, and says the same."""
    decided = name in ("actions", "invoice_events")
    return rows.drop("action_no", strict=False).unique().sort(pl.all()) if decided else rows


def differences(found: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> list[str]:
    """Tables that differ, or that only one of the two has."""
    return sorted(
        name
        for name in found.keys() | expected.keys()
        if name not in found or name not in expected or not found[name].equals(expected[name])
    )


def numbers(project: Path) -> list[str]:
    """The invoice numbers, in order."""
    lake = Lake(project / "lake")
    return lake.collect(lake.scan("invoices").select("invoice_number").sort("invoice_number")).to_series().to_list()


def staging_files(project: Path) -> list[Path]:
    """What a killed writer leaves of a data file."""
    return sorted((project / "lake").rglob("*.parquet#*"))


def _usage(month: str) -> Iterator[dict[str, Any]]:
    """Some requests of each customer on three days of the month."""
    for day in DAYS:
        for position, customer in enumerate(CUSTOMERS):
            for request in range(4):
                at = f"{month}-{day:02}T{6 + position:02}:{request * 12:02}:00Z"
                model = "large" if (day + request) % 3 else "small"
                used = 90 + (day * 37 + position * 11 + request * 7) % 100
                yield _event(f"{customer}-{at}", customer, at, model, used, user=f"u{(day + request) % 5}")


def _event(transaction_id: str, customer: str, at: str, model: str, tokens: int, **more: str) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "customer_id": customer,
        "event_type": "completion",
        "timestamp": at,
        "properties": {"model": model, "tokens": tokens, **more},
    }


def _lines(events: Any) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in events).encode()


def _texts(events: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{**event, "properties": json.dumps(event["properties"])} for event in events])


def _csv(events: list[dict[str, Any]]) -> bytes:
    return _texts(events).write_csv().encode()


def _parquet(events: list[dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    _texts(events).write_parquet(target)
    return target.getvalue()
