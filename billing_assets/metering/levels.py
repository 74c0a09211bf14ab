"""Time-weighted metrics: the integral of a level over a billing period, by the period's length.

TIME_WEIGHTED_SUM: each event changes the level. TIME_WEIGHTED_LATEST: each event sets it. The level outlives billing
periods and contracts: it is the customer's (docs/semantics.md, Time-weighted metrics).

An integral is kept as three decimals, level x hours, level x seconds and level x microseconds, so that it is exact to
the microsecond and fits as long as the level itself does. They are added up and divided once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.measures import Measure
from billing_assets.money import decimal, or_zero, zero

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

LEVELS = ("TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST")
SOURCE = ("measure_id", "customer_ref", "group_values")
LEVEL = {"sum": DECIMAL, "last_value": DECIMAL, "last_at": TIMESTAMP, "last_transaction_id": pl.String()}
HISTORY: dict[str, pl.DataType] = {**dict.fromkeys(SOURCE, pl.String()), **LEVEL}
"""Grain SOURCE: all that was before some day, merged. A level is `sum` where events change it, `last_value` where they
set it."""

MOVED = ("level_change", "moved_hours", "moved_seconds", "moved_micros")
"""What the events of a span add: to the level, and to the integral up to the span's end."""

SECOND, HOUR = 1_000_000, 3_600_000_000
"""In microseconds."""


def keeps_level(measure: Measure) -> bool:
    """Whether a time-weighted metric reads the measure, so that all of its history counts."""
    return bool({"held", "readings"} & set(measure.statistics))


def history(states: pl.LazyFrame) -> pl.LazyFrame:
    """HISTORY of the states given: one row per source, however many hours it had."""
    return states.group_by(SOURCE).agg(_merged_levels()).select(*HISTORY)


def openings(
    past: pl.LazyFrame, merged: pl.LazyFrame, measures: Iterable[Measure], frames: CatalogFrames, periods: pl.LazyFrame
) -> pl.LazyFrame:
    """Grain (billed period, measure, group values): what its customer's sources had come to at the period's start.

    `past` is HISTORY before the first slice of `merged`. Adds the usage filter in force at that instant (filter_key,
    filter_values), and of the period: customer_id, period_end, close_month.
    """
    kept = [each.measure_id for each in measures if keeps_level(each)]
    recent = merged.filter(pl.col("measure_id").is_in(kept)).select(*HISTORY, "window_start")
    customers = frames.contracts.select("contract_id", "customer_id")
    billed = (
        periods.filter("is_billed")
        .select("contract_id", "period_start", "period_end", "close_month")
        .join(customers.unique(), on="contract_id")
    )
    before = pl.col("window_start").is_null() | (pl.col("window_start") < pl.col("period_start"))
    found = (
        pl.concat([past.filter(pl.col("measure_id").is_in(kept)), recent], how="diagonal")
        .join(frames.customer_aliases, on="customer_ref")
        .join(billed, on="customer_id")
        .filter(before)
        .group_by("contract_id", "period_start", "measure_id", "group_values")
        .agg(*_merged_levels(), pl.col("customer_id", "period_end", "close_month").first())
    )
    return found.pipe(_filtered, frames.usage_filters)


def _merged_levels() -> list[pl.Expr]:
    order = pl.when(pl.col("last_at").is_not_null()).then(pl.struct("last_at", "last_transaction_id"))
    return [
        or_zero("sum").sum(),
        pl.col("last_value").max_by(order),
        pl.col("last_at").max(),
        pl.col("last_transaction_id").max_by(order),
    ]


def _filtered(found: pl.LazyFrame, filters: pl.LazyFrame) -> pl.LazyFrame:
    """`found` with the usage filter of its contract at the period's start."""
    at, end = pl.col("period_start"), pl.col("ending_before")
    in_force = (
        found.select("contract_id", "period_start")
        .unique()
        .join(filters.rename({"group_key": "filter_key", "group_values": "filter_values"}), on="contract_id")
        .filter(pl.col("starting_at") <= at, end.is_null() | (at < end))
        .select("contract_id", "period_start", "filter_key", "filter_values")
    )
    return found.join(in_force, on=["contract_id", "period_start"], how="left")


