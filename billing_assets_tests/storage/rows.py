"""Small valid frames for any table, so that a test states only what it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from billing_assets.schemas import TABLES

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def rows(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    """One row per mapping; columns that it leaves out are null, or a plain value where null is not allowed."""
    schema = TABLES[table].schema
    plain = {name: _plain(column.dtype) for name, column in TABLES[table].columns.items() if not column.nullable}
    return pl.DataFrame([dict.fromkeys(schema) | plain | row for row in given], schema=schema)


def events(count: int, batch: int, days: int = 3) -> pl.DataFrame:
    """`count` events spread over `days` days from 2026-01-01, of 1,000 customers, with two promoted columns."""
    number = pl.int_range(count, dtype=pl.Int64)
    step = timedelta(days=days) // count
    return pl.select(
        timestamp=pl.lit(MIDNIGHT).cast(pl.Datetime("us", "UTC")) + number * pl.lit(step),
        transaction_id=pl.format("tx-{}-{}", pl.lit(batch), number),
        customer_ref=pl.format("customer-{}", (number * 7919) % 1000),
        event_type=pl.lit("completion"),
        properties=pl.concat_str(pl.lit('{"model":"large","tokens":"'), number % 5000, pl.lit('"}')),
        ingest_batch=pl.lit(batch, dtype=pl.Int64),
        source_file=pl.lit(f"batch-{batch}.jsonl"),
        source_line=number + 1,
        arrived_at=pl.lit(MIDNIGHT).cast(pl.Datetime("us", "UTC")),
        property_model=pl.lit("large"),
        number_tokens=(number % 5000).cast(pl.Decimal(38, 12)),
    ).with_columns(event_date=pl.col("timestamp").dt.date())


def _plain(dtype: pl.DataType) -> object:
    match dtype:
        case pl.String():
            return "x"
        case pl.Date():
            return date(2026, 1, 1)
        case pl.Datetime():
            return MIDNIGHT
        case pl.Boolean():
            return False
    return 1
