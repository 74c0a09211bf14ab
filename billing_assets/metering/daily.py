"""The table `usage`: a metric's daily increments and period-to-date values, as analysts read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric, EventMetric
from billing_assets.metering.attribution import decoded
from billing_assets.metering.cumulatives import merge, to_date
from billing_assets.metering.grain import BILLED, CODE, NO_PRODUCT, STATE_ROW
from billing_assets.metering.measures import compile_measures, event_metrics, measure_of
from billing_assets.metering.states import group_json

COUNTED = (CODE[BILLED], CODE[NO_PRODUCT])
"""What counts as a contract's usage: whether or not a product takes it, but nothing that its usage filters refuse."""

SERIES = ("billable_metric_id", "customer_id", "contract_id", "period_start", "group_key", "group_values")


def daily_usage(candidates: pl.LazyFrame, values: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (metric, contract, billing period, declared group key, group values, day with an event).

    `quantity` is the day's increment of `cumulative`, the period-to-date value, both before conversion and rounding.
    Rows of different group keys of a metric describe the same events.
    """
    counted = (
        candidates.filter(pl.col("code").is_in(COUNTED)).unique(subset=[*STATE_ROW, "billable_metric_id", "contract_id"])
    )
    labels = candidates.select("measure_id", "group_values").unique()
    parts = [part for metric in event_metrics(metrics) for part in _of_metric(metric, metrics, counted, values, labels)]
    return pl.concat(parts, how="diagonal")


def _of_metric(
    metric: EventMetric,
    metrics: Sequence[BillableMetric],
    counted: pl.LazyFrame,
    values: pl.LazyFrame,
    labels: pl.LazyFrame,
) -> Iterator[pl.LazyFrame]:
    measure = measure_of(metric, compile_measures(metrics))
    own = counted.filter(pl.col("billable_metric_id") == metric.id)
    of_measure = decoded(labels, measure)
    for key in metric.group_keys or ((),):
        shown = of_measure.select("measure_id", "group_values", shown=group_json({name: name for name in key}))
        named = own.join(shown, on=["measure_id", "group_values"]).with_columns(
            group_values="shown", group_key=pl.lit(json.dumps(sorted(key), separators=(",", ":"), ensure_ascii=False))
        )
        yield _series(metric, named, values, shown)


def _series(metric: EventMetric, named: pl.LazyFrame, values: pl.LazyFrame, shown: pl.LazyFrame) -> pl.LazyFrame:
    kinds = {str(metric.aggregation_type)}
    merged = named.group_by(*SERIES, "close_month", "usage_date").agg(merge(kinds))
    if "UNIQUE" in kinds:
        merged = merged.join(_new_by_day(values, named, shown), on=[*SERIES, "usage_date"], how="left")
    dated = merged.with_columns(aggregation_type=pl.lit(str(metric.aggregation_type))).with_columns(
        cumulative=to_date(kinds, SERIES, "usage_date")
    )
    before = pl.col("cumulative").shift(1).over(*SERIES, order_by="usage_date")
    return dated.select(
        *SERIES,
        "usage_date",
        "cumulative",
        "event_count",
        month="close_month",
        quantity=pl.when(before.is_null()).then("cumulative").otherwise(pl.col("cumulative") - before),
    )


def _new_by_day(values: pl.LazyFrame, named: pl.LazyFrame, shown: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct values by the day on which their period first saw them."""
    key = ["measure_id", "customer_ref", "group_values", "window_start"]
    owners = named.select("measure_id", "customer_ref", "window_start", *SERIES)
    relabelled = values.select(*key, "value").unique().join(shown, on=["measure_id", "group_values"]).with_columns(
        group_values="shown"
    )
    return (
        relabelled.join(owners.unique(), on=key)
        .group_by(*SERIES, "value")
        .agg(usage_date=pl.col("window_start").min().dt.date())
        .group_by(*SERIES, "usage_date")
        .agg(new_values=pl.len().cast(pl.Int64))
    )
