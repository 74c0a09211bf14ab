"""Whether days can be rated: what still waits to be ingested or metered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.runs.ingest import known_files, new_files
from billing_assets.runs.meter import stale_days
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource

BEHIND = pl.Schema({"waits_for": pl.String, "what": pl.String})


def behind(lake: Lake, source: EventSource, catalog: Catalog, before: date, now: datetime) -> pl.DataFrame:
    """What invoices of the days before `before` could still miss, a row each: event files to ingest, days to meter.

    Every waiting file counts, since nobody knows of which days its events are.
    """
    files = [("ingestion", name) for name in waiting_files(lake, source)]
    days = [("metering", day.isoformat()) for day in stale_days(lake, catalog, now) if day < before]
    return pl.DataFrame([*files, *days], BEHIND, orient="row")


def waiting_files(lake: Lake, source: EventSource) -> tuple[str, ...]:
    """Files that the next ingestion would read, by name; not those that changed after an ingestion read them."""
    known = known_files(lake)
    names = [file.name for file in new_files(lake, source)]
    return tuple(name for name in names if _is_unread(source, name, known.get(name, [])))


def _is_unread(source: EventSource, name: str, before: list[dict[str, Any]]) -> bool:
    """Whether the file was never seen, or refused as a whole with another content than now."""
    if any(row["detail"] is None for row in before):
        return False
    return not before or source.content_hash(name) not in {row["content_hash"] for row in before}
