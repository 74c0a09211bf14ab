"""The lake: one Delta table per entry of `schemas.TABLES`, on a local disk or an object store, written exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from billing_assets.errors import LakeError, Overtaken, SchemaBreach
from billing_assets.storage import definition, failures
from billing_assets.storage.numbering import table_app
from billing_assets.storage.ordering import in_order
from billing_assets.storage.passage import Passage
from billing_assets.storage.reading import LakeReader, spec_of
from billing_assets.storage.slices import Slice, as_filter, as_sql

Rows = pl.DataFrame | pl.LazyFrame
Action = Literal["append", "replace", "overwrite", "amend"]
Outcome = TypeVar("Outcome")

_ATTEMPTS = 12
_LABEL = "billing_batch"
_WHOLE = "overwrite"
"""Transaction id of overwrites. Two at once over a table without files remove nothing that the other needs, and would
both be taken; with it the later one fails to commit, and looks again."""
ROWS_OF_GROUP = {"events": 8_192}
"""Rows of a file that are read together, where they are few: of a sorted day a few thousand are a customer's, and an
explanation reads these and little else (docs/performance.md, Explanations)."""


def writer_of(table: str) -> WriterProperties:
    """How the files of a table are written."""
    rows = ROWS_OF_GROUP.get(table, 131_072)
    return WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=rows)


@dataclass(frozen=True, slots=True)
class WriteStep:
    """An instant at which an observer is called: before and after each commit to a table."""

    table: str
    action: Action
    instant: Literal["before", "after"]


Observer = Callable[[WriteStep], None]


@dataclass(frozen=True, slots=True)
class Appended:
    """A numbered append: the Delta version that carries it, and the highest number that the table then has.

    `rows` and `content_hash` are None where the table had the number already and nothing was written.
    """

    version: int
    reached: int
    rows: int | None = None
    content_hash: str | None = None

    @property
    def written(self) -> bool:
        return self.rows is not None


def always() -> bool:
    """Of a write that depends on nothing else."""
    return True


class Lake(LakeReader):
    """Reads and writes. Every failure below is a LakeError that names the table; nothing is left half written.

    A DataFrame is validated whole before its write; a LazyFrame is streamed, and validated as it passes.
    `on_write` observes every commit: tests stop the process there. A driver that cannot reach the constructor sets it
    on the class.
    """

    on_write: ClassVar[Observer | None] = None

    def __init__(
        self,
        root: str | Path,
        storage_options: Mapping[str, str] | None = None,
        *,
        on_write: Observer | None = None,
    ) -> None:
        super().__init__(root, storage_options)
        self._observer = on_write or type(self).on_write

    def append_batch(self, table: str, frame: Rows, sequence: str, batch_no: int, shard: str = "0") -> int:
        """Append the rows of a numbered batch exactly once; the Delta version that carries them.

        Nothing is written if the table has the batch already. Raises LakeError for a batch that is below the table's
        last one and was never committed: batches enter a table in order.
        """
        appended = self.append_fenced(table, frame, table_app(sequence, shard), batch_no)
        if appended.reached > batch_no > self.committed(sequence):
            raise LakeError(
                f"table {table} has batch {appended.reached} of {sequence} and cannot take the earlier {batch_no}"
            )
        return appended.version

    def append_once(self, table: str, frame: Rows, token: str) -> int:
        """Append rows that `token` names for ever, such as a content hash; the Delta version of the table."""
        return self.append_fenced(table, frame, token, 1).version

    def append_fenced(self, table: str, frame: Rows, app: str, number: int, *, after: int | None = None) -> Appended:
        """Append under `Transaction(app, number)`, checked and written through one DeltaTable object.

        A second writer of the number, however late, finds it there, or fails to commit and then finds it there. With
        `after`, nothing is written either unless the table's number is exactly that one (0: none yet).
        """
        passage = Passage(spec_of(table), frame, hashing=True)
        label = f"{app}:{number}"

        def attempt(opened: DeltaTable) -> Appended:
            seen = opened.transaction_version(app)
            if (seen or 0) >= number or after not in (None, seen or 0):
                return Appended(_version_of(opened, label), seen or 0)
            marks = CommitProperties(custom_metadata={_LABEL: label}, app_transactions=[Transaction(app, number)])
            self._commit(opened, passage, "append", marks=marks)
            return Appended(opened.version(), number, *passage.hashed())

        return self._retrying(passage, attempt)

    def replace_slice(
        self,
        table: str,
        frame: Rows,
        where: Slice,
        ignoring: Collection[str] = (),
        provided: Callable[[], bool] = always,
    ) -> int | None:
        """Make `frame` the rows of the slice, in one commit; its Delta version, or None if they are its rows already.

        `ignoring` names columns that do not count in that comparison, such as the instant of the computation.
        `provided` is asked before each attempt to commit. Raises Overtaken, with nothing written, if it says no, and
        SchemaBreach for a row outside the slice.
        """
        passage = Passage(spec_of(table), frame)
        outside = passage.collected().filter(~as_filter(passage.spec, where)).height
        if outside:
            raise SchemaBreach(f"table {table}: {outside} row(s) outside the slice {as_sql(passage.spec, where)}")
        return self._replace(passage, where, ignoring, provided)

    def overwrite(
        self, table: str, frame: Rows, ignoring: Collection[str] = (), provided: Callable[[], bool] = always
    ) -> int | None:
        """Make `frame` the whole table, in one commit; its Delta version, or None if it is the table already.

        `ignoring` and `provided` as of `replace_slice`.
        """
        return self._replace(Passage(spec_of(table), frame), {}, ignoring, provided)

    def amend(self, table: str, where: Slice, values: Mapping[str, str | datetime]) -> int | None:
        """Set columns of the rows of the slice, in one commit; its Delta version, or None if they have these already.

        For what happens to rows that are final, an invoice that is voided or replaced, and nothing else. Repeating it
        changes nothing.
        """
        spec = spec_of(table)
        if spec.append_only:
            raise LakeError(f"table {table} is append-only; its rows are never changed")

        def attempt(opened: DeltaTable) -> int | None:
            rows = self.collect(self.read(spec, opened).filter(as_filter(spec, where)).select(list(values)))
            if all(row == tuple(values.values()) for row in rows.rows()):
                return None
            self._observe(WriteStep(table, "amend", "before"))
            opened.update(predicate=as_sql(spec, where), new_values=dict(values))
            self._observe(WriteStep(table, "amend", "after"))
            return opened.version()

        return self._retrying(Passage(spec, spec.empty()), attempt)

    def _replace(
        self, passage: Passage, where: Slice, ignoring: Collection[str], provided: Callable[[], bool]
    ) -> int | None:
        spec, predicate = passage.spec, as_sql(passage.spec, where)
        if spec.append_only:
            raise LakeError(f"table {spec.name} is append-only; its rows are never replaced")

        def attempt(opened: DeltaTable) -> int | None:
            if not provided():
                raise Overtaken(
                    f"table {spec.name} was not written: what its rows were made from has changed meanwhile"
                )
            if self._holds(opened, passage, where, ignoring):
                return None
            self._commit(opened, passage, "replace" if predicate else "overwrite", predicate=predicate or None)
            return opened.version()

        return self._retrying(passage, attempt)

    def _holds(self, opened: DeltaTable, passage: Passage, where: Slice, ignoring: Collection[str]) -> bool:
        """Whether the stored slice is the passage's rows already."""
        compared = [name for name in passage.columns if name not in ignoring]
        stored = self.read(passage.spec, opened).filter(as_filter(passage.spec, where))
        if not set(compared) <= set(stored.collect_schema()):
            return False
        keys, rows = passage.spec.sort_keys, passage.collected()
        if self.collect(stored.select(pl.len())).item() != rows.height:
            return False
        found = in_order(self.collect(stored.select(*dict.fromkeys((*keys, *compared)))), keys)
        return found.select(compared).equals(rows.select(compared))

    def _retrying(self, passage: Passage, attempt: Callable[[DeltaTable], Outcome]) -> Outcome:
        """`attempt` on the table as of now, and again as of then where another writer came first."""
        with failures.naming(passage.spec.name, self.uri(passage.spec.name), "written"):
            for pause in range(_ATTEMPTS):
                try:
                    return attempt(self._opened_or_created(passage))
                except CommitFailedError as overtaken:
                    conflict = overtaken
                except DeltaError:
                    if passage.failure is not None:
                        raise passage.failure from None
                    raise
                time.sleep(0.01 * 1.6**pause)
            raise conflict

    def _opened_or_created(self, passage: Passage) -> DeltaTable:
        opened = self.open(passage.spec.name)
        if opened is None:
            passage.prepare()
            opened = definition.create(self.uri(passage.spec.name), passage.spec, self.storage_options)
        return opened

    def _commit(
        self,
        opened: DeltaTable,
        passage: Passage,
        action: Action,
        *,
        predicate: str | None = None,
        marks: CommitProperties | None = None,
    ) -> None:
        passage.prepare()
        definition.widen(opened, passage.spec, passage.columns)
        self._observe(WriteStep(passage.spec.name, action, "before"))
        rows, writer = passage.stream(definition.columns(opened)), writer_of(passage.spec.name)
        if action == "append":
            write_deltalake(opened, rows, mode="append", writer_properties=writer, commit_properties=marks)
        else:
            if action == "overwrite":
                marks = CommitProperties(app_transactions=[Transaction(_WHOLE, opened.version() + 1)])
            write_deltalake(
                opened, rows, mode="overwrite", predicate=predicate, writer_properties=writer, commit_properties=marks
            )
        self._observe(WriteStep(passage.spec.name, action, "after"))

    def _observe(self, step: WriteStep) -> None:
        if self._observer is not None:
            self._observer(step)


def _version_of(opened: DeltaTable, label: str) -> int:
    """The version whose commit carries `label`; the current one where the log no longer tells."""
    carrying = (commit["version"] for commit in opened.history(limit=100) if commit.get(_LABEL) == label)
    return int(next(carrying, opened.version()))
