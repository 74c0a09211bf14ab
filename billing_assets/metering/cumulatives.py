"""Period-to-date quantities at segment ends; increments are their differences (docs/semantics.md, Increments)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.metering.attribution import Attribution, Terms, takings
from billing_assets.metering.grain import GROUP
from billing_assets.metering.levels import (
    LEVELS,
    as_of,
    changes,
    changes_at,
    counted_hours,
    hours_of,
    mean_to_date,
    readings_as_changes,
)
from billing_assets.metering.measures import STATISTICS, event_metrics, metric_frame
from billing_assets.metering.query_values import query_values
from billing_assets.metering.slices import merged
from billing_assets.money import decimal, or_zero, share, zero

SEGMENT = (*GROUP, "segment_start")
VALUE_WINDOW = ("measure_id", "customer_ref", "group_values", "window_start")


def cumulatives(attributed: Attribution, segments: pl.LazyFrame, terms: Terms, versions: pl.LazyFrame) -> pl.LazyFrame:
    """`segments` with `raw_cumulative`, `event_count` and `exception_count`. Grain (group, segment), as it came.

    raw_cumulative is the metric's value from the period's start to the segment's end, before conversion; 0 of nothing.
    event_count counts the segment's own events with a usable value, exception_count those without. A group has every
    segment of its period, those without usage too. Where the product changes what it takes, see `_through_swaps`.
    """
    metrics, usage, values = terms.metrics, attributed.usage, attributed.values
    kinds: set[str] = {metric.aggregation_type for metric in event_metrics(metrics)}
    spans = segments.select(*SEGMENT, "segment_end")
    own = [pl.when("is_current").then(_usable()).sum(), pl.when("is_current").then("exception_count").sum()]
    found = (
        usage.join(spans, on=GROUP)
        .filter(_inside("placed_at"))
        .group_by(*SEGMENT, "taking")
        .agg(*of_events(kinds), own_events=own[0], own_exceptions=own[1])
    )
    of_product = takings(versions).join(metric_frame(metrics), on="billable_metric_id")
    rows = segments.join(of_product.select("product_id", "taking", "aggregation_type"), on="product_id").join(
        found, on=[*SEGMENT, "taking"], how="left"
    )
    if "UNIQUE" in kinds:
        rows = rows.join(_new_values(usage, values, spans), on=[*SEGMENT, "taking"], how="left")
    if kinds & set(LEVELS):
        rows = rows.pipe(_with_levels, attributed, segments)
    if "SQL" in kinds:
        values_at = query_values(attributed, segments, terms)
        rows = rows.join(values_at, on=[*GROUP, "taking", "segment_end"], how="left")
    valued = rows.with_columns(
        event_count=pl.col("own_events").fill_null(0),
        exception_count=pl.col("own_exceptions").fill_null(0),
        raw_cumulative=to_date(kinds, (*GROUP, "taking")),
    )
    columns = segments.collect_schema().names()
    if terms.has_swaps:
        valued = valued.pipe(_through_swaps, columns, versions)
    return valued.select(*columns, "raw_cumulative", "event_count", "exception_count")


def _through_swaps(valued: pl.LazyFrame, columns: Sequence[str], versions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment, of rows (segment, taking): each segment adds the increment of what its own version takes.

    So after a swap from A to B at s the cumulative is B(start to t) + A(start to s) - B(start to s), on raw values per
    group (docs/semantics.md, Changes of a product).
    """
    before = pl.col("raw_cumulative").shift(1).over(*GROUP, "taking", order_by="segment_start").fill_null(zero())
    taken_then = versions.select("product_id", "product_version", taking_then="taking")
    is_own = (pl.col("taking") == pl.col("taking_then")).fill_null(value=False)
    moved = (
        valued.with_columns(increment=pl.col("raw_cumulative") - before)
        .join(taken_then, on=["product_id", "product_version"], how="left")
        .group_by(SEGMENT)
        .agg(
            pl.col(name for name in columns if name not in SEGMENT).first(),
            pl.col("event_count", "exception_count").sum(),
            increment=pl.when(is_own).then("increment").otherwise(zero()).sum(),
        )
    )
    return moved.with_columns(raw_cumulative=pl.col("increment").cum_sum().over(*GROUP, order_by="segment_start"))


def _usable() -> pl.Expr:
    return pl.col("event_count") - pl.col("exception_count")


