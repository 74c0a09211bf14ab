"""First and last transaction of unbilled usage: a second, small pass over the events of the listed slices alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from billing_assets.catalog.metrics import BillableMetric, CountMetric
from billing_assets.catalog.sql.plans import SqlQuery
from billing_assets.columns import TIMESTAMP
from billing_assets.metering.events import TEXT, matches, readable, usable
from billing_assets.metering.grain import EXCEPTION, UNATTRIBUTED
from billing_assets.metering.measures import NO_METRIC, Measure, compile_measures, event_metrics, measure_of
from billing_assets.metering.states import group_json

PLACE = ("customer_ref", "usage_date")
ROW = (
    *("month", "disposition", "billable_metric_id", "customer_ref", "customer_id", "group_values", "usage_date"),
    *("reason", "product_id", "contract_id", "period_start"),
)
"""Grain of the table `unbilled_usage`."""


def with_samples(
    listed: pl.LazyFrame, events: pl.LazyFrame, metrics: Sequence[BillableMetric], now: datetime
) -> pl.LazyFrame:
    """Grain ROW, the table `unbilled_usage`: `listed` added up, with its first and last transaction.

    First and last are in order of (timestamp, transaction_id). Events are read from their JSON text, and only those of
    a listed reference and day, in an hour that has begun by `now`: a slice may reach beyond the hours it counts.
    """
    rows = listed.group_by(ROW).agg(
        pl.col("event_count").sum(),
        quantity=pl.when(pl.col("quantity").is_not_null().any()).then(pl.col("quantity").sum()),
    )
    none = next(each for each in compile_measures(metrics) if each.kind == NO_METRIC)
    reads = {
        metric.id: (measure_of(metric, metrics), isinstance(metric, CountMetric | SqlQuery))
        for metric in event_metrics(metrics)
    }
    begun = pl.col("timestamp").dt.truncate("1h") <= pl.lit(now, dtype=TIMESTAMP)
    near = (
        events.filter(begun)
        .with_columns(usage_date="event_date")
        .join(listed.select(PLACE).unique(), on=PLACE, how="semi")
    )
    parts = [
        _sampled(listed.filter(pl.col("billable_metric_id") == metric_id), near, measure, takes_all)
        for metric_id, (measure, takes_all) in reads.items()
    ]
    parts.append(_sampled(listed.filter(pl.col("billable_metric_id").is_null()), near, none, takes_all=True))
    return rows.join(pl.concat(parts), on=ROW, how="left", nulls_equal=True)


def _sampled(listed: pl.LazyFrame, events: pl.LazyFrame, measure: Measure, takes_all: bool) -> pl.LazyFrame:
    """Grain ROW: first_transaction_id and last_transaction_id of the rows of one metric."""
    is_usable = pl.lit(value=True) if takes_all else usable(measure)
    matching = (
        readable(events, [measure], frozenset())
        .filter(matches(measure))
        .select(
            *PLACE,
            "transaction_id",
            "ingest_batch",
            at="timestamp",
            group_values=group_json({name: TEXT + name for name in measure.group_key}),
            is_usable=is_usable,
        )
    )
    is_exception = pl.col("disposition") == EXCEPTION
    order = ["at", "transaction_id"]
    return (
        listed.join(matching, on=[*PLACE, "group_values"])
        .filter(
            pl.col("at") >= pl.col("window_start"),
            pl.col("at") < pl.col("window_end"),
            pl.col("ingest_batch") > pl.col("batches_after"),
            pl.col("ingest_batch") <= pl.col("batches_through"),
            (pl.col("is_usable") != is_exception) | (pl.col("disposition") == UNATTRIBUTED),
        )
        .group_by(ROW)
        .agg(
            first_transaction_id=pl.col("transaction_id").sort_by(order).first(),
            last_transaction_id=pl.col("transaction_id").sort_by(order).last(),
        )
    )
