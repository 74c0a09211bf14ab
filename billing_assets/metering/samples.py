"""First and last transaction of unbilled usage: a second, small pass over the events of the listed rows alone."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.metering.events import TEXT, matches, readable, usable
from billing_assets.metering.grain import EXCEPTION, UNATTRIBUTED
from billing_assets.metering.measures import NO_METRIC, Measure, compile_measures, event_metrics, measure_of
from billing_assets.metering.states import group_json

SLICE = ("customer_ref", "usage_date")


def with_samples(listed: pl.LazyFrame, events: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """`listed` with first_transaction_id and last_transaction_id, in order of (timestamp, transaction_id).

    Events are read from their JSON text, and only those of a listed reference and day.
    """
    measures = compile_measures(metrics)
    none = next(one for one in measures if one.kind == NO_METRIC)
    parts = [
        _sampled(listed.filter(pl.col("billable_metric_id") == metric.id), events, measure_of(metric, measures))
        for metric in event_metrics(metrics)
    ]
    parts.append(_sampled(listed.filter(pl.col("billable_metric_id").is_null()), events, none))
    return pl.concat(parts)


KEY = ("disposition", "customer_ref", "group_values", "usage_date", "reason", "product_id", "contract_id",
       "period_start", "billable_metric_id", "customer_id", "month")  # fmt: skip


def _sampled(rows: pl.LazyFrame, events: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    """The rows of one metric, each with the first and last of its events."""
    texts = {name: TEXT + name for name in measure.group_key}
    near = events.with_columns(usage_date="event_date").join(rows.select(SLICE).unique(), on=SLICE, how="semi")
    matching = (
        readable(near, [measure], frozenset())
        .filter(matches(measure))
        .select(
            *SLICE,
            "timestamp",
            "transaction_id",
            group_values=group_json(texts),
            hour=pl.col("timestamp").dt.truncate("1h"),
            is_usable=usable(measure),
        )
    )
    # Of a day with several dispositions only the hours of the row are its own.
    own = pl.col("hour").is_between(pl.col("first_hour"), pl.col("last_hour"))
    wants_exception = pl.col("disposition") == EXCEPTION
    kind = (pl.col("is_usable") != wants_exception) | (pl.col("disposition") == UNATTRIBUTED)
    order = ["timestamp", "transaction_id"]
    found = (
        rows.join(matching, on=[*SLICE, "group_values"])
        .filter(own, kind)
        .group_by(KEY)
        .agg(
            first_transaction_id=pl.col("transaction_id").sort_by(order).first(),
            last_transaction_id=pl.col("transaction_id").sort_by(order).last(),
        )
    )
    return rows.join(found, on=KEY, how="left", nulls_equal=True)
