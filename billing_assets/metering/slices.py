"""Slices: hourly states merged as far as no term of the catalog can tell their hours apart.

Contracts, periods, rates, overrides and usage filters begin and end on whole hours, mostly at midnight. Between two of
these instants all hours of a day meet the same terms, so their states are merged before anything is joined to them:
tens of millions of states become some hundred thousand slices. Alike for ingest batches: all that matters is whether a
batch came before or after the watermark of a final period.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.grain import SLICE
from billing_assets.metering.measures import Measure
from billing_assets.metering.states import STATE

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

HELD = ("held_hours", "held_seconds", "held_micros")
"""Of measures that keep levels: each value times what is left of the slice's window."""

STATISTICS = {
    **{name: STATE[name] for name in ("sum", "min", "max", "last_value", "last_at", "last_transaction_id")},
    **dict.fromkeys(HELD, DECIMAL),
}
"""Columns that a slice has, null where its measure does not keep them."""

EVER = 2**62
"""No ingest batch has such a number."""


def slices(states: pl.LazyFrame, measures: Sequence[Measure], hours: pl.LazyFrame, marks: pl.LazyFrame) -> pl.LazyFrame:
    """Grain SLICE: the states of `measures`, merged. States of other measures are left out.

    window_start, window_end: neighbouring hours of one day (usage_date) between two bounds of terms, by `hours`
    (`hours_of_cut_days`). batches_after, batches_through: the ingest batches between two neighbouring `marks`
    (`watermarks`). Statistics as of states.
    """
    placed = states.pipe(_windowed, hours)
    parts = []
    for own in ((), ("last",), ("held",), ("held", "last")):
        chosen = [each for each in measures if tuple(sorted({"held", "last"} & set(each.statistics))) == own]
        if chosen:
            source = states.pipe(_held, hours) if "held" in own else placed
            of_chosen = source.filter(pl.col("measure_id").is_in([each.measure_id for each in chosen]))
            statistics = sorted({name for each in chosen for name in each.statistics})
            parts.append(_merged_twice(of_chosen, marks, statistics))
    return (
        pl.concat([pl.LazyFrame(schema=STATISTICS), *parts], how="diagonal")
        .with_columns(usage_date=pl.col("window_start").dt.date())
        .pipe(_ended, hours)
        .join(marks, on="batches_after")
    )


def _merged_twice(states: pl.LazyFrame, marks: pl.LazyFrame, statistics: Sequence[str]) -> pl.LazyFrame:
    """First by ingest batch, then over batches: joining the few rows of the first costs less than joining all."""
    by_batch = states.group_by(*SLICE[:-1], "ingest_batch").agg(merged(statistics))
    return by_batch.pipe(_marked, marks).group_by(*SLICE).agg(merged(statistics))


def merged(statistics: Sequence[str]) -> list[pl.Expr]:
    """Aggregates that merge states, as far as `statistics` (sum, held, min, max, last) are kept."""
    found = [pl.col("event_count").sum(), pl.col("exception_count").sum()]
    if "sum" in statistics:
        # A slice in which no event had a value has no sum, not a sum of 0.
        found.append(pl.when(pl.col("sum").count() > 0).then(pl.col("sum").sum()).alias("sum"))
    if "held" in statistics:
        found += [pl.col(name).sum() for name in HELD]
    if "min" in statistics:
        found.append(pl.col("min").min())
    if "max" in statistics:
        found.append(pl.col("max").max())
    if "last" in statistics:
        # max_by passes over rows whose order is null: those whose events had no value.
        order = pl.when(pl.col("last_at").is_not_null()).then(pl.struct("last_at", "last_transaction_id"))
        found += [pl.col("last_value").max_by(order), pl.col("last_at").max()]
        found.append(pl.col("last_transaction_id").max_by(order))
    return found


