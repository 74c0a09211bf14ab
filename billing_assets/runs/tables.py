"""Working frames as rows of a table."""

from __future__ import annotations

import polars as pl

from billing_assets.schemas import TABLES


def as_table(table: str, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of the table, in its order and sorted by its keys; what the frame lacks is null."""
    spec = TABLES[table]
    return spec.complete(frame).select(*spec.columns).sort(spec.sort_keys)
