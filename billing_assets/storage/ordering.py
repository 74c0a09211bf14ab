"""Rows in the order of a table's keys, by one number per row instead of several texts.

The keys of a large table repeat: a few measures, some thousand references, the hours of a month. Where each key is
numbered in its own order and the numbers of all keys fit in one, sorting by that takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

FEW = 100_000
"""So few rows are sorted by their keys as they are."""
_LARGEST = 2**63
_POSITION = "\x1fposition"


def in_order(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """`rows.sort(keys)`, nulls first."""
    position = None if rows.height < FEW else _position(rows, keys)
    if position is None:
        return rows.lazy().sort(keys, nulls_last=False).collect()
    return rows.with_columns(position.alias(_POSITION)).sort(_POSITION, maintain_order=True).drop(_POSITION)


def _position(rows: pl.DataFrame, keys: Sequence[str]) -> pl.Series | None:
    """A number per row that sorts as the keys do; None where the keys have too many values or other types."""
    position, reach = pl.zeros(rows.height, dtype=pl.Int64, eager=True), 1
    for key in keys:
        values = rows[key].unique().drop_nulls().sort()
        reach *= values.len() + 1
        if reach >= _LARGEST or values.len() > rows.height // 4 or not _is_ordinary(values.dtype):
            return None
        position = position * (values.len() + 1) + _numbered(rows[key], values)
    return position


def _is_ordinary(dtype: pl.DataType) -> bool:
    return dtype == pl.String or dtype.is_integer() or dtype.is_temporal()


def _numbered(column: pl.Series, values: pl.Series) -> pl.Series:
    """Each cell's place among the sorted `values`, from 1; 0 for null."""
    if column.dtype == pl.String:
        places = column.cast(pl.Enum(values)).to_physical().cast(pl.Int64)
    else:
        places = values.search_sorted(column).cast(pl.Int64).set(column.is_null(), None)
    return (places + 1).fill_null(0)