def value_slices(values: pl.LazyFrame, hours: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (measure, reference, group values, window, value): values in the windows of `slices`."""
    keys = ("measure_id", "customer_ref", "group_values", "window_start", "value", "at", "transaction_id")
    return values.pipe(_windowed, hours).select(keys).unique()


def _windowed(rows: pl.LazyFrame, hours: pl.LazyFrame) -> pl.LazyFrame:
    """`rows` with window_start moved from the hour to the start of the hour's window."""
    moved = hours.select(window_start="hour", moved="window_start")
    start = pl.coalesce("moved", pl.col("window_start").dt.truncate("1d"))
    return rows.join(moved, on="window_start", how="left").with_columns(window_start=start).drop("moved")


def _held(states: pl.LazyFrame, hours: pl.LazyFrame) -> pl.LazyFrame:
    """`states` in their windows, with held_hours: value x whole hours from the end of its hour to the window's end."""
    placed = states.with_columns(hour="window_start").pipe(_windowed, hours).pipe(_ended, hours)
    after = (pl.col("window_end") - pl.col("hour")).dt.total_hours() - 1
    return placed.with_columns(held_hours=pl.col("sum") * after.cast(DECIMAL)).drop("hour", "window_end")


def _ended(rows: pl.LazyFrame, hours: pl.LazyFrame) -> pl.LazyFrame:
    """`rows`, which have windows, with window_end."""
    ends = hours.select("window_start", "window_end").unique()
    midnight = pl.col("window_start").dt.truncate("1d") + pl.duration(days=1)
    return rows.join(ends, on="window_start", how="left").with_columns(pl.col("window_end").fill_null(midnight))


def hours_of_cut_days(frames: CatalogFrames, periods: pl.LazyFrame, more: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Grain hour, of the days inside which a term begins or ends: window_start and window_end of the hour.

    `more` has `at`: bounds of what the catalog's frames do not date, such as segments of balances that recur.
    """
    dated = (
        frames.contracts, frames.usage_filters, frames.rates, frames.overrides, frames.product_versions,
        frames.discounts,
    )  # fmt: skip
    bounds = [frame.select(at=name) for frame in dated for name in ("starting_at", "ending_before")]
    bounds += [periods.select(at=name) for name in ("period_start", "period_end")]
    bounds += [] if more is None else [more.select("at").drop_nulls()]
    inner = pl.concat(bounds).filter(pl.col("at") != pl.col("at").dt.truncate("1d"))
    days = inner.select(day=pl.col("at").dt.truncate("1d"))
    outer = pl.concat([days, days.select(day=pl.col("day") + pl.duration(days=1))]).select(at="day")
    windows = (
        pl.concat([inner, outer])
        .unique()
        .sort("at")
        .select(window_start="at", window_end=pl.col("at").shift(-1))
        # From one day's midnight to the next cut day nothing is cut.
        .filter(pl.col("window_end") - pl.col("window_start") < pl.duration(days=1))
    )
    hours = pl.datetime_ranges("window_start", "window_end", "1h", closed="left").alias("hour")
    return windows.with_columns(hours).explode("hour").with_columns(pl.col("hour").cast(TIMESTAMP))


def _marked(states: pl.LazyFrame, marks: pl.LazyFrame) -> pl.LazyFrame:
    """`states` with batches_after, the last watermark before their ingest batch."""
    batch = pl.col("ingest_batch")
    of_batch = (
        states.select("ingest_batch")
        .unique()
        .join(marks, how="cross")
        .filter(batch > pl.col("batches_after"), batch <= pl.col("batches_through"))
    )
    return states.join(of_batch.select("ingest_batch", "batches_after"), on="ingest_batch")


def watermarks(periods: pl.LazyFrame) -> pl.LazyFrame:
    """Grain span of ingest batches: batches_after, batches_through, two neighbouring `events_through` of `periods`."""
    seen = periods.select(batches_after=pl.col("events_through").cast(pl.Int64)).filter(pl.col("batches_after") > 0)
    never = pl.LazyFrame({"batches_after": [0]}, schema={"batches_after": pl.Int64})
    bounds = pl.concat([never, seen]).unique().sort("batches_after")
    return bounds.with_columns(batches_through=pl.col("batches_after").shift(-1).fill_null(EVER))
