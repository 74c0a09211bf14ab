"""A batch of rows to the four tables of ingestion: every row ends in exactly one of the first three."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from billing_assets.ingestion.dedupe import (
    PLACE,
    duplicates_of_batch,
    duplicates_of_history,
)
from billing_assets.ingestion.properties import property_texts
from billing_assets.ingestion.windows import Windows
from billing_assets.numerals import number
from billing_assets.wording import worded

DUPLICATE = "duplicate"
EVENT_ORDER = ("event_date", "customer_ref", "timestamp", "transaction_id")


@dataclass(frozen=True, slots=True)
class Promotions:
    """Properties with columns of their own: `property_<name>` for each of `texts`, `number_<name>` for `numbers`."""

    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IngestOutputs:
    """Frames with the columns of their tables; rows = accepted + duplicates + rejected in each row of the last."""

    events: pl.LazyFrame
    rejected_events: pl.LazyFrame
    duplicate_events: pl.LazyFrame
    ingested_files: pl.LazyFrame


def ingest_batch(
    rows: pl.LazyFrame,
    files: pl.LazyFrame,
    history: pl.LazyFrame,
    windows: Windows,
    batch_no: int,
    promotions: Promotions = Promotions(),
) -> IngestOutputs:
    """The tables of a batch, from its judged rows (`judgement.ROWS`), its files and the accepted history.

    `files` has source_file, content_hash, size_bytes, arrived_at, etag, detail (null but for a file refused as a
    whole), one row per file of the batch, empty and refused ones included. `history` has `dedupe.HISTORY` of all
    earlier batches, or of the last dedupe window by arrival. The order of rows and files is irrelevant.
    """
    duplicates = duplicates_of(rows, history, windows, batch_no)
    return outputs(rows, files, duplicates, batch_no, promotions)


def duplicates_of(rows: pl.LazyFrame, history: pl.LazyFrame, windows: Windows, batch_no: int) -> pl.LazyFrame:
    """The losers of a batch; grain: a row each, with the columns of `ROWS` and of its winner.

    Rows whose id no other row and no row of the history has may be left out of both frames.
    """
    candidates = rows.filter(pl.col("reason").is_null())
    known = duplicates_of_history(candidates, history, windows)
    new = candidates.join(known.select(PLACE), on=PLACE, how="anti")
    return pl.concat([known, duplicates_of_batch(new, batch_no)])


def outputs(
    rows: pl.LazyFrame,
    files: pl.LazyFrame,
    duplicates: pl.LazyFrame,
    batch_no: int,
    promotions: Promotions,
) -> IngestOutputs:
    """The four tables, once the losers are known."""
    accepted = rows.filter(pl.col("reason").is_null()).join(duplicates.select(PLACE), on=PLACE, how="anti")
    rejected = rows.filter(pl.col("reason").is_not_null())
    return IngestOutputs(
        events=_events(accepted, batch_no, promotions),
        rejected_events=_refused(rejected, batch_no).select(*_REFUSED).sort(PLACE),
        duplicate_events=_duplicates(duplicates, batch_no),
        ingested_files=_ingested_files(files, rows, accepted, duplicates, batch_no),
    )


def _events(accepted: pl.LazyFrame, batch_no: int, promotions: Promotions) -> pl.LazyFrame:
    return (
        accepted.with_columns(event_date=pl.col("timestamp").dt.date())
        .pipe(_with_promoted, promotions)
        .select(
            "event_date",
            "transaction_id",
            "customer_ref",
            "event_type",
            "timestamp",
            "properties",
            _batch(batch_no),
            "source_file",
            "source_line",
            "arrived_at",
            *(f"property_{name}" for name in sorted(promotions.texts)),
            *(f"number_{name}" for name in sorted(promotions.numbers)),
        )
        .sort(EVENT_ORDER)
    )


def _with_promoted(accepted: pl.LazyFrame, promotions: Promotions) -> pl.LazyFrame:
    """The promoted columns; a number that is none, or that no DECIMAL holds, is null."""
    names = sorted(promotions.texts | promotions.numbers)
    if not names:
        return accepted
    parsed = accepted.with_columns(promoted=property_texts(pl.col("properties"), names))
    text = pl.col("promoted").struct
    return parsed.with_columns(
        *(text.field(name).alias(f"property_{name}") for name in promotions.texts),
        *(number(text.field(name)).alias(f"number_{name}") for name in promotions.numbers),
    )


_REFUSED = (
    "arrival_date",
    "reason",
    "detail",
    "raw",
    "source_file",
    "source_line",
    "transaction_id",
    "arrived_at",
    "ingest_batch",
)


def _refused(rows: pl.LazyFrame, batch_no: int) -> pl.LazyFrame:
    return rows.with_columns(_batch(batch_no), arrival_date=pl.col("arrived_at").dt.date())


def _duplicates(duplicates: pl.LazyFrame, batch_no: int) -> pl.LazyFrame:
    return (
        _refused(duplicates, batch_no)
        .with_columns(
            reason=pl.lit(DUPLICATE),
            detail=worded("accepted from {}:{} in batch {}", "winner_file", "winner_line", "first_ingest_batch"),
        )
        .select(*_REFUSED, "first_ingest_batch", "conflicting")
        .sort(PLACE)
    )


def _ingested_files(
    files: pl.LazyFrame, rows: pl.LazyFrame, accepted: pl.LazyFrame, duplicates: pl.LazyFrame, batch_no: int
) -> pl.LazyFrame:
    """A row per file, also of one without rows. The counts are made apart, so that their equation is a check."""
    is_rejected = pl.col("reason").is_not_null()
    tallies = (
        rows.group_by("source_file").agg(rows=pl.len(), rejected=is_rejected.sum()),
        duplicates.group_by("source_file").agg(duplicates=pl.len()),
        accepted.group_by("source_file").agg(
            accepted=pl.len(), first_timestamp=pl.col("timestamp").min(), last_timestamp=pl.col("timestamp").max()
        ),
    )
    for tally in tallies:
        files = files.join(tally, on="source_file", how="left")
    return (
        files.with_columns(pl.col(_COUNTS).fill_null(0).cast(pl.Int64))
        .with_columns(_batch(batch_no))
        .select(*_FILE, *_COUNTS, "first_timestamp", "last_timestamp", "ingest_batch", "etag", "detail")
        .sort("source_file")
    )


_FILE = ("source_file", "content_hash", "size_bytes", "arrived_at")
_COUNTS = ("rows", "accepted", "duplicates", "rejected")


def _batch(batch_no: int) -> pl.Expr:
    return pl.lit(batch_no, dtype=pl.Int64).alias("ingest_batch")
