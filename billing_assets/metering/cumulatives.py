"""Period-to-date quantities at the ends of segments: what increments are differences of (docs/semantics.md, Increments)."""

from __future__ import annotations

from collections.abc import Sequence, Set

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.columns import DECIMAL
from billing_assets.metering.attribution import metric_frame
from billing_assets.metering.grain import GROUP
from billing_assets.metering.measures import event_metrics
from billing_assets.money import decimal, or_zero, share

SEGMENT = (*GROUP, "segment_start")
VALUE_COUNT = pl.col("event_count") - pl.col("exception_count")


def cumulatives(
    usage: pl.LazyFrame,
    values: pl.LazyFrame,
    segments: pl.LazyFrame,
    metrics: Sequence[BillableMetric],
    products: pl.LazyFrame,
) -> pl.LazyFrame:
    """`segments` with `raw_cumulative`, `event_count` and `exception_count`. Grain (group, segment), as it came.

    raw_cumulative is the metric's value from the period's start to the segment's end, before conversion; 0 of nothing.
    event_count counts the segment's own events with a usable value, exception_count those without.
    """
    kinds = {metric.aggregation_type for metric in event_metrics(metrics)}
    spans = segments.select(*SEGMENT, "segment_end")
    inside = (pl.col("window_start") >= pl.col("segment_start")) & (pl.col("window_start") < pl.col("segment_end"))
    merged = usage.join(spans, on=GROUP).filter(inside).group_by(SEGMENT).agg(merge(kinds))
    of_product = products.select("product_id", "billable_metric_id").join(
        metric_frame(metrics).drop("measure_id"), on="billable_metric_id"
    )
    found = segments.join(merged, on=SEGMENT, how="left").join(
        of_product.drop("billable_metric_id"), on="product_id", how="left"
    )
    if "UNIQUE" in kinds:
        found = found.join(_new_values(values, spans), on=SEGMENT, how="left")
    return found.with_columns(
        pl.col("event_count", "exception_count").fill_null(0), raw_cumulative=to_date(kinds)
    ).select(*segments.collect_schema().names(), "raw_cumulative", "event_count", "exception_count")


def merge(kinds: Set[str]) -> list[pl.Expr]:
    """Aggregates that merge states, as far as the metrics' aggregations need them."""
    merged = [VALUE_COUNT.sum().alias("event_count"), pl.col("exception_count").sum()]
    if kinds & {"SUM", "AVG"}:
        merged.append(pl.col("sum").sum())
    if "MIN" in kinds:
        merged.append(pl.col("min").min())
    if "MAX" in kinds:
        merged.append(pl.col("max").max())
    if "LATEST" in kinds:
        has_last = pl.col("last_at").is_not_null()
        order = [pl.col("last_at").filter(has_last), pl.col("last_transaction_id").filter(has_last)]
        merged.append(pl.col("last_value").filter(has_last).sort_by(order).last())
    return merged


def to_date(kinds: Set[str], keys: Sequence[str] = GROUP, order: str = "segment_start") -> pl.Expr:
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
    value = pl.lit(None, dtype=DECIMAL)
    for kind, expression in branches.items():
        value = pl.when(pl.col("aggregation_type") == kind).then(expression.cast(DECIMAL)).otherwise(value)
    return value.fill_null(decimal(0))


def _new_values(values: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Values first seen in their period inside a segment. Grain (group, segment): new_values."""
    first_seen = values.group_by(*GROUP, "value").agg(pl.col("window_start").min())
    inside = (pl.col("window_start") >= pl.col("segment_start")) & (pl.col("window_start") < pl.col("segment_end"))
    return (
        first_seen.join(spans, on=GROUP)
        .filter(inside)
        .group_by(SEGMENT)
        .agg(new_values=pl.len().cast(pl.Int64))
    )
