"""The catalog as part of history: every version that a run used is kept whole, and shown as dimension tables."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.catalog import Catalog, catalog_from_content, dimension_frames
from billing_assets.columns import TIMESTAMP
from billing_assets.errors import InvariantBreach, Overtaken
from billing_assets.runs.reports import CatalogRecord
from billing_assets.storage.lake import Lake


def record_catalog(lake: Lake, catalog: Catalog, now: datetime) -> CatalogRecord:
    """Keep the catalog's content under its version, once, and show it as the current one in the dimension tables."""
    is_new = keep_version(lake, catalog, now)
    for table, current in dimension_frames(catalog).items():
        _show(lake, table, current, catalog.version)
    return CatalogRecord(catalog.version, is_new, catalog.warnings)


def keep_version(lake: Lake, catalog: Catalog, now: datetime) -> bool:
    """Keep the catalog's content under its version; whether it was not kept already."""
    known = lake.scan("catalog_versions").filter(pl.col("catalog_version") == catalog.version)
    is_new = lake.collect(known.select("catalog_version")).is_empty()
    if is_new:
        row = {"catalog_version": catalog.version, "content": catalog.content, "applied_at": now}
        frame = pl.DataFrame([row], schema_overrides={"applied_at": TIMESTAMP})
        lake.append_once("catalog_versions", frame, token=f"catalog/{catalog.version}")
    return is_new


def _show(lake: Lake, table: str, current: pl.LazyFrame, version: str) -> None:
    """Overwrite the dimension table; made again where another catalog was recorded meanwhile, whose rows stay."""
    while True:
        seen = lake.version(table)

        def is_current(seen: int | None = seen) -> bool:
            return lake.version(table) == (seen or 0)

        try:
            lake.overwrite(table, _with_history(lake, table, current, version), provided=is_current)
        except Overtaken:
            continue
        return


def _with_history(lake: Lake, table: str, current: pl.LazyFrame, version: str) -> pl.DataFrame:
    """The rows of `current`, and those of earlier versions, which are current no more."""
    earlier = lake.scan(table).filter(pl.col("catalog_version") != version).with_columns(is_current=pl.lit(value=False))
    return lake.collect(pl.concat([earlier, current], how="diagonal"))


def recorded_catalog(lake: Lake, version: str | None = None) -> Catalog | None:
    """The catalog of that version, or the last one that was applied; None if there is none."""
    versions = lake.scan("catalog_versions")
    chosen = versions.filter(pl.col("catalog_version") == version) if version else versions
    last = lake.collect(chosen.sort("applied_at", "catalog_version").tail(1))
    return catalog_from_content(last["content"].item()) if last.height else None


def needed(lake: Lake, version: str) -> Catalog:
    """The catalog of that version. Raises InvariantBreach where it is not recorded."""
    found = recorded_catalog(lake, version)
    if found is None:
        raise InvariantBreach(f"table catalog_versions lacks {version}, by which the books were computed")
    return found
