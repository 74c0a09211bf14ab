"""A close as `billing close` makes it, on a lake of its own: a catalog and the files of each ingest batch, to invoices.

The caller gives plain values (numbers as text) and gets every invoice and line, final or draft, and what is unbilled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets import runs
from billing_assets.catalog import Catalog, load_catalog
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource

Obj = Mapping[str, Any]
Files = Mapping[str, Sequence[Obj]]


def write_catalog(catalog: Obj, directory: Path) -> Catalog:
    """Settings as YAML, every collection as JSON lines; loaded as a run loads it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, value in catalog.items():
        if name == "settings":
            (directory / "settings.yaml").write_text(json.dumps({"settings": value}), encoding="utf-8")
        else:
            (directory / f"{name}.jsonl").write_text(json_lines(value), encoding="utf-8")
    return load_catalog(directory)


def json_lines(rows: Iterable[Obj]) -> str:
    return "".join(json.dumps(row, default=_number) + "\n" for row in rows)


def _number(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"not a value of an event: {value!r}")


def write_events(directory: Path, files: Files, arrived_at: datetime) -> None:
    """One NDJSON file each, modified when it arrived."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        path = directory / name
        path.write_text(json_lines(rows), encoding="utf-8")
        arrival = round(arrived_at.timestamp() * 1_000_000) * 1_000
        os.utime(path, ns=(arrival, arrival))


@dataclass(frozen=True)
class Books:
    """One company's catalog, event files and lake under a directory of its own."""

    root: Path
    catalog: Catalog

    @classmethod
    def open(cls, root: Path, catalog: Obj) -> Books:
        return cls(root, write_catalog(catalog, root / "catalog"))

    @property
    def lake(self) -> Lake:
        return Lake(root=str(self.root / "lake"))

    def with_catalog(self, catalog: Obj) -> Books:
        """The same lake under an edited catalog."""
        return Books.open(self.root, catalog)

    def receive(self, files: Files, arrived_at: datetime) -> runs.IngestReport:
        """Files arrive and are ingested at once, in one batch."""
        write_events(self.root / "events", files, arrived_at)
        return runs.ingest(self.lake, EventSource(str(self.root / "events")), self.catalog, arrived_at, "test")

    def meter(self, now: datetime) -> None:
        stale = runs.stale_days(self.lake, self.catalog, now)
        if stale:
            runs.meter(self.lake, self.catalog, min(stale), max(stale))

    def close(self, now: datetime) -> Closed:
        """What `billing close` does with what was received: meter, rate and finalize due months, refresh the drafts."""
        lake, catalog = self.lake, self.catalog
        runs.record_catalog(lake, catalog, now)
        self.meter(now)
        for month in runs.due_months(lake, catalog, now):
            runs.rate_month(lake, catalog, month, now)
            runs.finalize(lake, catalog, month, now, "test")
        runs.refresh_drafts(lake, catalog, now)
        return Closed.read(lake)


@dataclass(frozen=True)
class Closed:
    """What a close left: every invoice and line, final ones and drafts together, and what is unbilled."""

    invoices: pl.DataFrame
    line_items: pl.DataFrame
    usage: pl.DataFrame
    unbilled: pl.DataFrame
    files: pl.DataFrame

    @classmethod
    def read(cls, lake: Lake) -> Closed:
        both = {
            name: pl.concat([lake.scan(name), lake.scan(f"draft_{name}")], how="diagonal")
            for name in ("invoices", "line_items")
        }
        alone = {"usage": "usage", "unbilled": "unbilled_usage", "files": "ingested_files"}
        frames = both | {name: lake.scan(table) for name, table in alone.items()}
        return cls(**lake.collect_all(frames))

    def lines(self, **where: Any) -> list[dict[str, Any]]:
        """Lines with these values, as on the invoices."""
        found = self.line_items.sort("contract_id", "service_period_start", "line_number")
        return found.filter(**where).to_dicts()

    def dispositions(self) -> dict[tuple[str | None, str], int]:
        """Listed events per (metric, disposition)."""
        keys = ["billable_metric_id", "disposition"]
        counts = self.unbilled.group_by(keys).agg(pl.col("event_count").sum())
        return {(metric, disposition): count for metric, disposition, count in counts.iter_rows()}

    def totals(self) -> dict[str, Decimal]:
        """Total per contract, over all its invoices."""
        sums = self.invoices.group_by("contract_id").agg(pl.col("total").sum())
        return dict(sums.iter_rows())


def close_books(root: Path, catalog: Obj, batches: Iterable[tuple[datetime, Files]], now: datetime) -> Closed:
    """The whole way in one call: each element of `batches` arrives and is ingested by itself."""
    books = Books.open(root, catalog)
    for arrived_at, files in batches:
        books.receive(files, arrived_at)
    return books.close(now)
