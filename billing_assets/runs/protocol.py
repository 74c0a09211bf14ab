"""The commit protocol as data: which tables a kind of batch enters, and the rows of table `batches`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import polars as pl

from billing_assets import __version__
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

Intent = Mapping[str, Any]
"""All that a batch's result depends on: `kind`, `now`, watermarks, catalog version, files, what is to be finalized."""

NOTHING = "nothing"
_CLOSE = ("line_items", "ledger_entries", "invoice_events", "closed_periods", "invoices", "month_closes")
PROTOCOL: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("ingest", "ingest"): ("rejected_events", "duplicate_events", "events", "ingested_files"),
        ("books", "close"): _CLOSE,
        ("books", "regenerate"): _CLOSE,
        ("books", "void"): ("ledger_entries", "invoice_events"),  # then the one update of `invoices`
        ("books", "hold"): ("invoice_events",),  # of holds and releases
        ("books", "adjust"): ("ledger_entries",),
        ("ingest", NOTHING): (),
        ("books", NOTHING): (),
    }
)
"""The tables of each (sequence, kind of batch) in the order in which it enters them."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, by which clock and with which engine; all of it is history, none of it decides a result."""

    clock: Callable[[], datetime]
    by: str | None = None
    engine_version: str = __version__


def batch_row(
    sequence: str,
    batch_no: int,
    attempt: int,
    author: Author,
    *,
    intent: str | None = None,
    result: str | None = None,
) -> pl.DataFrame:
    """One row of `batches`: INTENT where `intent` is given, COMMITTED where `result` is."""
    row = {
        "sequence": sequence,
        "batch_no": batch_no,
        "state": "COMMITTED" if intent is None else "INTENT",
        "attempt": attempt,
        "at": author.clock(),
        "by": author.by,
        "intent": intent,
        "result": result,
        "engine_version": author.engine_version,
    }
    return pl.DataFrame([row], schema=TABLES["batches"].schema)


def standing_row(lake: Lake, sequence: str, batch_no: int) -> dict[str, Any] | None:
    """The row that says where a batch is: COMMITTED, else the INTENT with the highest attempt; None if not opened."""
    rows = lake.scan("batches", pl.col("sequence") == sequence, pl.col("batch_no") == batch_no)
    found = lake.collect(rows.sort(pl.col("state") == "COMMITTED", "attempt")).to_dicts()
    return found[-1] if found else None


def encode(content: Mapping[str, Any]) -> str:
    """Canonical JSON: keys sorted, compact; instants in UTC with a Z, decimals as text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
    raise TypeError(f"an intent or result holds text, whole numbers, dates and decimals; found {value!r}")
