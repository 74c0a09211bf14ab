"""The table `usage`: a metric's daily increments and period-to-date values, as analysts read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.sql.plans import Metered, SqlQuery
from billing_assets.metering.attribution import Attribution, decoded
from billing_assets.metering.cumulatives import VALUE_WINDOW, of_events, to_date
from billing_assets.metering.events import TEXT
from billing_assets.metering.grain import BILLED, CODE, NO_PRODUCT
from billing_assets.metering.level_days import SERIES, level_days
from billing_assets.metering.levels import LEVELS
from billing_assets.metering.measures import Measure, event_metrics, measure_of
from billing_assets.metering.query_values import shown_group, totals
from billing_assets.metering.states import group_json, key_json
from billing_assets.money import or_zero, zero

COUNTED = (CODE[BILLED], CODE[NO_PRODUCT])
"""What counts as a contract's usage: whether or not a product takes it, but nothing that its usage filters refuse."""


def daily_usage(attributed: Attribution, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (metric, contract, billing period, declared group key, group values, day with an event).

    `quantity` is the day's increment of `cumulative`, the period-to-date value, both before conversion and rounding.
    Rows of different group keys of a metric describe the same events. A time-weighted metric has a row for every day
    that is counted, from the first on which its level or an event is there.
    """
    counted = attributed.candidates.filter(pl.col("code").is_in(COUNTED), ~pl.col("is_excluded"), pl.col("is_first"))
    return pl.concat(
        [part for metric in event_metrics(metrics) for part in _of_metric(metric, metrics, counted, attributed)]
    )


def _of_metric(
    metric: Metered, metrics: Sequence[BillableMetric], counted: pl.LazyFrame, attributed: Attribution
) -> Iterator[pl.LazyFrame]:
    measure = measure_of(metric, metrics)
    own = counted.filter(pl.col("billable_metric_id") == metric.id)
    openings = attributed.openings.filter(pl.col("measure_id") == measure.measure_id)
    both = pl.concat([frame.select("measure_id", "group_values") for frame in (own, openings)]).unique()
    combinations = decoded(both, measure)
    of_measure = attributed.values.filter(pl.col("measure_id") == measure.measure_id)
    kind = str(metric.aggregation_type)
    for key in metric.group_keys or ((),):
        shown = combinations.select("group_values", shown=group_json({name: TEXT + name for name in key}))
        rows = own.join(shown, on="group_values")
        if isinstance(metric, SqlQuery):
            days = _whole_periods(metric, measure, rows, key, attributed)
        elif kind in LEVELS:
            days = level_days(kind, rows, of_measure, openings.join(shown, on="group_values"), attributed.now)
        else:
            days = _days(kind, rows, of_measure)
        yield days.select(
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


def _whole_periods(
    metric: SqlQuery, measure: Measure, rows: pl.LazyFrame, key: Sequence[str], attributed: Attribution
) -> pl.LazyFrame:
    """Grain series: what a query over events comes to so far, on the day of the series' last event."""
    scope = ("contract_id", "period_start")
    bounds = rows.select(*scope, until="period_end").unique()
    found = (
        totals(metric, measure, rows, bounds, scope, attributed)
        .with_columns(group_values=shown_group(key))
        .group_by(SERIES)
        .agg(cumulative=pl.col("value").sum())
    )
    usable = pl.col("event_count").sum()
    ends = rows.with_columns(group_values="shown").group_by(SERIES)
    last = ends.agg(pl.col("customer_id", "close_month").first(), pl.col("usage_date").max(), event_count=usable)
    valued = last.join(found, on=SERIES, how="left").with_columns(cumulative=or_zero("cumulative"))
    return valued.with_columns(quantity="cumulative")


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
