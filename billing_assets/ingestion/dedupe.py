"""One event per transaction id: what the history already has, then the smallest of a batch (docs/semantics.md, Dedupe).

Built for a small batch against a long history: joins put the new batch, or the few rows that share an id, on the side
that is held in memory, and let the other stream past.
"""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.ingestion.properties import json_string
from billing_assets.ingestion.windows import Windows

HISTORY = pl.Schema(
    {
        "transaction_id": pl.String(),
        "customer_ref": pl.String(),
        "event_type": pl.String(),
        "timestamp": TIMESTAMP,
        "properties": pl.String(),
        "arrived_at": TIMESTAMP,
        "source_file": pl.String(),
        "source_line": pl.Int64(),
        "ingest_batch": pl.Int64(),
    }
)
"""Columns of `events` that a duplicate is compared with."""

PLACE = ["source_file", "source_line"]
WINNER = {"first_ingest_batch": pl.Int64, "conflicting": pl.Boolean, "winner_file": pl.String, "winner_line": pl.Int64}


def payload(
    customer_ref: str = "customer_ref", event_type: str = "event_type", properties: str = "properties"
) -> pl.Expr:
    """Canonical payload: the JSON text of [customer_ref, event_type, properties]; equal events have equal texts."""
    return pl.format(
        "[{},{},{}]", json_string(pl.col(customer_ref)), json_string(pl.col(event_type)), pl.col(properties)
    )


def seen_before(history: pl.LazyFrame, candidates: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `history` (columns of `HISTORY`, or only the ids) whose transaction_id a candidate has too."""
    return history.join(candidates.select("transaction_id"), on="transaction_id", how="semi")


def sharing_an_id(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """Candidates whose transaction_id another one of the batch has too, and possibly a few more.

    The ids are counted by a 64-bit hash, which costs a third of their memory; a chance hit only adds a row to look at.
    """
    id_hash = pl.col("transaction_id").hash()
    shared = candidates.group_by(id_hash=id_hash).agg(copies=pl.len()).filter(pl.col("copies") > 1)
    return candidates.with_columns(id_hash=id_hash).join(shared, on="id_hash", how="semi").drop("id_hash")


def duplicates_of_history(candidates: pl.LazyFrame, seen: pl.LazyFrame, windows: Windows) -> pl.LazyFrame:
    """Candidates whose id an earlier batch accepted inside the window; the first such batch is the winner.

    Grain: a candidate each, its columns and those of `WINNER`.
    """
    winners = seen.select(
        "transaction_id",
        winner_timestamp="timestamp",
        winner_payload=payload(),
        winner_arrived_at="arrived_at",
        first_ingest_batch="ingest_batch",
        winner_file="source_file",
        winner_line="source_line",
    )
    return (
        candidates.join(winners, on="transaction_id", how="inner")
        .filter(windows.is_taken(pl.col("winner_arrived_at"), pl.col("arrived_at")))
        .sort("first_ingest_batch", "winner_file", "winner_line")
        .unique(PLACE, keep="first", maintain_order=True)
        .with_columns(conflicting=_conflict())
        .select(*candidates.collect_schema(), *WINNER)
    )


def duplicates_of_batch(candidates: pl.LazyFrame, batch_no: int) -> pl.LazyFrame:
    """All but the smallest of each id by (timestamp, canonical payload, source file, line); grain as above."""
    order = ["timestamp", "payload", "source_file", "source_line"]
    columns = [*candidates.collect_schema()]
    ranked = candidates.with_columns(payload=payload()).sort("transaction_id", *order)
    return (
        ranked.with_columns(
            winner_timestamp=pl.col("timestamp").first().over("transaction_id"),
            winner_payload=pl.col("payload").first().over("transaction_id"),
            winner_file=pl.col("source_file").first().over("transaction_id"),
            winner_line=pl.col("source_line").first().over("transaction_id"),
            first_ingest_batch=pl.lit(batch_no, dtype=pl.Int64),
        )
        .filter((pl.col("source_file") != pl.col("winner_file")) | (pl.col("source_line") != pl.col("winner_line")))
        .with_columns(conflicting=_conflict())
        .select(*columns, *WINNER)
    )


def _conflict() -> pl.Expr:
    return (pl.col("timestamp") != pl.col("winner_timestamp")) | (payload() != pl.col("winner_payload"))
