"""Typed frames out of Python values: columns built in bulk, never a polars call per row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP

TEXT, WHOLE, FLAG, TEXTS = pl.String(), pl.Int64(), pl.Boolean(), pl.List(pl.String())

Schema = Mapping[str, pl.DataType]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def table(schema: Schema, rows: Iterable[Sequence[Any]]) -> pl.LazyFrame:
    """A frame of `schema` with one row per tuple, in order."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [() for _ in schema]
    frame = pl.DataFrame(
        [_series(name, dtype, values) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
    )
    return frame.lazy()


def _series(name: str, dtype: pl.DataType, values: Sequence[Any]) -> pl.Series:
    if dtype == TIMESTAMP:
        # As integers: polars converts zoned datetimes one by one.
        instants = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return pl.Series(name, instants, dtype=pl.Int64).cast(TIMESTAMP)
    if dtype == DECIMAL:
        # As text: exact at every length that fits.
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=TEXT).cast(DECIMAL)
    return pl.Series(name, values, dtype=dtype)
