"""What the tests of ingestion share: files on disk in, collected tables out, through the public functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from billing_assets.ingestion.batch import IngestOutputs, Promotions
from billing_assets.ingestion.dedupe import HISTORY
from billing_assets.ingestion.windows import Windows
from billing_assets.storage.sources import EventSource
from billing_assets.storage.staging import BatchFile, settle, stage

ARRIVAL = datetime(2026, 10, 10, 12, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOWS = Windows(START, timedelta(days=34), timedelta(days=34, hours=25))
OPEN_WINDOWS = Windows(START, None, None)
NO_PROMOTIONS = Promotions()
NO_HISTORY = pl.LazyFrame(schema=HISTORY)


@dataclass(frozen=True)
class Ingested:
    events: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: pl.DataFrame
    files: pl.DataFrame

    @property
    def reasons(self) -> list[str]:
        return self.rejected.get_column("reason").to_list()

    @property
    def properties(self) -> list[str]:
        return self.events.get_column("properties").to_list()

    def reconciles(self) -> bool:
        counts = self.files.select(pl.col("rows", "accepted", "duplicates", "rejected").sum()).row(0)
        tables = (self.events.height, self.duplicates.height, self.rejected.height)
        by_file = (pl.col("rows") == pl.sum_horizontal("accepted", "duplicates", "rejected")).all()
        return counts[1:] == tables and self.files.select(by_file).item()


@contextmanager
def staged_batch(
    files: Mapping[str, bytes],
    *,
    windows: Windows = WINDOWS,
    history: pl.LazyFrame = NO_HISTORY,
    batch_no: int = 1,
    promotions: Promotions = NO_PROMOTIONS,
    arrivals: Mapping[str, datetime] | None = None,
    order: Iterable[str] | None = None,
) -> Iterator[IngestOutputs]:
    """Write the files to a directory of their own and settle them as one batch."""
    with TemporaryDirectory() as root, TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        source = EventSource(root)
        listed = {file.name: file for file in source.list_files()}
        batch = [
            BatchFile(name, source.content_hash(name), listed[name].size_bytes, (arrivals or {}).get(name, ARRIVAL))
            for name in order or sorted(listed)
        ]
        yield settle(stage(source, batch, windows, Path(scratch)), history, windows, batch_no, promotions)


def ingest(files: Mapping[str, bytes], **how: Any) -> Ingested:
    """The four tables of a batch of these files; `how` as for `staged_batch`."""
    with staged_batch(files, **how) as outputs:
        return Ingested(
            outputs.events.collect(),
            outputs.rejected_events.collect(),
            outputs.duplicate_events.collect(),
            outputs.ingested_files.collect(),
        )


def event(transaction_id: str = "t-1", **changes: object) -> dict[str, object]:
    """A valid event; a change to None leaves the field out."""
    fields: dict[str, object] = {
        "transaction_id": transaction_id,
        "customer_id": "acme",
        "event_type": "completion",
        "timestamp": "2026-10-10T10:00:00Z",
        "properties": {"model": "large", "tokens": 12},
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


def line(transaction_id: str = "t-1", **changes: object) -> bytes:
    return json.dumps(event(transaction_id, **changes)).encode()


def lines(*parts: bytes) -> bytes:
    return b"".join(part + b"\n" for part in parts)


def with_properties(text: str, transaction_id: str = "t-1") -> bytes:
    """A line whose properties are this very JSON text."""
    return line(transaction_id, properties={"#": 1}).replace(b'{"#": 1}', text.encode())
