"""What must hold of event files and their rows; each function returns the rows that break it."""

from __future__ import annotations

import polars as pl


def unbalanced_files(files: pl.LazyFrame) -> pl.LazyFrame:
    """Files whose rows are not all accepted, duplicate or rejected."""
    parts = pl.col("accepted") + pl.col("duplicates") + pl.col("rejected")
    return files.filter(pl.col("rows") != parts).select("source_file", "rows", "accepted", "duplicates", "rejected")


def lost_rows(files: pl.LazyFrame, stored: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """Ingest batches whose stored rows are not as many as `column` of their files says."""
    counted = stored.group_by("ingest_batch").agg(stored=pl.len().cast(pl.Int64))
    said = files.group_by("ingest_batch").agg(pl.col(column).sum())
    return (
        said.join(counted, on="ingest_batch", how="full", coalesce=True)
        .with_columns(pl.col(column).fill_null(0), pl.col("stored").fill_null(0))
        .filter(pl.col(column) != pl.col("stored"))
    )


def conflicting_duplicates(duplicates: pl.LazyFrame) -> pl.LazyFrame:
    """Repeated transaction ids that came with another payload or timestamp: the first was billed."""
    return duplicates.filter("conflicting").select("transaction_id", "source_file", "source_line", "ingest_batch")
