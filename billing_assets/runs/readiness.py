"""Whether days can be rated: what still waits to be ingested or metered."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.runs.ingest import waiting
from billing_assets.runs.meter import stale_days
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource

BEHIND = pl.Schema({"waits_for": pl.String, "what": pl.String})


def behind(lake: Lake, source: EventSource, catalog: Catalog, before: date, now: datetime) -> pl.DataFrame:
    """What invoices of the days before `before` could still miss, a row each: event files to ingest, days to meter.

    Every waiting file counts, since nobody knows of which days its events are.
    """
    files = [("ingestion", file.name) for file in waiting(lake, source)[0]]
    days = [("metering", day.isoformat()) for day in stale_days(lake, catalog, now) if day < before]
    return pl.DataFrame([*files, *days], BEHIND, orient="row")
