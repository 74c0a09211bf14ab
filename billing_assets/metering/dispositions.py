"""What became of every (accepted event, metric): billed, or listed with a reason. Nothing vanishes.

The equation per metric and day is: accepted = billed + listed. Its left side is counted from the states before anything
is joined to them, its right side after all joins, so that a row lost or doubled on the way shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.grain import (
    BILLED,
    CANDIDATES,
    CODE,
    EXCEPTION,
    GROUP,
    LATE,
    NOT_ENTITLED,
    NOT_OURS,
    PRECEDENCE,
    SLICE_OF_METRIC,
    UNATTRIBUTED,
    UNRATED,
    WAIVED,
)
from billing_assets.metering.measures import metric_frame
from billing_assets.money import decimal

STATUS_CODES = {
    "rated": CODE[BILLED],
    "unrated": CODE[UNRATED],
    "waived": CODE[WAIVED],
    "not_entitled": CODE[NOT_ENTITLED],
}

MOVED = "attribution"
"""Why usage is late that was there in time: its reference was not the customer's when the invoice became final."""

KEPT = (
    *SLICE_OF_METRIC,
    *("window_end", "batches_through", "usage_date", "aggregation_type", "event_count", "exception_count", "sum"),
    *("customer_id", "contract_id", "period_start", "close_month", "product_id", "reason"),
    *("code", "level", "preference", "is_sole"),
)


def disposed(candidates: pl.LazyFrame, usage: pl.LazyFrame, quantified: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (slice, metric): its `disposition`, with the contract, period, product and reason of it.

    `quantified` is the segments with their final status. Where a slice could be several things the first of PRECEDENCE
    holds: an event that any product bills is billed.
    """
    undecided = candidates.filter(pl.col("code") != CODE[BILLED]).with_columns(
        reason=pl.when((pl.col("code") == CODE[LATE]) & pl.col("is_unseen")).then(pl.lit(MOVED))
    )
    together = pl.concat([_priced(usage, quantified).select(KEPT), undecided.select(KEPT)])
    rank = pl.col("level").cast(pl.Int64) * CANDIDATES + pl.col("preference")
    chosen = (
        together.filter(~pl.col("is_sole"))
        .with_columns(rank=rank)
        .group_by(*SLICE_OF_METRIC)
        .agg(pl.col(name).min_by("rank") for name in KEPT if name not in SLICE_OF_METRIC)
        .select(KEPT)
    )
    names = pl.col("code").replace_strict(dict(enumerate(PRECEDENCE)), return_dtype=pl.String)
    decided = pl.concat([together.filter("is_sole"), chosen])
    return decided.with_columns(disposition=names).drop("code", "level", "preference", "is_sole")


def _priced(usage: pl.LazyFrame, quantified: pl.LazyFrame) -> pl.LazyFrame:
    """Usage of products with the disposition that its segment's status gives it."""
    spans = quantified.select(*GROUP, "segment_start", "segment_end", "segment_status", reason="unrated_reason")
    at, status = pl.col("placed_at"), pl.col("segment_status")
    code = status.replace_strict(STATUS_CODES, return_dtype=pl.Int8)
    return (
        usage.filter("is_current")
        .join(spans, on=GROUP)
        .filter(at >= pl.col("segment_start"), at < pl.col("segment_end"))
        .with_columns(code=code, level=code, reason=pl.when(status.is_in(("unrated", "waived"))).then("reason"))
    )


def listed(outcome: pl.LazyFrame, month: str | None) -> pl.LazyFrame:
    """Grain (slice, metric, billed or exception): everything that is not billed, and why; `with_samples` adds it up.

    Usage of a contract is of its period's month, other usage of its day's. Rows of final periods and of other months
    are left to the computations that they belong to. An event without a usable value is a metric_exception whatever
    became of the others of its slice, unless nobody knows its customer or its period is final.
    """
    ours = outcome.filter(~pl.col("disposition").is_in(NOT_OURS)).with_columns(
        month=pl.coalesce("close_month", pl.col("usage_date").dt.strftime("%Y-%m"))
    )
    if month is not None:
        ours = ours.filter(pl.col("month") == month)
    is_whole = pl.col("disposition").is_in((UNATTRIBUTED, LATE))
    exceptional = ours.filter(pl.col("exception_count") > 0, ~is_whole).with_columns(
        disposition=pl.lit(EXCEPTION),
        reason=pl.lit("not_a_number_or_absent"),
        event_count=pl.col("exception_count"),
        quantity=pl.lit(None, dtype=DECIMAL),
    )
    others = ours.filter(pl.col("disposition") != BILLED).with_columns(
        event_count=pl.when(is_whole).then("event_count").otherwise(_usable()), quantity=_additive()
    )
    return pl.concat([exceptional, others.filter(pl.col("event_count") > 0)])


def _usable() -> pl.Expr:
    return pl.col("event_count") - pl.col("exception_count")


def _additive() -> pl.Expr:
    """The quantity of slices, where the aggregation adds up."""
    kind = pl.col("aggregation_type")
    return pl.when(kind == "COUNT").then(_usable() * decimal(1)).when(kind == "SUM").then(pl.col("sum"))


def equation(
    outcome: pl.LazyFrame, states: pl.LazyFrame, metrics: Sequence[BillableMetric], now: datetime
) -> pl.LazyFrame:
    """Grain (metric, day): accepted, billed and listed events; `listed` includes what other computations list."""
    keys = ["billable_metric_id", "usage_date"]
    accepted = (
        states.filter(pl.col("window_start") <= pl.lit(now, dtype=TIMESTAMP))
        .group_by("measure_id", "usage_date")
        .agg(accepted=pl.col("event_count").sum())
        .join(metric_frame(metrics), on="measure_id")
        .select(*keys, "accepted")
    )
    is_billed = pl.col("disposition") == BILLED
    found = (
        outcome.filter(pl.col("billable_metric_id").is_not_null())
        .group_by(keys)
        .agg(
            billed=pl.when(is_billed).then(_usable()).otherwise(0).sum(),
            listed=pl.when(is_billed).then("exception_count").otherwise("event_count").sum(),
        )
    )
    return accepted.join(found, on=keys, how="full", coalesce=True).with_columns(
        pl.col("accepted", "billed", "listed").fill_null(0)
    )
