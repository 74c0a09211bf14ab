"""From lines of usage back to their hours: the periods of the lines priced again, hour by hour, from events alone.

It is the computation that made the lines (`usage.priced`), of few customers and cut at every hour that has usage. Whole
lines are the sums of their hours, since a window costs what the running quantity moves in it (docs/semantics.md, Charge
of a window).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from billing_assets import metering, rating
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.catalog.sql.plans import Metered
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.grain import GROUP
from billing_assets.money import zero
from billing_assets.pipeline.drawing import Hold
from billing_assets.pipeline.traced_events import in_spans, traced_events
from billing_assets.pipeline.usage import terms_of

SPAN: dict[str, pl.DataType] = {
    **dict.fromkeys(GROUP, pl.String()),
    "period_start": TIMESTAMP,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
}
"""What lines of usage have in common that are made of the same events: their group and their dates."""

LINE = (*SPAN, "tier_level", "is_fee")
"""Lines of one key share a quantity as it was rated: what balances cover of it, and what is left."""

HOUR = (
    *("hour_start", "hour_end", "quantity", "measured", "running_start", "running_end", "event_count"),
    *("unit_price", "tier_lower", "tier_upper"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trace is computed from, as the invoices had it.

    periods, invoiced, past, now: as of `Inputs`; is_billed marks the periods of the spans, others are those in which
    the same references have usage. events: of these references, from midnight of the first period's first day on, up to
    the watermark. promoted: columns that all of them fill. spans: SPAN rows. metrics: what their products count.
    """

    catalog: Catalog
    frames: CatalogFrames
    metrics: Sequence[Metered]
    periods: pl.LazyFrame
    invoiced: pl.LazyFrame | None
    past: pl.LazyFrame
    events: pl.LazyFrame
    promoted: frozenset[str]
    spans: pl.LazyFrame
    now: datetime


@dataclass(frozen=True, slots=True)
class Traced:
    """hours: grain (LINE, hour_start) with HOUR: where a line's quantity moves. quantity is on the line's own axis
    (units, packages, what is above a free amount), measured as the metric counts, before conversion and rounding;
    running_start and running_end are the group's rated quantity at both ends of the hour.
    whole: grain LINE, quantity and amount of the span rated at once. spans: grain SPAN, measured and event_count.
    events: `traced_events` with SPAN. levels: what levels were at the period's start. outcome: `metering.disposed`."""

    hours: pl.LazyFrame
    whole: pl.LazyFrame
    spans: pl.LazyFrame
    events: pl.LazyFrame
    levels: pl.LazyFrame
    outcome: pl.LazyFrame


def trace(asked: Asked, hold: Hold) -> Traced:
    """Price the spans of `asked` again, at once and hour by hour."""
    attributed = attribution(asked, hold)
    spans = hold(asked.spans.select(*SPAN).unique())
    bounds = hold(pl.concat([spans.select(*GROUP, at=name) for name in ("starting_at", "ending_before")]).unique())
    of_spans = moments(attributed).join(spans.select(GROUP).unique(), on=list(GROUP), how="semi")
    whole = quantified(asked, attributed, bounds, hold)
    hourly = quantified(asked, attributed, hold(pl.concat([bounds, of_spans]).unique()), hold)
    return Traced(
        hours=hours_of(rating.rate(hourly, asked.frames), hourly, spans),
        whole=rating.rate(whole, asked.frames).select(*LINE, "quantity", "amount"),
        spans=in_spans(increments(whole), spans, "segment_start")
        .group_by(*SPAN)
        .agg(pl.col("measured", "event_count").sum()),
        events=traced_events(attributed, asked.events, asked.promoted, asked.metrics, spans, terms_of(asked.catalog)),
        levels=attributed.opening_levels,
        outcome=metering.disposed(attributed.candidates, attributed.usage, whole),
    )


def attribution(asked: Asked, hold: Hold) -> metering.Attribution:
    """Whose usage the events are, in slices of an hour."""
    terms = terms_of(asked.catalog)
    measures = {metering.measure_of(metric, terms.metrics) for metric in asked.metrics}
    ordered = sorted(measures, key=lambda measure: measure.measure_id)
    states = hold(metering.hourly_states(asked.events, ordered, asked.promoted))
    values = hold(metering.distinct_values(asked.events, ordered, asked.promoted))
    starts = states.select(at="window_start").unique()
    bounds = hold(pl.concat([starts, starts.select(at=pl.col("at") + pl.duration(hours=1))]).unique())
    found = metering.attribute(
        states, values, asked.past, terms, asked.frames, asked.periods, asked.now, hold, asked.invoiced, bounds
    )
    return replace(
        found,
        usage=hold(found.usage),
        values=hold(found.values),
        opening_levels=hold(found.opening_levels),
        events=asked.events if terms.has_queries else None,
    )


def moments(attributed: metering.Attribution) -> pl.LazyFrame:
    """GROUP and `at`: both ends of every hour in which a group has usage; of queries, which cost more, of every day."""
    is_query = pl.col("aggregation_type") == "SQL"
    day = pl.col("window_start").dt.truncate("1d")
    placed = pl.col("placed_at")
    is_moved = placed != pl.col("window_start")
    start = pl.when(is_moved).then(placed).when(is_query).then(day).otherwise("window_start")
    end = (
        pl.when(is_moved)
        .then(placed + pl.duration(hours=1))
        .when(is_query)
        .then(day + pl.duration(days=1))
        .otherwise("window_end")
    )
    current = attributed.usage.filter("is_current")
    return pl.concat([current.select(*GROUP, at=at.cast(TIMESTAMP)) for at in (start, end)]).unique()


def quantified(asked: Asked, attributed: metering.Attribution, cuts: pl.LazyFrame, hold: Hold) -> pl.LazyFrame:
    """`rating.quantify` of the groups of the spans, cut at `cuts` beside the dates of the terms."""
    frames, billed = asked.frames, asked.periods.filter("is_billed")
    groups = hold(asked.spans.select(GROUP).unique())
    segments = hold(rating.segments(groups, billed, frames, cuts))
    found = metering.cumulatives(attributed, segments, terms_of(asked.catalog), frames.product_versions)
    return hold(rating.quantify(hold(found), frames))


def increments(segments: pl.LazyFrame) -> pl.LazyFrame:
    """`segments` with `measured`: what the metric comes to in each."""
    before = pl.col("raw_cumulative").shift(1).over(*GROUP, order_by="segment_start").fill_null(zero())
    return segments.with_columns(measured=(pl.col("raw_cumulative") - before).cast(DECIMAL))


def hours_of(rated: pl.LazyFrame, hourly: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (LINE, hour): HOUR, of the lines that the hours are rated as; those at zero only where nothing moves."""
    moved = increments(hourly).select(
        *GROUP, "segment_start", "segment_end", "measured", "running_start", "running_end", hour_events="event_count"
    )
    lines = rated.rename({"starting_at": "hour_start", "ending_before": "hour_end", "event_count": "counted"})
    return (
        lines.join(moved, left_on=[*GROUP, "hour_start"], right_on=[*GROUP, "segment_start"])
        .filter((pl.col("quantity") != zero()) | (pl.col("hour_events") > 0))
        .pipe(in_spans, spans, "hour_start")
        .select(*LINE, *(name for name in HOUR if name != "event_count"), event_count="hour_events")
        .sort(*LINE, "hour_start")
    )
