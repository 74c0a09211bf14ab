"""A frame on its way into a table: checked and hashed slice by slice, handed to Delta as one Arrow stream."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader

from billing_assets.schemas import TableSpec
from billing_assets.storage.content import ContentHash
from billing_assets.storage.ordering import in_order
from billing_assets.storage.validation import ROWS_A_SLICE, checked, conform


class Passage:
    """One frame for one table; columns and dtypes are checked here, values before or while they pass.

    A DataFrame is checked whole before anything is written; a LazyFrame streams, and a breach in its middle ends the
    write before its commit. `failure` is what ended the last stream.
    """

    def __init__(self, spec: TableSpec, frame: pl.DataFrame | pl.LazyFrame, *, hashing: bool = False) -> None:
        self.spec = spec
        self.hashing = hashing
        self.streams = isinstance(frame, pl.LazyFrame)
        self.unordered = conform(spec, frame.lazy())
        self.columns = self.unordered.collect_schema().names()
        self.failure: BaseException | None = None
        self._rows: pl.DataFrame | None = None
        self._hash: ContentHash | None = None

    def prepare(self) -> None:
        """All that can be checked before a write."""
        if not self.streams:
            self.collected()

    def collected(self) -> pl.DataFrame:
        """All rows at once, checked."""
        if self._rows is None:
            self._rows = checked(self.spec, in_order(self.unordered.collect(), self.spec.sort_keys))
        return self._rows

    def hashed(self) -> tuple[int, str]:
        """Count and content hash of the rows; computed here if no write has done it."""
        self.hashing = True
        if self._hash is None:
            for _ in self._slices():
                pass
        assert self._hash is not None
        return self._hash.rows, self._hash.hexdigest()

    def stream(self, shape: pl.Schema) -> RecordBatchReader:
        """The rows for one attempt to write them, in the columns of the stored table; those it has besides are null."""
        absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in shape.items() if name not in self.columns]
        columns = [*self.columns, *(name for name in shape if name not in self.columns)]
        arrow_schema = RecordBatchReader.from_arrow(pl.DataFrame(schema={name: shape[name] for name in columns})).schema
        return RecordBatchReader.from_batches(arrow_schema, self._arrow(absent))

    def _arrow(self, absent: list[pl.Expr]) -> Iterator[RecordBatch]:
        try:
            for rows in self._slices():
                yield from RecordBatchReader.from_arrow(rows.with_columns(absent))
        except BaseException as failure:
            self.failure = failure  # Arrow's C interface passes on its text only
            raise

    def _slices(self) -> Iterator[pl.DataFrame]:
        passing = ContentHash(self.spec)
        for rows in self._parts():
            if self.hashing:
                passing.add(rows)
            yield rows
        self._hash = passing if self.hashing else None

    def _parts(self) -> Iterator[pl.DataFrame]:
        if self.streams and self._rows is None:
            ordered = self.unordered.sort(self.spec.sort_keys, nulls_last=False)
            for rows in ordered.collect_batches(maintain_order=True, chunk_size=ROWS_A_SLICE):
                yield checked(self.spec, rows)
        else:
            yield from self.collected().iter_slices(ROWS_A_SLICE)
