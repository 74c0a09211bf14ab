"""A batch's files, read, judged and laid down on local disk, so that a batch may be larger than memory.

Each chunk of a file becomes one Parquet file of `judgement.ROWS`, in parallel. A file that is damaged as a whole leaves
no rows: it is reported with what was found, and is new again when its content changes.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import polars as pl
from polars.io.plugins import register_io_source

from billing_assets.columns import TIMESTAMP
from billing_assets.ingestion.batch import IngestOutputs, Promotions, duplicates_of, outputs
from billing_assets.ingestion.dedupe import HISTORY, id_hash
from billing_assets.ingestion.judgement import ROWS, judge
from billing_assets.ingestion.lines import read_lines
from billing_assets.ingestion.tables import read_table
from billing_assets.ingestion.windows import Windows
from billing_assets.storage.failures import reason
from billing_assets.storage.sources import EventSource, Fingerprint, Format, SourceError, format_of
from billing_assets.storage.table_files import csv_chunks, parquet_chunks
from billing_assets.storage.text_files import DamagedFile, decompressed, line_chunks

FILES = pl.Schema(
    {
        "source_file": pl.String(),
        "content_hash": pl.String(),
        "size_bytes": pl.Int64(),
        "arrived_at": TIMESTAMP,
        "etag": pl.String(),
        "detail": pl.String(),
    }
)
WORKERS = 2
_SCRATCH = "billing-ingest-"
_LEFT_AFTER = 24 * 60 * 60

_Parser = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file as the batch's intent names it: this content under this name, arrived at this instant."""

    name: str
    content_hash: str
    size_bytes: int
    arrived_at: datetime
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """The rows of a batch on disk, and its files: `detail` of a file refused as a whole says why."""

    rows: pl.LazyFrame
    files: pl.DataFrame


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory on local disk; those that killed processes left more than a day ago are removed."""
    for left in Path(gettempdir()).glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_AFTER:
                shutil.rmtree(left)
    with TemporaryDirectory(prefix=_SCRATCH) as directory:
        yield Path(directory)


def stage(source: EventSource, files: Sequence[BatchFile], windows: Windows, directory: Path) -> Staged:
    """Read the batch's files into `directory`, which is empty; the same files give the same rows.

    Raises SourceError where a file cannot be read at all, for the batch to be tried again.
    """
    with ThreadPoolExecutor(WORKERS) as workers:
        details = [
            _Reader(file, windows, directory / f"{position:06}", workers).details(source)
            for position, file in enumerate(files)
        ]
    facts = [
        (file.name, file.content_hash, file.size_bytes, file.arrived_at, file.etag, detail)
        for file, detail in zip(files, details, strict=True)
    ]
    return Staged(_scan(directory), pl.DataFrame(facts, schema=FILES, orient="row"))


def settle(
    staged: Staged, history: pl.LazyFrame, windows: Windows, batch_no: int, promotions: Promotions
) -> IngestOutputs:
    """`ingest_batch` for a batch and a history that do not fit in memory.

    Both are first read for their ids alone; then the few rows that share one are compared, as a whole and once.
    """
    candidates = staged.rows.filter(pl.col("reason").is_null())
    hashes = candidates.select(id_hash()).collect().to_series().sort()
    recent = history.filter(_may_be_taken(staged.files, windows))
    ids = recent.select("transaction_id", id_hash()).join(hashes.to_frame().lazy(), on="id_hash", how="semi")
    taken = ids.select("id_hash").unique().collect().to_series()
    shared = pl.concat([hashes.filter(hashes == hashes.shift(1)), taken]).unique()
    seen = recent.filter(id_hash().is_in(taken.implode())).collect() if len(taken) else pl.DataFrame(schema=HISTORY)
    suspects = candidates.filter(id_hash().is_in(shared.implode())).collect()
    duplicates = duplicates_of(suspects.lazy(), seen.lazy(), windows, batch_no).collect()
    settled = outputs(staged.rows, staged.files.lazy(), duplicates.lazy(), batch_no, promotions)
    days = candidates.select(pl.col("timestamp").dt.date().unique().sort()).collect().to_series()
    return replace(settled, events=_day_by_day(settled.events, days))


def _day_by_day(events: pl.LazyFrame, days: pl.Series) -> pl.LazyFrame:
    """The same rows in the same order, of which never more than a day is sorted at a time."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, row_limit: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for day in days:
            # By the timestamp, whose range in each part the scan knows.
            midnight = datetime.combine(day, time_of_day(), UTC)
            rows = events.filter(pl.col("timestamp").is_between(midnight, midnight + timedelta(days=1), closed="left"))
            wanted = rows if predicate is None else rows.filter(predicate)
            found = (wanted if columns is None else wanted.select(columns)).collect()
            yield found if row_limit is None else found.head(row_limit)
            row_limit = None if row_limit is None else max(row_limit - found.height, 0)

    return register_io_source(read, schema=events.collect_schema())


