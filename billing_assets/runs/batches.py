"""Numbered batches that roll forward: the effect of a run over several Delta tables, exactly once.

A batch is opened by an INTENT row that fixes everything its result depends on, enters each table in one fenced commit,
in one order, and ends with a COMMITTED row (docs/architecture.md, Commit protocol). A killed batch is finished from its
intent by whoever comes next; two processes on one batch write the same rows, once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from billing_assets import __version__
from billing_assets.errors import BatchConflict, InvariantBreach
from billing_assets.runs.protocol import NOTHING, PROTOCOL, Author, Intent, batch_row, encode, standing_row
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake, Rows
from billing_assets.storage.numbering import (
    MAX_ATTEMPT,
    batches_app,
    committed_number,
    intent_number,
    last_committed,
    table_app,
)
from billing_assets.storage.passage import Passage

Propose = Callable[[int], Intent | None]
"""Given the number of a batch to open: its intent from what is committed now; None where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """What a batch put into a table: rows, their content hash, the Delta version of the commit."""

    rows: int
    content_hash: str
    version: int


@dataclass
class Batch:
    """An open batch. `intent` is what its INTENT row says, decoded, so that a first run reads what a resumed one reads.

    `results` grows with each table written; `is_resumed` tells that it was found open.
    """

    lake: Lake
    sequence: str
    batch_no: int
    attempt: int
    intent: Intent
    author: Author
    opened_by_engine: str
    is_resumed: bool = False
    results: dict[str, TableResult] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.intent["kind"])

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the batch may enter, in order."""
        return PROTOCOL[self.sequence, self.kind]

    def write(self, table: str, frame: Rows) -> TableResult:
        """Append `frame` to the table in the batch's one commit there. A table that gets nothing may be left out.

        Where the table has the batch already, its rows must be these; InvariantBreach if they are not, since the
        result of a batch is a function of its intent. BatchConflict if another engine has replaced the intent.
        """
        self._refuse_disorder(table)
        self._refuse_replaced()
        appended = self.lake.append_fenced(table, frame, table_app(self.sequence, "0"), self.batch_no)
        if appended.rows is None or appended.content_hash is None:
            result = self._found(table, frame, appended.version)
        else:
            result = TableResult(appended.rows, appended.content_hash, appended.version)
        self.results[table] = result
        return result

    def commit(self, summary: Mapping[str, Any] | None = None) -> None:
        """Write the COMMITTED row: the results per table, and `summary`. From here on readers see the batch."""
        content = {"tables": {table: asdict(result) for table, result in self.results.items()}, **(summary or {})}
        row = batch_row(self.sequence, self.batch_no, self.attempt, self.author, result=encode(content))
        number, ours = committed_number(self.batch_no), intent_number(self.batch_no, self.attempt)
        if not self.lake.append_fenced("batches", row, batches_app(self.sequence), number, after=ours).written:
            self._refuse_replaced()

    def _refuse_disorder(self, table: str) -> None:
        done = max((self.tables.index(each) for each in self.results), default=-1)
        if table not in self.tables[done + 1 :]:
            raise ValueError(f"a {self.kind} batch enters {', '.join(self.tables)}, in this order; not {table} now")

    def _refuse_replaced(self) -> None:
        """Raise unless this batch's intent stands: as the last one, or as the one that was committed."""
        standing = standing_row(self.lake, self.sequence, self.batch_no)
        if standing is None or standing["attempt"] != self.attempt:
            other = standing["engine_version"] if standing else "unknown"
            raise BatchConflict(
                f"batch {self.batch_no} of {self.sequence} was opened anew by engine {other} while this process, with "
                f"engine {self.author.engine_version}, worked on it; run the command again"
            )

    def _found(self, table: str, frame: Rows, version: int) -> TableResult:
        """The result of a table that has the batch already, compared with what this process would have written."""
        spec = TABLES[table]
        assert spec.numbering is not None, table
        column = spec.numbering.column
        stored = self.lake.scan(table, pl.col(column) == self.batch_no, through={column: self.batch_no})
        rows, content_hash = Passage(spec, frame).hashed()
        with self.lake.reading():
            found = Passage(spec, stored).hashed()
        if found != (rows, content_hash):
            raise InvariantBreach(
                f"table {table} has {found[0]} row(s) of batch {self.batch_no} of {self.sequence}, which differ from "
                f"the {rows} row(s) that its intent gives now; `billing check` lists them"
            )
        return TableResult(rows, content_hash, version)


