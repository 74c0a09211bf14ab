"""Events without a usable value, counted for invoices that tolerate a number of them.

States count them per measure, and one event may fail several; so the events themselves are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.columns import TIMESTAMP
from billing_assets.metering.events import TEXT, matches, readable, usable
from billing_assets.metering.grain import BILLED, CODE, SLICE
from billing_assets.metering.measures import Measure, compile_measures
from billing_assets.metering.samples import PLACE
from billing_assets.metering.states import group_json

PERIOD = ("contract_id", "period_start")
FAILED = (*SLICE, "window_end", "batches_through", "usage_date", *PERIOD)
EVENT = ("transaction_id", "ingest_batch")
"""What tells events apart: an id may come again after the window of dedupe, in a later batch."""


def failed_slices(candidates: pl.LazyFrame, billed: pl.LazyFrame) -> pl.LazyFrame:
    """Grain FAILED: slices with an exception of a product's metric, in periods whose contract has a tolerance."""
    asked = billed.filter(pl.col("metric_exception_tolerance").is_not_null()).select(PERIOD)
    failed = candidates.filter(pl.col("code") == CODE[BILLED], pl.col("exception_count") > 0)
    return failed.join(asked, on=PERIOD, how="semi").select(FAILED).unique()


def exceptions_by_period(
    failed: pl.LazyFrame, events: pl.LazyFrame, metrics: Sequence[BillableMetric], now: datetime
) -> pl.LazyFrame:
    """Grain PERIOD: exception_count, each event once, however many metrics it fails.

    `events` has those of the places of `failed`, and may have others.
    """
    begun = pl.col("timestamp").dt.truncate("1h") <= pl.lit(now, dtype=TIMESTAMP)
    near = events.filter(begun).with_columns(usage_date="event_date")
    schema = failed.select(PERIOD).collect_schema() | near.select(EVENT).collect_schema()
    parts = [_failing(failed, near, each) for each in compile_measures(metrics) if each.key is not None]
    found = pl.concat([pl.LazyFrame(schema=schema), *parts])
    return found.unique().group_by(PERIOD).agg(exception_count=pl.len().cast(pl.Int64))


def _failing(failed: pl.LazyFrame, events: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    """Grain (PERIOD, EVENT, slice): the events of the slices that one measure has no value of."""
    matching = (
        readable(events, [measure], frozenset())
        .filter(matches(measure), ~usable(measure))
        .select(
            *PLACE,
            *EVENT,
            at="timestamp",
            group_values=group_json({name: TEXT + name for name in measure.group_key}),
        )
    )
    return (
        failed.filter(pl.col("measure_id") == measure.measure_id)
        .join(matching, on=[*PLACE, "group_values"])
        .filter(
            pl.col("at") >= pl.col("window_start"),
            pl.col("at") < pl.col("window_end"),
            pl.col("ingest_batch") > pl.col("batches_after"),
            pl.col("ingest_batch") <= pl.col("batches_through"),
        )
        .select(*PERIOD, *EVENT)
    )
