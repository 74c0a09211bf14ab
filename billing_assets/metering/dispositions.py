"""What became of every (accepted event, metric): billed, or listed with a reason. Nothing vanishes.

The equation per metric and day is: accepted = billed + settled + listed. Its left side is counted from the states before
anything is joined to them, its right side after all joins, so that a row lost or doubled on the way shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.attribution import metric_frame
from billing_assets.metering.grain import (
    BILLED,
    CODE,
    EXCEPTION,
    GROUP,
    NOT_ENTITLED,
    NOT_OURS,
    PRECEDENCE,
    STATE_ROW,
    UNATTRIBUTED,
    UNMATCHED,
    UNRATED,
)
from billing_assets.metering.measures import NO_METRIC, compile_measures
from billing_assets.money import decimal

ROW = (*STATE_ROW, "billable_metric_id")
STATUS_CODES = {"rated": CODE[BILLED], "unrated": CODE[UNRATED], "not_entitled": CODE[NOT_ENTITLED]}


def disposed(candidates: pl.LazyFrame, usage: pl.LazyFrame, quantified: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (metric, state): one row for each state with its `disposition`, contract, period, product and reason.

    `quantified` is the segments with their final status. Where a state could be several things the first of PRECEDENCE
    holds: an event that any product bills is billed.
    """
    priced = _priced(usage, quantified)
    undecided = candidates.filter(pl.col("code") != CODE[BILLED]).with_columns(reason=pl.lit(None, dtype=pl.String))
    together = pl.concat([priced, undecided], how="diagonal")
    billed = together.filter(pl.col("code") == CODE[BILLED])
    others = together.filter(pl.col("code") != CODE[BILLED])
    # The few that are not billed by one candidate may be billed by another; only they are compared.
    contested = billed.join(others.select(ROW).unique(), on=ROW, how="semi").select(ROW).unique()
    first = ["code", "contract_id", "product_id", "period_start"]
    unbilled = others.join(contested, on=ROW, how="anti").sort(*ROW, *first).unique(subset=ROW, keep="first")
    names = pl.col("code").replace_strict(dict(enumerate(PRECEDENCE)), return_dtype=pl.String)
    kept = [*ROW, "customer_id", "contract_id", "period_start", "product_id", "reason", "aggregation_type",
            "event_count", "exception_count", "sum", "usage_date", "close_month", "code"]  # fmt: skip
    return pl.concat([billed.select(kept).unique(subset=ROW), unbilled.select(kept)]).with_columns(disposition=names)


def _priced(usage: pl.LazyFrame, quantified: pl.LazyFrame) -> pl.LazyFrame:
    """Usage of products with the disposition that its segment's status gives it."""
    spans = quantified.select(*GROUP, "segment_start", "segment_end", "segment_status", reason="unrated_reason")
    hour = pl.col("window_start")
    status = pl.col("segment_status")
    return (
        usage.join(spans, on=GROUP)
        .filter(hour >= pl.col("segment_start"), hour < pl.col("segment_end"))
        .with_columns(
            code=status.replace_strict(STATUS_CODES, return_dtype=pl.Int8),
            reason=pl.when(status == "unrated").then("reason"),
        )
    )


def listed(
    dispositions: pl.LazyFrame, states: pl.LazyFrame, metrics: Sequence[BillableMetric], month: str | None
) -> pl.LazyFrame:
    """The table `unbilled_usage` without its sample transactions: everything that is not billed, and why.

    Usage of a contract is of its period's month, other usage of its day's. `states` gives the events that match no
    metric. Rows of final periods and of other months are left to the computations that they belong to.
    """
    ours = dispositions.filter(~pl.col("disposition").is_in(NOT_OURS))
    exceptional = ours.filter(pl.col("exception_count") > 0, pl.col("disposition") != UNATTRIBUTED).with_columns(
        disposition=pl.lit(EXCEPTION),
        reason=pl.lit("not_a_number_or_absent"),
        event_count=pl.col("exception_count"),
        quantity=pl.lit(None, dtype=DECIMAL),
    )
    valued = pl.when(pl.col("disposition") == UNATTRIBUTED).then("event_count").otherwise(
        pl.col("event_count") - pl.col("exception_count")
    )
    unbilled = (
        ours.filter(pl.col("disposition") != BILLED)
        .with_columns(event_count=valued, quantity=_additive())
        .filter(pl.col("event_count") > 0)
    )
    rows = pl.concat([exceptional, unbilled, unmatched(states, metrics)], how="diagonal").with_columns(
        month=pl.coalesce("close_month", pl.col("usage_date").dt.strftime("%Y-%m"))
    )
    chosen = rows if month is None else rows.filter(pl.col("month") == month)
    key = ["month", "disposition", "billable_metric_id", "customer_ref", "customer_id", "group_values", "usage_date",
           "reason", "product_id", "contract_id", "period_start"]  # fmt: skip
    return chosen.group_by(key).agg(
        pl.col("event_count").sum(),
        quantity=pl.when(pl.col("quantity").is_not_null().any()).then(pl.col("quantity").sum()),
        first_hour=pl.col("window_start").min(),
        last_hour=pl.col("window_start").max(),
    )


def _additive() -> pl.Expr:
    """The quantity of states, where the aggregation adds up."""
    count = (pl.col("event_count") - pl.col("exception_count")) * decimal(1)
    return (
        pl.when(pl.col("aggregation_type") == "COUNT")
        .then(count)
        .when(pl.col("aggregation_type") == "SUM")
        .then(pl.col("sum"))
    )


def unmatched(states: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """States of the events that match no metric, as dispositions."""
    measure = next(one for one in compile_measures(metrics) if one.kind == NO_METRIC)
    return states.filter(pl.col("measure_id") == measure.measure_id).select(
        "customer_ref", "group_values", "usage_date", "window_start", "event_count", disposition=pl.lit(UNMATCHED)
    )


def equation(
    dispositions: pl.LazyFrame, states: pl.LazyFrame, metrics: Sequence[BillableMetric], now: object
) -> pl.LazyFrame:
    """Grain (metric, day): accepted, billed and listed events; `listed` includes what other computations list."""
    accepted = (
        states.filter(pl.col("window_start") <= pl.lit(now, dtype=TIMESTAMP))
        .join(metric_frame(metrics), on="measure_id")
        .group_by("billable_metric_id", "usage_date")
        .agg(accepted=pl.col("event_count").sum())
    )
    is_billed = pl.col("disposition") == BILLED
    usable = pl.col("event_count") - pl.col("exception_count")
    outcome = dispositions.group_by("billable_metric_id", "usage_date").agg(
        billed=pl.when(is_billed).then(usable).otherwise(0).sum(),
        listed=pl.when(is_billed).then("exception_count").otherwise("event_count").sum(),
    )
    return accepted.join(outcome, on=["billable_metric_id", "usage_date"], how="full", coalesce=True).with_columns(
        pl.col("accepted", "billed", "listed").fill_null(0)
    )


def exceptions_by_period(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (contract, billing period): events without a usable value, once for each metric that they fail."""
    states = candidates.filter(pl.col("code") == CODE[BILLED], pl.col("exception_count") > 0)
    return (
        states.unique(subset=[*ROW, "contract_id"])
        .group_by("contract_id", "period_start")
        .agg(pl.col("exception_count").sum())
    )