def of_events(kinds: set[str]) -> list[pl.Expr]:
    """Aggregates of slices: events with a usable value, exceptions, and the statistics that `kinds` need.

    Levels are aggregated apart, since what they add depends on where their span ends.
    """
    statistics = {name for kind in kinds - set(LEVELS) for name in STATISTICS.get(kind, ())}
    return [_usable().sum().alias("event_count"), *merged(sorted(statistics))[1:]]


def to_date(kinds: set[str], keys: Sequence[str] = GROUP, order: str = "segment_start") -> pl.Expr:
    """The period-to-date value by `aggregation_type`, over merged rows in their order; 0 where there is nothing."""

    def over(expression: pl.Expr) -> pl.Expr:
        return expression.over(*keys, order_by=order)

    count = over(pl.col("event_count").fill_null(0).cum_sum()) * decimal(1)
    branches = {"COUNT": count}
    if kinds & {"SUM", "AVG"}:
        total = over(or_zero("sum").cum_sum())
        branches |= {"SUM": total, "AVG": share(total, count)}
    if "MIN" in kinds:
        branches["MIN"] = over(pl.col("min").cum_min().forward_fill())
    if "MAX" in kinds:
        branches["MAX"] = over(pl.col("max").cum_max().forward_fill())
    if "LATEST" in kinds:
        branches["LATEST"] = over(pl.col("last_value").forward_fill())
    if "UNIQUE" in kinds:
        branches["UNIQUE"] = over(pl.col("new_values").fill_null(0).cum_sum()) * decimal(1)
    if "SQL" in kinds:
        branches["SQL"] = or_zero("query_value")
    branches |= {kind: mean_to_date(keys, order) for kind in LEVELS if kind in kinds}
    value = pl.lit(None, dtype=DECIMAL)
    for kind, expression in branches.items():
        value = pl.when(pl.col("aggregation_type") == kind).then(expression.cast(DECIMAL)).otherwise(value)
    return value.fill_null(zero())


def _inside(at: str = "window_start") -> pl.Expr:
    """Whether the window lies in the segment; no window crosses a bound of one."""
    return (pl.col(at) >= pl.col("segment_start")) & (pl.col(at) < pl.col("segment_end"))


def _with_levels(rows: pl.LazyFrame, attributed: Attribution, segments: pl.LazyFrame) -> pl.LazyFrame:
    """`rows`, by segment and taking, with what `mean_to_date` reads."""
    start, end = pl.col("segment_start"), pl.col("segment_end")
    counted = pl.min_horizontal(end, as_of(attributed.now))
    spans = segments.select(*SEGMENT, "segment_end", counted_end=counted)
    owner, keys = (*GROUP, "taking"), [*SEGMENT, "taking"]
    slices = attributed.usage.filter(pl.col("aggregation_type") == "TIME_WEIGHTED_SUM").join(spans, on=GROUP)
    takers = attributed.usage.filter(pl.col("aggregation_type") == "TIME_WEIGHTED_LATEST")
    readings = attributed.values.join(takers.select(*VALUE_WINDOW, *owner).unique(), on=VALUE_WINDOW)
    moves = readings_as_changes(readings, attributed.opening_levels, owner).join(spans, on=GROUP)
    moved = pl.concat(
        [
            changes(slices.filter(_inside()), keys, "counted_end"),
            changes_at(moves.filter(_inside()), keys, "counted_end"),
        ]
    )
    return (
        rows.join(moved, on=keys, how="left")
        .join(attributed.opening_levels, on=list(owner), how="left")
        .with_columns(
            span_hours=counted_hours(start, end, attributed.now),
            period_hours=hours_of(pl.col("period_start"), pl.col("period_end")),
        )
    )


def _new_values(usage: pl.LazyFrame, values: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (group, segment, taking): new_values, the values that the period first saw inside the segment."""
    taken = (*GROUP, "taking")
    takers = usage.filter(pl.col("aggregation_type") == "UNIQUE").select(*VALUE_WINDOW, *taken, "placed_at").unique()
    first_seen = values.join(takers, on=VALUE_WINDOW).group_by(*taken, "value").agg(pl.col("placed_at").min())
    found = first_seen.join(spans, on=GROUP).filter(_inside("placed_at"))
    return found.group_by(*SEGMENT, "taking").agg(new_values=pl.len().cast(pl.Int64))
