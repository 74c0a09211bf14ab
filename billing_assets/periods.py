"""Billing periods: half-open, anchored, counted from the anchor and never chained (docs/semantics.md, Periods)."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.money import decimal
from billing_assets.wording import worded

HOURS_PER_DAY = 24


def offset(anchor: pl.Expr, count: pl.Expr, months: pl.Expr, weeks: pl.Expr) -> pl.Expr:
    """`anchor` moved by `count` steps of `months` months or `weeks` weeks.

    A day beyond a month's end is clamped to that month's last day; since every step starts at the anchor, the 31st
    comes back after a February.
    """
    return (
        pl.when(weeks > 0)
        .then(anchor + pl.duration(days=count * weeks * 7))
        .otherwise(anchor.dt.offset_by(worded("{}mo", count * months)))
    )


def anchored(starts: pl.LazyFrame, since: pl.Expr, until: pl.Expr, *, anchor: str = "anchor_at") -> pl.LazyFrame:
    """One row per anchored interval that overlaps [`since`, `until`), added to each row of `starts`.

    `starts` has `frequency_months`, `frequency_weeks` (one of them is 0) and the anchor. Adds `period_index`,
    `full_start`, `full_end`: the uncut interval. The cut by a contract's dates is the caller's.
    """
    anchor_at = pl.col(anchor)
    months, weeks = pl.col("frequency_months"), pl.col("frequency_weeks")

    def steps_to(instant: pl.Expr) -> pl.Expr:
        by_month = (
            (instant.dt.year() - anchor_at.dt.year()) * 12
            + instant.dt.month().cast(pl.Int32)
            - anchor_at.dt.month().cast(pl.Int32)
        ) // pl.when(months > 0).then(months)
        by_week = (instant - anchor_at).dt.total_days() // pl.when(weeks > 0).then(weeks * 7)
        return pl.when(weeks > 0).then(by_week).otherwise(by_month).cast(pl.Int64)

    # One step of slack on both sides, since the estimate ignores the day and the hour; the filter is exact.
    index = pl.int_ranges(steps_to(since) - 1, steps_to(until) + 2)
    return (
        starts.with_columns(period_index=index)
        .explode("period_index")
        .with_columns(
            full_start=offset(anchor_at, pl.col("period_index"), months, weeks),
            full_end=offset(anchor_at, pl.col("period_index") + 1, months, weeks),
        )
        .filter(pl.col("full_start") < until, pl.col("full_end") > since)
    )


def billing_periods(contracts: pl.LazyFrame, since: datetime, until: datetime) -> pl.LazyFrame:
    """One row per (contract, billing period) that overlaps [`since`, `until`): the usage periods.

    `contracts` has contract_id, starting_at, ending_before (null: open), anchor_at, frequency_months, frequency_weeks.
    Adds `period_start`, `period_end` (cut by the contract) and `full_start`, `full_end` (uncut, for proration).
    """
    open_until = pl.col("ending_before").fill_null(pl.lit(until, dtype=TIMESTAMP))
    lower = pl.max_horizontal(pl.col("starting_at"), pl.lit(since, dtype=TIMESTAMP))
    upper = pl.min_horizontal(open_until, pl.lit(until, dtype=TIMESTAMP))
    return (
        contracts.filter(lower < upper)
        .pipe(anchored, lower, upper)
        .with_columns(
            period_start=pl.max_horizontal("full_start", "starting_at"),
            period_end=pl.min_horizontal(pl.col("full_end"), pl.col("ending_before").fill_null(pl.col("full_end"))),
        )
        .drop("period_index")
    )


def uncovered(spans: pl.LazyFrame, covered: pl.LazyFrame, by: tuple[str, ...]) -> pl.LazyFrame:
    """`spans` without what `covered` has of them: each row as the gaps that are left, with period_start and period_end
    moved to them, and none where nothing is left.

    Both have `by`, period_start and period_end; spans of one `by` do not overlap each other, and what is covered is
    mostly one of them whole. The columns that say what the span was cut from are left as they are.
    """
    span, whole = (*by, "span_start"), (*by, "period_start", "period_end")
    left = spans.join(covered.select(whole), on=whole, how="anti").with_columns(span_start="period_start")
    odd = covered.select(whole).join(spans.select(whole), on=whole, how="anti")
    asked = left.select(*span, first="period_start", last="period_end").join(odd, on=by)
    overlaps = asked.filter(pl.col("period_start") < pl.col("last"), pl.col("period_end") > pl.col("first"))
    cut = left.join(overlaps, on=span, how="semi")
    edges = pl.concat(
        [
            cut.select(*span, at="period_start", until="period_start"),
            overlaps.select(*span, at="period_start", until="period_end"),
            cut.select(*span, at="period_end", until="period_end"),
        ]
    )
    gaps = (
        edges.sort(*span, "at", "until")
        .select(*span, gap_start=pl.col("until").cum_max().over(span), gap_end=pl.col("at").shift(-1).over(span))
        .filter(pl.col("gap_start") < pl.col("gap_end"))
    )
    untouched = left.join(overlaps, on=span, how="anti")
    moved = cut.join(gaps, on=span).with_columns(period_start="gap_start", period_end="gap_end")
    return pl.concat([untouched, moved.drop("gap_start", "gap_end")]).drop("span_start")


def hours_between(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Whole hours of [start, end), as a decimal; every boundary of the catalog lies on an hour."""
    return (end - start).dt.total_hours() * decimal(1)


def close_month(period_end: pl.Expr) -> pl.Expr:
    """The month M, as `2026-10`, with `period_end` in (start of M, start of M+1]."""
    return (period_end - pl.duration(microseconds=1)).dt.strftime("%Y-%m")
