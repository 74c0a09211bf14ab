"""Readings to rows: each is a candidate event, or has the reason why it is none."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.ingestion.readings import cut_raw
from billing_assets.ingestion.reasons import Reason
from billing_assets.ingestion.timestamps import utc
from billing_assets.ingestion.windows import Windows
from billing_assets.wording import worded

MAX_ID = 128
MAX_DETAIL = 500

ROWS = pl.Schema(
    {
        "source_file": pl.String(),
        "source_line": pl.Int64(),
        "arrived_at": TIMESTAMP,
        "transaction_id": pl.String(),
        "customer_ref": pl.String(),
        "event_type": pl.String(),
        "timestamp": TIMESTAMP,
        "properties": pl.String(),
        "raw": pl.String(),
        "reason": pl.String(),
        "detail": pl.String(),
    }
)
"""One row per input row: a candidate where `reason` is null, else a reject."""


def judge(readings: pl.DataFrame, source_file: str, arrived_at: datetime, windows: Windows) -> pl.DataFrame:
    """`ROWS` of a file's readings. The order of the checks is that of `Reason`; the first one that fails counts."""
    arrival = pl.lit(arrived_at, dtype=TIMESTAMP)
    timestamp = pl.col("timestamp")
    return (
        readings.with_columns(timestamp=utc(pl.col("timestamp_text")), first=pl.col("reason"))
        .with_columns(reason=pl.coalesce("first", _reason_of_texts(), windows.reason(timestamp, arrival)))
        .with_columns(
            source_file=pl.lit(source_file),
            arrived_at=arrival,
            detail=_detail(windows, arrival).str.head(MAX_DETAIL),
            transaction_id=pl.col("transaction_id").str.head(MAX_ID),
            raw=cut_raw(pl.col("raw")),
        )
        .match_to_schema(ROWS, extra_columns="ignore")
    )


def _reason_of_texts() -> pl.Expr:
    return (
        pl.when(~pl.col("transaction_id").str.len_chars().is_between(1, MAX_ID))
        .then(pl.lit(Reason.BAD_TRANSACTION_ID.value))
        .when(pl.col("event_type") == "")
        .then(pl.lit(Reason.EMPTY_EVENT_TYPE.value))
        .when(pl.col("timestamp").is_null())
        .then(pl.lit(Reason.INVALID_TIMESTAMP.value))
    )


def _detail(windows: Windows, arrival: pl.Expr) -> pl.Expr:
    reason = pl.col("reason")
    outside = pl.when(reason.is_in([Reason.FUTURE_TIMESTAMP.value, Reason.TOO_OLD.value])).then(pl.col("timestamp"))
    length = pl.when(reason == Reason.BAD_TRANSACTION_ID.value).then(pl.col("transaction_id").str.len_chars())
    return (
        pl.when(pl.col("first").is_not_null())
        .then(pl.col("detail"))
        .when(length.is_not_null())
        .then(worded("{} characters", length))
        .when(reason == Reason.INVALID_TIMESTAMP.value)
        .then(pl.col("timestamp_text"))
        .when(outside.is_not_null())
        .then(windows.detail(outside, arrival))
    )
