"""Content hash of a frame: the same rows give the same 64 digits in every run and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import polars as pl

from billing_assets.identity import digest
from billing_assets.schemas import TableSpec

_SEPARATOR = "\x1f"


class ContentHash:
    """SHA-256 over the BLAKE3 digests of the rows, fed slice by slice, so that a stream is hashed as it passes."""

    def __init__(self) -> None:
        self._folded = hashlib.sha256()
        self.rows = 0

    def add(self, rows: pl.DataFrame) -> None:
        """`rows` follow those added before, in the order of the table's sort keys."""
        digests = rows.lazy().select(row_digest(rows.schema).str.join("")).collect().item()
        self._folded.update(digests.encode())
        self.rows += rows.height

    def hexdigest(self) -> str:
        return self._folded.hexdigest()


def content_hash(spec: TableSpec, rows: pl.DataFrame, without: Collection[str] = ()) -> str:
    """Hash of the rows as they are stored, sorted by the table's keys; columns in `without` are left out."""
    kept = rows.sort(spec.sort_keys, nulls_last=False).drop(without, strict=False)
    return fold(kept.iter_slices(1_000_000))


def fold(slices: Iterable[pl.DataFrame]) -> str:
    """Hash of rows that come in slices, already in order."""
    hashed = ContentHash()
    for rows in slices:
        hashed.add(rows)
    return hashed.hexdigest()


def row_digest(schema: pl.Schema) -> pl.Expr:
    """BLAKE3 of a row: name and value of every cell that is not null, in the order of the names.

    So a nullable column that is added to a table later leaves the hashes of its rows as they were.
    """
    cells = [_cell(name, dtype) for name, dtype in sorted(schema.items())]
    return digest(pl.concat_str(cells, separator=_SEPARATOR, ignore_nulls=True))


def _cell(name: str, dtype: pl.DataType) -> pl.Expr:
    """A cell as text that no other cell shares; text carries its length, so that no separator in it can deceive."""
    column = pl.col(name)
    if dtype == pl.String:
        return pl.concat_str([pl.lit(f"{name}="), column.str.len_bytes().cast(pl.String), pl.lit(":"), column])
    plain = column.to_physical() if dtype.is_temporal() else column
    return pl.concat_str([pl.lit(f"{name}="), plain.cast(pl.String)])