def begin(
    lake: Lake,
    sequence: str,
    propose: Propose,
    finish: Callable[[Batch], None],
    *,
    clock: Callable[[], datetime],
    by: str | None = None,
    engine_version: str = __version__,
) -> Batch | None:
    """The next batch of the sequence, opened; None where `propose` sees nothing to do.

    A batch that is not committed is finished first: `finish` writes and commits it from its intent. `propose` is asked
    again where another process came first. Raises BatchConflict where the unfinished batch is another engine's and has
    already reached a table.
    """
    author = Author(clock, by, engine_version)
    while True:
        pending = unfinished(lake, sequence, author)
        if pending is None:
            batch_no = lake.committed(sequence) + 1
            intent = propose(batch_no)
            opened = None if intent is None else _open(lake, sequence, batch_no, 0, intent, author)
            if intent is None or opened is not None:
                return opened
        elif pending.opened_by_engine == engine_version:
            _finish(pending, finish)
        else:
            opened = _reopen(pending, propose)
            if opened is not None and opened.kind != NOTHING:
                return opened


def run(
    lake: Lake,
    sequence: str,
    propose: Propose,
    finish: Callable[[Batch], None],
    *,
    clock: Callable[[], datetime],
    by: str | None = None,
    engine_version: str = __version__,
) -> Batch | None:
    """`begin`, and `finish` of what it opened; the committed batch, or None where there was nothing to do."""
    batch = begin(lake, sequence, propose, finish, clock=clock, by=by, engine_version=engine_version)
    if batch is not None:
        _finish(batch, finish)
    return batch


def unfinished(lake: Lake, sequence: str, author: Author) -> Batch | None:
    """The last batch of the sequence if it is not committed, as its last intent says."""
    number = lake.transaction("batches", batches_app(sequence))
    batch_no = last_committed(number) + 1
    row = None if number is None else standing_row(lake, sequence, batch_no)
    if row is None or row["state"] == "COMMITTED":
        return None
    intent = json.loads(row["intent"])
    return Batch(lake, sequence, batch_no, row["attempt"], intent, author, row["engine_version"], is_resumed=True)


def _finish(batch: Batch, finish: Callable[[Batch], None]) -> None:
    finish(batch)
    if batch.lake.committed(batch.sequence) < batch.batch_no:
        raise InvariantBreach(f"batch {batch.batch_no} of {batch.sequence} was left without its commit")


def _open(lake: Lake, sequence: str, batch_no: int, attempt: int, intent: Intent, author: Author) -> Batch | None:
    """Write the INTENT row; None where another process has written one for the batch."""
    if (sequence, intent["kind"]) not in PROTOCOL:
        raise ValueError(f"sequence {sequence} has no batches of kind {intent['kind']!r}")
    text = encode(intent)
    before = intent_number(batch_no, attempt - 1) if attempt else committed_number(batch_no - 1)
    row, number = batch_row(sequence, batch_no, attempt, author, intent=text), intent_number(batch_no, attempt)
    appended = lake.append_fenced("batches", row, batches_app(sequence), number, after=before)
    if not appended.written:
        return None
    return Batch(lake, sequence, batch_no, attempt, json.loads(text), author, author.engine_version)


def _reopen(pending: Batch, propose: Propose) -> Batch | None:
    """Replace the intent of another engine, as long as no table has the batch; None where another process did."""
    lake, theirs, ours = pending.lake, pending.opened_by_engine, pending.author.engine_version
    app = table_app(pending.sequence, "0")
    reached = [table for table in pending.tables if (lake.transaction(table, app) or 0) >= pending.batch_no]
    if reached or pending.attempt >= MAX_ATTEMPT:
        raise BatchConflict(
            f"batch {pending.batch_no} of {pending.sequence} was opened by engine {theirs} and has reached "
            f"{', '.join(reached)}; this is engine {ours}. Finish it with {theirs}, by the same command, then go on"
        )
    intent = propose(pending.batch_no) or {"kind": NOTHING}
    opened = _open(lake, pending.sequence, pending.batch_no, pending.attempt + 1, intent, pending.author)
    if opened is not None and opened.kind == NOTHING:
        opened.commit()
    return opened
