"""One event per transaction id: what the history already has, then the smallest of a batch (docs/semantics.md, Dedupe).

Built for a batch against a long history, neither of which fits in memory: `id_hash` tells the few rows that can matter
(`storage.staging` collects them), and only those are joined and sorted.
"""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.ingestion.properties import json_string
from billing_assets.ingestion.windows import Windows
from billing_assets.wording import worded

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
    return worded("[{},{},{}]", json_string(pl.col(customer_ref)), json_string(pl.col(event_type)), pl.col(properties))


def id_hash() -> pl.Expr:
    """64 bits of a transaction_id, a third of its memory. Only used to leave most rows out before ids are compared."""
    return pl.col("transaction_id").hash().alias("id_hash")


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
