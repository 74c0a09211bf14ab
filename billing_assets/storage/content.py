"""Content hash of a table's rows: the same rows give the same 64 digits in every run and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import polars as pl

from billing_assets.schemas import Column, TableSpec

_SEPARATOR = ","
_ROWS_A_SLICE = 1_000_000


class ContentHash:
    """SHA-256 per column, over the column's values as text in the order of the table's keys, and then over those.

    Rows are fed slice by slice; where they are cut is irrelevant. A column without any value is left out, so that a
    nullable column added to a table later leaves the hash of its rows as it was. Promoted columns are left out too:
    they repeat what `properties` says, and which ones there are is not content.
    """

    def __init__(self, spec: TableSpec, without: Collection[str] = ()) -> None:
        self._columns = {name: column for name, column in sorted(spec.columns.items()) if name not in without}
        self._streams = {stream: hashlib.sha256() for column in self._columns.values() for stream in _streams(column)}
        self._valued: set[str] = set()
        self.rows = 0

    def add(self, rows: pl.DataFrame) -> None:
        """`rows` follow those added before, in the order of the table's sort keys."""
        if rows.is_empty():
            return
        texts = [text.alias(stream) for column in self._columns.values() for stream, text in _streams(column).items()]
        for stream, text in rows.lazy().select(texts).collect().row(0, named=True).items():
            self._streams[stream].update(text.encode())
        self._valued |= {name for name in self._columns if rows[name].null_count() < rows.height}
        self.rows += rows.height

    def hexdigest(self) -> str:
        lines: list[Any] = [self.rows]
        for name, column in self._columns.items():
            if name in self._valued:
                lines += [f"{stream} {self._streams[stream].hexdigest()}" for stream in _streams(column)]
        return hashlib.sha256("\n".join(map(str, lines)).encode()).hexdigest()


def content_hash(spec: TableSpec, rows: pl.DataFrame, without: Collection[str] = ()) -> str:
    """Hash of complete rows of a table, in any order; columns in `without` (history) are left out."""
    hashed = ContentHash(spec, without)
    for part in rows.sort(spec.sort_keys).iter_slices(_ROWS_A_SLICE):
        hashed.add(part)
    return hashed.hexdigest()


def _streams(column: Column) -> dict[str, pl.Expr]:
    """The texts that say all values of a column: of text the lengths and the letters, else the values.

    Null is an empty entry among lengths and values, which no value is; so nothing in a text can pass for another cell.
    """
    value = pl.col(column.name)
    if column.dtype == pl.String:
        return {
            f"{column.name}.length": _listed(value.str.len_bytes()),
            f"{column.name}.text": value.fill_null("").str.join(""),
        }
    return {column.name: _listed(value.to_physical() if column.dtype.is_temporal() else value)}


def _listed(value: pl.Expr) -> pl.Expr:
    """Every value ends with a separator, so that slices may be joined anywhere."""
    return pl.concat_str([value.cast(pl.String).fill_null("").str.join(_SEPARATOR), pl.lit(_SEPARATOR)])
