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
    if dtype == TEXTS:
        return _texts(name, values)
    return pl.Series(name, values, dtype=dtype)


def _texts(name: str, values: Sequence[Sequence[str]]) -> pl.Series:
    """A column of lists, by grouping their elements: polars builds a series per list otherwise."""
    elements = pl.DataFrame(
        {
            "row": [row for row, value in enumerate(values) for _ in value],
            name: [element for value in values for element in value],
        },
        schema={"row": WHOLE, name: TEXT},
    )
    lists = elements.group_by("row", maintain_order=True).agg(name)
    rows = pl.DataFrame({"row": range(len(values))}, schema={"row": WHOLE})
    joined = rows.join(lists, on="row", how="left", maintain_order="left")
    return joined.get_column(name).fill_null(pl.Series([[]], dtype=TEXTS))
