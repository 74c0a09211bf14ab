"""Content hash of a frame: the same rows give the same 64 digits in every run and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import polars as pl

from billing_assets.identity import digest
from billing_assets.schemas import Column, TableSpec

_SEPARATOR = "\x1f"
_ROWS_A_SLICE = 1_000_000


class ContentHash:
    """SHA-256 over the BLAKE3 digests of a table's rows, fed slice by slice, so that a stream is hashed as it passes.

    Promoted columns are left out: they repeat what `properties` says, and which ones there are is not content.
    """

    def __init__(self, spec: TableSpec, without: Collection[str] = ()) -> None:
        self._columns = [column for name, column in sorted(spec.columns.items()) if name not in without]
        self._folded = hashlib.sha256()
        self.rows = 0

    def add(self, rows: pl.DataFrame) -> None:
        """`rows` follow those added before, in the order of the table's sort keys."""
        digests = rows.lazy().select(row_digest(self._columns).str.join("")).collect().item()
        self._folded.update(digests.encode())
        self.rows += rows.height

    def hexdigest(self) -> str:
        return self._folded.hexdigest()


def content_hash(spec: TableSpec, rows: pl.DataFrame, without: Collection[str] = ()) -> str:
    """Hash of complete rows of a table, in the order of its keys; columns in `without` (history) are left out."""
    hashed = ContentHash(spec, without)
    for part in rows.sort(spec.sort_keys).iter_slices(_ROWS_A_SLICE):
        hashed.add(part)
    return hashed.hexdigest()


def row_digest(columns: Sequence[Column]) -> pl.Expr:
    """BLAKE3 of a row: name and value of every cell that is not null, in the order of the names.

    So a nullable column that is added to a table later leaves the hashes of its rows as they were. Text carries its
    length, so that nothing in it can pass for another cell.
    """
    return digest(pl.concat_str([part for column in columns for part in _cell(column)], ignore_nulls=True))


def _cell(column: Column) -> list[pl.Expr]:
    """The parts of a cell's text; one part that is null as a whole where the cell may be null."""
    value, start = pl.col(column.name), pl.lit(f"{_SEPARATOR}{column.name}=")
    if column.dtype == pl.String:
        parts = [start, value.str.len_bytes().cast(pl.String), pl.lit(":"), value]
    else:
        parts = [start, (value.to_physical() if column.dtype.is_temporal() else value).cast(pl.String)]
    return [pl.concat_str(parts)] if column.nullable else parts