def opening_levels(found: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Grain `keys`: opening_level, of rows with LEVEL columns and an aggregation_type."""
    level = (
        pl.when(pl.col("aggregation_type").first() == "TIME_WEIGHTED_SUM")
        .then(or_zero("sum").sum())
        .otherwise(
            pl.col("last_value").max_by(
                pl.when(pl.col("last_at").is_not_null()).then(pl.struct("last_at", "last_transaction_id"))
            )
        )
    )
    of_levels = found.filter(pl.col("aggregation_type").is_in(LEVELS))
    return of_levels.group_by(keys).agg(opening_level=level.fill_null(zero()).cast(DECIMAL))


def as_of(now: datetime) -> pl.Expr:
    """The end of the hour that contains `now`: up to it usage is counted."""
    return pl.lit(now, dtype=TIMESTAMP).dt.truncate("1h") + pl.duration(hours=1)


def changes(rows: pl.LazyFrame, keys: Sequence[str], until: str) -> pl.LazyFrame:
    """Grain `keys`: MOVED, of slices of a TIME_WEIGHTED_SUM; `until` is where their span ends, inside the period."""
    to_end = _hours(pl.col(until) - pl.col("window_end"))
    return rows.group_by(keys).agg(
        level_change=or_zero("sum").sum(),
        moved_hours=(or_zero("held_hours") + or_zero("sum") * to_end).sum(),
        moved_seconds=or_zero("held_seconds").sum(),
        moved_micros=or_zero("held_micros").sum(),
    )


def readings_as_changes(readings: pl.LazyFrame, opening: pl.LazyFrame, owner: Sequence[str]) -> pl.LazyFrame:
    """`readings` of a TIME_WEIGHTED_LATEST with `change`: by how much each moves the level of its `owner`.

    Readings of all sources of the owner are one sequence, by (timestamp, transaction_id).
    """
    before = pl.col("reading").shift(1).over(*owner, order_by=["at", "transaction_id"])
    return (
        readings.with_columns(reading=pl.col("value").cast(DECIMAL))
        .with_columns(before=before)
        .join(opening, on=list(owner), how="left")
        .with_columns(change=pl.col("reading") - pl.coalesce("before", "opening_level", zero()))
        .drop("before", "opening_level")
    )


def changes_at(rows: pl.LazyFrame, keys: Sequence[str], until: str) -> pl.LazyFrame:
    """Grain `keys`: MOVED, of changes at instants `at`; `until` is where their span ends, inside the period."""
    left = (pl.col(until) - pl.col("at")).dt.total_microseconds()
    change = pl.col("change")
    return rows.group_by(keys).agg(
        level_change=change.sum(),
        moved_hours=(change * (left // HOUR).cast(DECIMAL)).sum(),
        moved_seconds=(change * (left % HOUR // SECOND).cast(DECIMAL)).sum(),
        moved_micros=(change * (left % SECOND).cast(DECIMAL)).sum(),
    )


def mean_to_date(keys: Sequence[str], order: str) -> pl.Expr:
    """The integral from the period's start to the end of each span, by the period's length; spans in `order`.

    Rows have MOVED, opening_level, span_hours (of the span, as far as it is counted) and period_hours.
    """

    def to_date(expression: pl.Expr) -> pl.Expr:
        return expression.cum_sum().over(*keys, order_by=order)

    change = or_zero("level_change")
    level_before = or_zero("opening_level") + to_date(change) - change
    hours = to_date(level_before * pl.col("span_hours") + or_zero("moved_hours"))
    return quotient(hours, to_date(or_zero("moved_seconds")), to_date(or_zero("moved_micros")), pl.col("period_hours"))


def quotient(hours: pl.Expr, seconds: pl.Expr, micros: pl.Expr, period_hours: pl.Expr) -> pl.Expr:
    """(hours h + seconds s + micros us) / period_hours, exact and rounded once at the 12th place.

    What is whole is carried upward, from microseconds to seconds, hours and periods; only the rest, which is smaller
    than a period, is brought to microseconds and divided.
    """
    more_seconds, rest_micros = _carried(micros, decimal(SECOND))
    more_hours, rest_seconds = _carried(seconds + more_seconds, decimal(HOUR // SECOND))
    whole, rest_hours = _carried(hours + more_hours, period_hours)
    rest = rest_hours * decimal(HOUR) + rest_seconds * decimal(SECOND) + rest_micros
    return whole + rest / (period_hours * decimal(HOUR))


def _carried(value: pl.Expr, unit: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    rest = value % unit
    return (value - rest) / unit, rest


def _hours(duration: pl.Expr) -> pl.Expr:
    return duration.dt.total_hours().cast(DECIMAL)


def counted_hours(start: pl.Expr, end: pl.Expr, now: datetime) -> pl.Expr:
    """Hours of [start, end) that are counted at `now`."""
    counted = pl.min_horizontal(end, as_of(now)) - start
    return pl.max_horizontal(_hours(counted), zero())


def hours_of(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    return _hours(end - start)