def _may_be_taken(files: pl.DataFrame, windows: Windows) -> pl.Expr:
    """Whether an id of the history can be a duplicate in any of the files."""
    first = files.get_column("arrived_at").min()
    return windows.is_taken(pl.col("arrived_at"), pl.lit(first, dtype=TIMESTAMP))


@dataclass(frozen=True, slots=True)
class _Reader:
    """One file of a batch on its way to Parquet parts `<stem>-<number>.parquet`."""

    file: BatchFile
    windows: Windows
    stem: Path
    workers: ThreadPoolExecutor

    def details(self, source: EventSource) -> str | None:
        """Write the rows of the file; or none, and what is wrong with it as a whole."""
        fingerprint = Fingerprint()
        try:
            self._write_all(self._chunks(source, fingerprint))
            if fingerprint.hexdigest() != self.file.content_hash:
                raise DamagedFile("the content is not that of the batch's intent: it changed since")
        except DamagedFile as error:
            for part in self.stem.parent.glob(f"{self.stem.name}-*.parquet"):
                part.unlink()
            return str(error)
        return None

    def _chunks(self, source: EventSource, fingerprint: Fingerprint) -> Iterator[tuple[_Parser, pl.DataFrame]]:
        found = format_of(self.file.name)
        if found is None:
            raise DamagedFile("no event file by its extension")
        match found:
            case (Format.PARQUET, _):
                with source.local_copy(self.file.name, fingerprint) as path:
                    yield from ((read_table, chunk) for chunk in parquet_chunks(path))
            case (Format.CSV, compression):
                pieces = decompressed(source.read(self.file.name, fingerprint), compression)
                yield from ((read_table, chunk) for chunk in csv_chunks(pieces))
            case (Format.JSON_LINES, compression):
                pieces = decompressed(source.read(self.file.name, fingerprint), compression)
                yield from ((read_lines, chunk) for chunk in line_chunks(pieces))

    def _write_all(self, chunks: Iterator[tuple[_Parser, pl.DataFrame]]) -> None:
        """Chunks are read here and judged by the workers, a few at a time, so that memory stays bounded."""
        running: deque[Future[None]] = deque()
        try:
            for number, (parser, chunk) in enumerate(chunks):
                running.append(self.workers.submit(self._write, parser, chunk, number))
                if len(running) > WORKERS:
                    running.popleft().result()
        finally:
            for future in running:
                future.result()

    def _write(self, parser: _Parser, chunk: pl.DataFrame, number: int) -> None:
        rows = judge(parser(chunk), self.file.name, self.file.arrived_at, self.windows)
        try:
            rows.write_parquet(f"{self.stem}-{number:06}.parquet", compression="uncompressed")
        except (OSError, pl.exceptions.ComputeError) as error:
            place = f"{self.stem.parent}: {reason(error)}; TMPDIR names another place"
            raise SourceError(f"{self.file.name} cannot be laid down in {place}") from error


def _scan(directory: Path) -> pl.LazyFrame:
    parts = sorted(directory.glob("*.parquet"))
    return pl.scan_parquet(parts, schema=ROWS, glob=False) if parts else pl.LazyFrame(schema=ROWS)
