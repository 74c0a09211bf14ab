"""The table `usage`: a metric's daily increments and period-to-date values, as analysts read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric, EventMetric
from billing_assets.metering.attribution import decoded
from billing_assets.metering.cumulatives import VALUE_WINDOW, of_events, to_date
from billing_assets.metering.events import TEXT
from billing_assets.metering.grain import BILLED, CODE, NO_PRODUCT
from billing_assets.metering.measures import event_metrics, measure_of
from billing_assets.metering.states import group_json, key_json
from billing_assets.money import zero

COUNTED = (CODE[BILLED], CODE[NO_PRODUCT])
"""What counts as a contract's usage: whether or not a product takes it, but nothing that its usage filters refuse."""

SERIES = ("contract_id", "period_start", "group_values")
"""What has a value to date, of one metric and group key."""


def daily_usage(candidates: pl.LazyFrame, values: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (metric, contract, billing period, declared group key, group values, day with an event).

    `quantity` is the day's increment of `cumulative`, the period-to-date value, both before conversion and rounding.
    Rows of different group keys of a metric describe the same events.
    """
    counted = candidates.filter(pl.col("code").is_in(COUNTED), ~pl.col("is_excluded"), pl.col("is_first"))
    return pl.concat(
        [part for metric in event_metrics(metrics) for part in _of_metric(metric, metrics, counted, values)]
    )


def _of_metric(
    metric: EventMetric, metrics: Sequence[BillableMetric], counted: pl.LazyFrame, values: pl.LazyFrame
) -> Iterator[pl.LazyFrame]:
    measure = measure_of(metric, metrics)
    own = counted.filter(pl.col("billable_metric_id") == metric.id)
    combinations = decoded(own.select("measure_id", "group_values").unique(), measure)
    of_measure = values.filter(pl.col("measure_id") == measure.measure_id)
    for key in metric.group_keys or ((),):
        shown = combinations.select("group_values", shown=group_json({name: TEXT + name for name in key}))
        rows = own.join(shown, on="group_values")
        yield _days(str(metric.aggregation_type), rows, of_measure).select(
            pl.lit(metric.id).alias("billable_metric_id"),
            "customer_id",
            *SERIES,
            "usage_date",
            "quantity",
            "cumulative",
            "event_count",
            group_key=pl.lit(key_json(key)),
            month="close_month",
        )


def _days(kind: str, rows: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (series, day) of one group key, whose combination of a row is its `shown`."""
    days = (*SERIES, "usage_date")
    merged = (
        rows.with_columns(group_values="shown")
        .group_by(days)
        .agg(pl.col("customer_id", "close_month").first(), *of_events({kind}))
    )
    if kind == "UNIQUE":
        merged = merged.join(_new_by_day(values, rows), on=days, how="left")
    dated = merged.with_columns(aggregation_type=pl.lit(kind)).with_columns(
        cumulative=to_date({kind}, SERIES, "usage_date")
    )
    before = pl.col("cumulative").shift(1).over(*SERIES, order_by="usage_date").fill_null(zero())
    return dated.with_columns(quantity=pl.col("cumulative") - before)


def _new_by_day(values: pl.LazyFrame, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (series, day): new_values, the distinct values that the series' period first saw on that day."""
    owners = rows.select(*VALUE_WINDOW, "contract_id", "period_start", "usage_date", "shown").unique()
    return (
        values.join(owners, on=VALUE_WINDOW)
        .group_by("contract_id", "period_start", "shown", "value")
        .agg(pl.col("usage_date").min())
        .group_by("contract_id", "period_start", "usage_date", group_values="shown")
        .agg(new_values=pl.len().cast(pl.Int64))
    )
