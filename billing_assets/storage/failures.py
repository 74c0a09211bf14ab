"""What goes wrong under a table, said in terms of the lake: which table, which file, what to do next."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from billing_assets.errors import LakeError

FAILURES = (DeltaError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What deltalake and Polars raise for a file that is missing, damaged or not writable."""

_OS_ERROR = re.compile(r"\(os error (?P<number>\d+)\)")
_RESTORE = "restore the lake from a copy taken at a committed batch"


@contextmanager
def naming(table: str, uri: str, done: str) -> Iterator[None]:
    """Every failure of the storage layer as a LakeError that names the table. `done` is a participle: read, written."""
    try:
        yield
    except FAILURES as failure:
        entry = damaged_entry(Path(uri) / "_delta_log")
        if entry is not None:
            raise LakeError(f"table {table}: log entry {entry}; {_RESTORE}") from failure
        raise LakeError(f"table {table} cannot be {done} ({uri}): {reason(failure)}") from failure


def reason(failure: BaseException) -> str:
    """What the operating system said, where the failure is of the disk; else the first line of the message."""
    said = _OS_ERROR.search(str(failure))
    number = int(said["number"]) if said else failure.errno if isinstance(failure, OSError) else None
    return first_line(failure) if number is None else os.strerror(number)


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


def damaged_entry(log: Path) -> str | None:
    """The first file of a local log that cannot be read, and what is wrong with it, or None."""
    for entry in sorted(log.glob("*.json")) if log.is_dir() else ():
        try:
            for line in entry.read_text("utf-8").splitlines():
                json.loads(line)
        except (ValueError, OSError) as found:
            return f"{entry} cannot be read: {first_line(found)}"
    for entry in sorted(log.glob("*.parquet")) if log.is_dir() else ():
        try:
            pl.read_parquet(entry)
        except FAILURES as found:
            return f"{entry} cannot be read: {first_line(found)}"
    return None


def refuse_changed_files(table: str, uri: str, delta: DeltaTable) -> None:
    """Raise for a local data file that is missing or not as long as its log says. Looks at no file's content.

    A reader of Polars panics where a file is shorter than the log says.
    """
    facts = pl.DataFrame(delta.get_add_actions(flatten=True)).select("path", "size_bytes")
    for path, stated in facts.sort("path").iter_rows():
        file = Path(uri) / unquote(path)
        if not file.is_file():
            raise LakeError(f"table {table}: data file {file} cannot be read: it is missing; {_RESTORE}")
        if (found := file.stat().st_size) != stated:
            raise LakeError(
                f"table {table}: data file {file} cannot be read: {found:,} of its {stated:,} bytes; {_RESTORE}"
            )


def refuse_no_folder(root: str) -> None:
    """Raise where the lake's place is taken by something else than a folder."""
    if Path(root).exists() and not Path(root).is_dir():
        raise LakeError(f"{root}: expected the folder of the lake, found a file")


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
