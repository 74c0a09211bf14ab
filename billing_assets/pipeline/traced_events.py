"""The events behind spans of usage, and what each of them adds to its metric."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets import metering
from billing_assets.catalog.metrics import CountMetric
from billing_assets.catalog.sql.plans import Metered, SqlQuery
from billing_assets.catalog.sql.tree import of_query, properties
from billing_assets.columns import DECIMAL
from billing_assets.metering.attribution import Attribution, Terms
from billing_assets.metering.events import NUMBER, TEXT, matches, readable, usable
from billing_assets.metering.grain import GROUP
from billing_assets.metering.levels import LEVELS
from billing_assets.metering.states import group_json
from billing_assets.money import decimal, or_zero, share, zero

SOURCE = ("transaction_id", "timestamp", "customer_ref", "event_type", "source_file", "source_line", "ingest_batch")
"""What of an event says where it came from."""

_SLICE = ("customer_ref", "usage_date", "group_values")
_BOUNDS = ("window_start", "window_end", "batches_after", "batches_through")
_OWNER = (*GROUP, "taking")
_ORDER = ["timestamp", "transaction_id"]

EVENT: dict[str, pl.DataType] = {"value": pl.String(), "adds": DECIMAL, "level": DECIMAL}


def traced_events(
    attributed: Attribution,
    events: pl.LazyFrame,
    promoted: frozenset[str],
    metrics: Sequence[Metered],
    spans: pl.LazyFrame,
    terms: Terms,
) -> pl.LazyFrame:
    """Grain (span, event): the events with a usable value that the spans count, with SOURCE and EVENT.

    value: what the metric reads of it. adds: by how much it moves the metric's value to date, in order of (timestamp,
    transaction_id); null where that cannot be said of one event (time-weighted metrics and queries). level: of a
    time-weighted metric, where the event leaves it.
    """
    parts = [_of_metric(metric, attributed, events, promoted, spans, terms) for metric in metrics]
    return pl.concat(parts, how="diagonal").sort("starting_at", *_ORDER)


def in_spans(rows: pl.LazyFrame, spans: pl.LazyFrame, at: str) -> pl.LazyFrame:
    """`rows` of GROUP by the spans (SPAN) in which `at` lies."""
    inside = pl.col(at).is_between("starting_at", "ending_before", closed="left")
    return rows.join(spans, on=list(GROUP)).filter(inside)


def _of_metric(
    metric: Metered,
    attributed: Attribution,
    events: pl.LazyFrame,
    promoted: frozenset[str],
    spans: pl.LazyFrame,
    terms: Terms,
) -> pl.LazyFrame:
    measure = metering.measure_of(metric, terms.metrics)
    takes_all = isinstance(metric, CountMetric | SqlQuery)
    query = metric.query.innermost if isinstance(metric, SqlQuery) else None
    read = readable(events, [measure], promoted, query)
    matching = read.filter(matches(measure), pl.lit(value=True) if takes_all else usable(measure)).select(
        *SOURCE,
        usage_date="event_date",
        group_values=group_json({name: TEXT + name for name in measure.group_key}),
        number=_number(measure, takes_all=takes_all),
        value=_value(metric, measure),
    )
    slices = attributed.usage.filter(pl.col("billable_metric_id") == metric.id)
    at, batch = pl.col("timestamp"), pl.col("ingest_batch")
    counted = (
        slices.select(*_OWNER, *_SLICE, *_BOUNDS, "placed_at", "is_current")
        .unique()
        .join(spans.select(GROUP).unique(), on=list(GROUP), how="semi")
        .join(matching, on=list(_SLICE))
        .filter(at >= pl.col("window_start"), at < pl.col("window_end"))
        .filter(batch > pl.col("batches_after"), batch <= pl.col("batches_through"))
        .drop(*_BOUNDS, "usage_date", "group_values")
    )
    opened = counted.join(attributed.opening_levels, on=list(_OWNER), how="left")
    kind = metric.aggregation_type
    return (
        opened.with_columns(to_date=_to_date(kind), level=_level(kind))
        .with_columns(adds=_adds(kind))
        .filter("is_current")
        .pipe(in_spans, spans, "placed_at")
        .select(*spans.collect_schema(), *SOURCE, *EVENT, "placed_at", billable_metric_id=pl.lit(metric.id))
    )


def _value(metric: Metered, measure: metering.Measure) -> pl.Expr:
    """What the metric reads of an event, as text; of a query the properties that it names."""
    if isinstance(metric, SqlQuery):
        names = sorted(properties(of_query(metric.query.innermost)))
        return group_json({name: TEXT + name for name in names})
    if isinstance(metric, CountMetric) or measure.key is None:
        return pl.lit(None, dtype=pl.String)
    if measure.kind == "distinct":
        return pl.col(TEXT + measure.key)
    return pl.col(NUMBER + measure.key).cast(pl.String)


def _number(measure: metering.Measure, *, takes_all: bool) -> pl.Expr:
    if takes_all or measure.kind == "distinct":
        return pl.lit(None, dtype=DECIMAL)
    return pl.col(NUMBER + str(measure.key))


def _adds(kind: str) -> pl.Expr:
    """By how much an event moves the metric's value to date."""
    none = pl.lit(None, dtype=DECIMAL)
    match kind:
        case "COUNT":
            return decimal(1)
        case "SUM":
            return pl.col("number")
        case "UNIQUE":
            first = pl.int_range(pl.len()).over(*_OWNER, "value", order_by=_ORDER) == 0
            return pl.when(first).then(decimal(1)).otherwise(zero())
        case "MAX" | "MIN" | "LATEST" | "AVG":
            before = pl.col("to_date").shift(1).over(_OWNER, order_by=_ORDER).fill_null(zero())
            return (pl.col("to_date") - before).cast(DECIMAL)
        case _:
            return none


def _to_date(kind: str) -> pl.Expr:
    """The metric's value after each event, of aggregations of which an event can lower it or leave it as it is."""
    number = pl.col("number")
    match kind:
        case "MAX":
            return number.cum_max().over(_OWNER, order_by=_ORDER)
        case "MIN":
            return number.cum_min().over(_OWNER, order_by=_ORDER)
        case "AVG":
            total = number.cum_sum().over(_OWNER, order_by=_ORDER)
            count = number.cum_count().over(_OWNER, order_by=_ORDER)
            return share(total, count.cast(DECIMAL))
        case "LATEST":
            return number
        case _:
            return pl.lit(None, dtype=DECIMAL)


def _level(kind: str) -> pl.Expr:
    """Where an event leaves the level of a time-weighted metric."""
    if kind not in LEVELS:
        return pl.lit(None, dtype=DECIMAL)
    if kind == "TIME_WEIGHTED_LATEST":
        return pl.col("number")
    moved = pl.col("number").cum_sum().over(_OWNER, order_by=_ORDER)
    return (moved + or_zero("opening_level")).cast(DECIMAL)
