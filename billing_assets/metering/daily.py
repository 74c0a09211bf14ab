"""The table `usage`: a metric's daily increments and period-to-date values, as analysts read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric, EventMetric
from billing_assets.metering.attribution import decoded
from billing_assets.metering.cumulatives import VALUE_WINDOW, of_events, to_date
from billing_assets.metering.events import TEXT
from billing_assets.metering.grain import BILLED, CODE, NO_PRODUCT, SLICE_OF_METRIC
from billing_assets.metering.measures import event_metrics, measure_of
from billing_assets.metering.slices import STATISTICS
from billing_assets.metering.states import group_json, key_json
from billing_assets.money import zero

COUNTED = (CODE[BILLED], CODE[NO_PRODUCT])
"""What counts as a contract's usage: whether or not a product takes it, but nothing that its usage filters refuse."""

SERIES = ("billable_metric_id", "customer_id", "contract_id", "period_start", "group_key", "group_values")


def daily_usage(candidates: pl.LazyFrame, values: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (metric, contract, billing period, declared group key, group values, day with an event).

    `quantity` is the day's increment of `cumulative`, the period-to-date value, both before conversion and rounding.
    Rows of different group keys of a metric describe the same events.
    """
    counted = (
        candidates.filter(pl.col("code").is_in(COUNTED), ~pl.col("is_excluded"))
        .select(
            *SLICE_OF_METRIC,
            *("customer_id", "contract_id", "period_start", "close_month", "usage_date"),
            *("event_count", "exception_count"),
            *STATISTICS,
        )
        .unique(subset=[*SLICE_OF_METRIC, "contract_id"])
    )
    parts = [part for metric in event_metrics(metrics) for part in _of_metric(metric, metrics, counted, values)]
    return pl.concat(parts, how="diagonal")


def _of_metric(
    metric: EventMetric, metrics: Sequence[BillableMetric], counted: pl.LazyFrame, values: pl.LazyFrame
) -> Iterator[pl.LazyFrame]:
    measure = measure_of(metric, metrics)
    own = counted.filter(pl.col("billable_metric_id") == metric.id)
    combinations = decoded(own.select("measure_id", "group_values").unique(), measure)
    for key in metric.group_keys or ((),):
        shown = combinations.select("group_values", shown=group_json({name: TEXT + name for name in key}))
        named = own.join(shown, on="group_values").with_columns(group_key=pl.lit(key_json(key)))
        yield _series(metric, named, values.filter(pl.col("measure_id") == measure.measure_id))


def _series(metric: EventMetric, named: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """Daily rows of one group key, whose combinations are `shown` in `named`."""
    kinds = {str(metric.aggregation_type)}
    series = {"group_values": pl.col("shown"), **{name: pl.col(name) for name in SERIES if name != "group_values"}}
    days = (*SERIES, "usage_date")
    merged = named.with_columns(group_values="shown").group_by(*days, "close_month").agg(of_events(kinds))
    if "UNIQUE" in kinds:
        owners = named.select(
            *VALUE_WINDOW, "usage_date", **{f"of:{name}": each for name, each in series.items()}
        ).unique()
        merged = merged.join(_new_by_day(values, owners), on=days, how="left")
    dated = merged.with_columns(aggregation_type=pl.lit(str(metric.aggregation_type))).with_columns(
        cumulative=to_date(kinds, SERIES, "usage_date")
    )
    before = pl.col("cumulative").shift(1).over(*SERIES, order_by="usage_date").fill_null(zero())
    return dated.select(
        *SERIES,
        "usage_date",
        "cumulative",
        "event_count",
        month="close_month",
        quantity=pl.col("cumulative") - before,
    )


def _new_by_day(values: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (series, day): new_values, the distinct values that the series' period first saw on that day."""
    first_seen = (
        values.join(owners, on=VALUE_WINDOW)
        .group_by(*(f"of:{name}" for name in SERIES), "value")
        .agg(pl.col("usage_date").min())
    )
    return (
        first_seen.rename({f"of:{name}": name for name in SERIES})
        .group_by(*SERIES, "usage_date")
        .agg(new_values=pl.len().cast(pl.Int64))
    )
