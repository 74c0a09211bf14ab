"""What goes wrong under a table, said in terms of the lake: which table, which file, what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from billing_assets.errors import LakeError

FAILURES = (DeltaError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What deltalake and Polars raise for a file that is missing, damaged or not writable."""

_RESTORE = "restore the lake from a copy taken at a committed batch"


@contextmanager
def naming(table: str, uri: str, done: str) -> Iterator[None]:
    """Every failure of the storage layer as a LakeError that names the table. `done` is a participle: read, written."""
    try:
        yield
    except FAILURES as failure:
        raise LakeError(f"table {table} cannot be {done} ({uri}): {first_line(failure)}") from failure


def first_line(failure: BaseException) -> str:
    """The message without the stack of Rust frames that some carry."""
    lines = [line for line in str(failure).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(failure).__name__


def is_overflow(failure: BaseException) -> bool:
    """Whether Polars has computed a number that no Decimal(38, 12) holds."""
    return isinstance(failure, pl.exceptions.PolarsError) and "overflow in decimal" in str(failure)


def refuse_damaged_log(table: str, uri: str) -> None:
    """Raise for a local log with an empty entry, as a power cut leaves it; deltalake takes it for an empty commit."""
    log = Path(uri) / "_delta_log"
    if not log.is_dir():
        return
    for entry in log.glob("*.json"):
        if entry.stat().st_size == 0:
            raise LakeError(f"table {table}: log entry {entry} is empty, so rows of it are lost; {_RESTORE}")


def refuse_lost_log(table: str, uri: str) -> None:
    """Raise for a local folder with data files and no log; it must not pass for a table that was never written."""
    if any(Path(uri).rglob("*.parquet")):
        raise LakeError(f"table {table}: {uri} holds data files and no Delta log; {_RESTORE}")


def damaged_file(table: str, delta: DeltaTable, read: Callable[[str], pl.LazyFrame]) -> str | None:
    """What is wrong with the first data file of the table that cannot be read, or None. Reads every file once."""
    for file in delta.file_uris():
        try:
            rows = sum(part.height for part in read(file).collect_batches(chunk_size=100_000))
            stated = read(file).select(pl.len()).collect().item()
        except FAILURES as failure:
            return f"table {table}: data file {file} cannot be read: {first_line(failure)}; {_RESTORE}"
        # A reader that fails in a thread of its own ends the batches as if the file did.
        if rows != stated:
            return f"table {table}: data file {file} cannot be read: {rows:,} of its {stated:,} rows; {_RESTORE}"
    return None
