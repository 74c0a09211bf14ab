"""Daily values of time-weighted metrics, as analysts read them."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.metering.levels import (
    as_of,
    changes,
    changes_at,
    hours_of,
    mean_to_date,
    opening_levels,
    readings_as_changes,
)
from billing_assets.money import zero

SERIES = ("contract_id", "period_start", "group_values")
"""What has a value to date, of one metric and group key."""

PERIOD = ("period_end", "customer_id", "close_month")
DAY = (*SERIES, "usage_date")
VALUE_WINDOW = ("measure_id", "customer_ref", "group_values", "window_start")


def level_days(
    kind: str, rows: pl.LazyFrame, values: pl.LazyFrame, openings: pl.LazyFrame, now: datetime
) -> pl.LazyFrame:
    """Grain (series, day that is counted at `now`): quantity, cumulative, event_count, customer_id, close_month.

    `rows` are slices and `openings` levels of one metric, with `shown`, their combination of one group key; `values`
    are the readings of its measure.
    """
    opening = openings.with_columns(group_values="shown", aggregation_type=pl.lit(kind)).pipe(opening_levels, SERIES)
    standing = openings.with_columns(group_values="shown").join(
        opening.filter(pl.col("opening_level") != zero()), on=SERIES, how="semi"
    )
    slices = rows.with_columns(group_values="shown")
    days = pl.concat([slices.select(*SERIES, *PERIOD), standing.select(*SERIES, *PERIOD)]).unique().pipe(_days, now)
    if kind == "TIME_WEIGHTED_SUM":
        moved = changes(slices.join(days, on=DAY), DAY, "until")
    else:
        owners = rows.select(*VALUE_WINDOW, "contract_id", "period_start", "shown").unique()
        readings = values.join(owners, on=VALUE_WINDOW).with_columns(
            group_values="shown", usage_date=pl.col("at").dt.date()
        )
        moved = readings_as_changes(readings, opening, SERIES).join(days, on=DAY).pipe(changes_at, DAY, "until")
    usable = pl.col("event_count") - pl.col("exception_count")
    counts = slices.group_by(DAY).agg(event_count=usable.sum())
    dated = (
        days.join(moved, on=DAY, how="left")
        .join(opening, on=SERIES, how="left")
        .join(counts, on=DAY, how="left")
        .with_columns(pl.col("event_count").fill_null(0), cumulative=mean_to_date(SERIES, "usage_date"))
    )
    before = pl.col("cumulative").shift(1).over(*SERIES, order_by="usage_date").fill_null(zero())
    return dated.with_columns(quantity=pl.col("cumulative") - before)


def _days(series: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Grain (series, day): since and until, the part of the day that is counted, span_hours and period_hours."""
    start, end = pl.col("period_start"), pl.min_horizontal(pl.col("period_end"), as_of(now))
    last = (end - pl.duration(microseconds=1)).dt.date()
    midnight = pl.col("usage_date").cast(TIMESTAMP)
    return (
        series.filter(start < end)
        .with_columns(end=end, usage_date=pl.date_ranges(start.dt.date(), last))
        .explode("usage_date")
        .with_columns(
            since=pl.max_horizontal(midnight, start), until=pl.min_horizontal(midnight + pl.duration(days=1), "end")
        )
        .with_columns(
            span_hours=hours_of(pl.col("since"), pl.col("until")), period_hours=hours_of(start, pl.col("period_end"))
        )
        .drop("end")
    )
