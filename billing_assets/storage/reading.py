"""The reading half of the lake: open a table, scan it up to a watermark, name the file that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from billing_assets.errors import LakeError, Overflow, UsageError
from billing_assets.schemas import TABLES, TableSpec
from billing_assets.storage import failures
from billing_assets.storage.numbering import batches_app, last_committed


class Mark(NamedTuple):
    """Where the log of a local table ended: its last entry, the name of the next, and the last one's file."""

    last: str
    following: str
    file: tuple[int, int, int]


@dataclass(slots=True)
class Seen:
    """A table as it was opened, never to be written through; `rows`: its scan, once there is one. mark: None where
    nothing tells whether it has gone on since, in an object store."""

    opened: DeltaTable
    mark: Mark | None
    rows: pl.LazyFrame | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing was committed since."""
        if self.mark is None:
            return False
        return not os.path.exists(self.mark.following) and _file(self.mark.last) == self.mark.file


def mark_of(uri: str, version: int) -> Mark | None:
    """The end of a local log at a version; None if its entry is not there any more."""
    last, following = (f"{uri}/_delta_log/{number:020}.json" for number in (version, version + 1))
    file = _file(last)
    return None if file is None else Mark(last, following, file)


def _file(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class LakeReader:
    """Tables under `root`, a directory or an object-store URL; `storage_options` as deltalake takes them.

    Every call reads a table as of that call. A local one is opened again only where its log has gone on since.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.is_local = "://" not in str(root)
        self.root = str(Path(root).absolute()) if self.is_local else str(root).rstrip("/")
        self.storage_options = dict(storage_options or {})
        self._scanned: set[str] = set()
        self._sound: dict[str, int] = {}
        self._seen: dict[str, Seen] = {}

    def uri(self, table: str) -> str:
        return f"{self.root}/{spec_of(table).name}"

    def exists(self, table: str) -> bool:
        return self.seen(table) is not None

    def version(self, table: str) -> int | None:
        """Delta version of the table; None if it does not exist."""
        seen = self.seen(table)
        return None if seen is None else seen.opened.version()

    def state(self, table: str) -> str:
        """Names what is in the table as of now: by its version, and its id, which one made anew does not share."""
        seen = self.seen(table)
        return "" if seen is None else f"{seen.opened.metadata().id} {seen.opened.version()}"

    def seen(self, table: str) -> Seen | None:
        """The table as of now, to be read only; None if it does not exist. Raises LakeError for a damaged log."""
        seen = self._seen.get(table)
        if seen is None or not seen.is_last:
            opened = self.open(table)
            if opened is None:
                return None
            seen = self._seen[table] = Seen(
                opened, mark_of(self.uri(table), opened.version()) if self.is_local else None
            )
        return seen

    def open(self, table: str) -> DeltaTable | None:
        """The table as of now, to be written or maintained; None if it does not exist. Raises LakeError for a damaged
        log."""
        uri = self.uri(table)
        with failures.naming(table, uri, "read"):
            if self.is_local:
                failures.refuse_damaged_log(table, uri)
            try:
                return DeltaTable(uri, storage_options=self.storage_options)
            except TableNotFoundError:
                if self.is_local:
                    failures.refuse_no_folder(self.root)
                    failures.refuse_lost_log(table, uri)
                return None

    def refuse_damage(self) -> None:
        """Raise LakeError for a table of the lake with a damaged log, or a data file that is missing or cut short."""
        for table in TABLES:
            opened = self.open(table)  # with its whole log
            if opened is not None:
                self._refuse_changed_files(table, opened)

    def transaction(self, table: str, app: str) -> int | None:
        """The highest number that the table has under the transaction id `app`; None before the first."""
        seen = self.seen(table)
        return None if seen is None else seen.opened.transaction_version(app)

    def committed(self, sequence: str) -> int:
        """The last committed batch of a sequence, 0 before the first."""
        return last_committed(self.transaction("batches", batches_app(sequence)))

    def scan(self, table: str, *filters: pl.Expr, through: Mapping[str, int] | None = None) -> pl.LazyFrame:
        """The table as of this call, lazily, with every column of its model; typed and empty if it does not exist.

        A numbered table shows the rows of committed batches only, unless `through` says up to which number of which
        column (`{"ingest_batch": 7}`) to read; an empty mapping reads everything.
        """
        spec = spec_of(table)
        limits = self._limits(spec, through)  # before the table: what is committed then is in it
        seen = self.seen(table)
        if seen is None:
            return spec.empty().filter(*limits, *filters)
        self._scanned.add(table)
        if seen.rows is None:
            seen.rows = self.read(spec, seen.opened)
        return seen.rows.filter(*limits, *filters)

    def read(self, spec: TableSpec, opened: DeltaTable) -> pl.LazyFrame:
        """All rows of an opened table, columns that it lacks as null."""
        self._scanned.add(spec.name)
        self._refuse_changed_files(spec.name, opened)
        with failures.naming(spec.name, self.uri(spec.name), "read"):
            rows = pl.scan_delta(opened, storage_options=self.storage_options or None, credential_provider=None)
            found = rows.collect_schema()
        for name, dtype in found.items():
            expected = spec.column(name)
            if expected is not None and expected.dtype != dtype:
                raise LakeError(f"table {spec.name}: column {name} is {dtype}, expected {expected.dtype}")
        return spec.complete(rows)

    def _refuse_changed_files(self, table: str, opened: DeltaTable) -> None:
        """Once for each version of a local table."""
        if self.is_local and self._sound.get(table) != opened.version():
            failures.refuse_changed_files(table, self.uri(table), opened)
            self._sound[table] = opened.version()

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """`frame.collect()`, where a damaged or missing file of a scanned table is a LakeError that names it."""
        with self.reading():
            return frame.collect()

    def collect_all(self, frames: Mapping[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
        """Several frames in one pass over what they share, by name."""
        with self.reading():
            return dict(zip(frames, pl.collect_all(frames.values()), strict=True))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around any collect of frames scanned here: on a failure, look for the file that causes it."""
        try:
            yield
        except failures.FAILURES as failure:
            if failures.is_overflow(failure):
                raise Overflow("a sum or a product has more than 26 digits before its decimal point") from failure
            damage = self._damage()
            if damage is None:
                raise
            raise LakeError(damage) from failure

    def _damage(self) -> str | None:
        read = partial(pl.scan_parquet, storage_options=self.storage_options or None, credential_provider=None)
        for table in sorted(self._scanned):
            opened = self.open(table)
            damage = failures.damaged_file(table, opened, read) if opened is not None else None
            if damage is not None:
                return damage
        return None

    def _limits(self, spec: TableSpec, through: Mapping[str, int] | None) -> list[pl.Expr]:
        if through is None:
            numbering = spec.numbering
            through = {numbering.column: self.committed(numbering.sequence)} if numbering else {}
        unknown = [column for column in through if column not in spec.columns]
        if unknown:
            raise UsageError(f"table {spec.name} has no column {unknown[0]!r} to read through")
        return [pl.col(column) <= last for column, last in through.items()]


def spec_of(table: str) -> TableSpec:
    """The table's specification. Raises UsageError for a name that is none."""
    if table not in TABLES:
        raise UsageError(f"the lake has no table {table!r}; it has {', '.join(TABLES)}")
    return TABLES[table]
