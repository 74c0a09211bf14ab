"""Recurring balances that grow with the seats of a subscription (docs/semantics.md, Recurring commits and credits)."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.proration import prorated
from billing_assets.charges.quantities import SPAN, quantity_steps
from billing_assets.charges.recurrences import as_balances, instant_text
from billing_assets.charges.terms import RecurrenceTerms
from billing_assets.money import decimal
from billing_assets.periods import hours_between

GRANT, SEAT_ADJUSTMENT = "GRANT", "SEAT_ADJUSTMENT"


def seat_access(found: pl.LazyFrame, frames: RecurrenceTerms) -> pl.LazyFrame:
    """Grain segment_id: what recurrences grant by seats, with the columns of a balance and `grant_type`.

    `found` is what `recurrences` returns. What seats add inside a recurrence is a segment of its own, from then on.
    """
    by_seats = found.join(_ends(frames.subscriptions), on="subscription_id").filter(
        pl.col("subscription_end").is_null() | (pl.col("period_start") < pl.col("subscription_end"))
    )
    return pl.concat([pooled(by_seats, frames), individual(by_seats, frames)], how="diagonal")


def pooled(found: pl.LazyFrame, frames: RecurrenceTerms) -> pl.LazyFrame:
    """One balance for all seats: a segment of the seats at its start, and one per increase over the highest so far."""
    at_start = pl.col("step_at") == pl.col("period_start")
    number = pl.when(at_start).then(pl.lit("1")).otherwise(instant_text(pl.col("step_at")))
    mine = found.filter(pl.col("allocation") == "POOLED")
    return (
        mine.join(quantity_steps(mine, frames.subscription_quantities), on=SPAN)
        .with_columns(
            seats=pl.col("quantity_after") - pl.col("quantity_before"),
            segment_id=pl.concat_str("balance_id", pl.lit("/"), number),
        )
        .drop("quantity_after", "quantity_before")
        .pipe(_granted)
    )


def individual(found: pl.LazyFrame, frames: RecurrenceTerms) -> pl.LazyFrame:
    """One segment per seat id that is assigned at any time of the recurrence, from its first hour there."""
    mine = found.filter(pl.col("allocation") == "INDIVIDUAL")
    assigned = frames.subscription_seats.select(
        "subscription_id", "seat_id", seat_start="starting_at", seat_end="ending_before"
    )
    step_at = (
        mine.select(SPAN)
        .unique()
        .join(assigned, on="subscription_id")
        .filter(
            pl.col("seat_start") < pl.col("period_end"),
            pl.col("seat_end").is_null() | (pl.col("seat_end") > pl.col("period_start")),
        )
        .group_by(*SPAN, "seat_id")
        .agg(step_at=pl.max_horizontal("seat_start", "period_start").min())
    )
    return (
        mine.join(step_at, on=SPAN)
        .with_columns(
            seats=decimal(1), segment_id=pl.concat_str("balance_id", pl.lit("/"), "seat_id"), seat_value="seat_id"
        )
        .drop("seat_id")
        .pipe(_granted)
    )


def _granted(steps: pl.LazyFrame) -> pl.LazyFrame:
    """Amounts of steps of seats: of the recurrence's own part at its start, of the rest of it later if prorated."""
    at_start = pl.col("step_at") == pl.col("period_start")
    whole = pl.col("unit_amount") * pl.col("seats")
    since = pl.when(at_start).then("covered_start").otherwise("step_at")
    part = prorated(whole, hours_between(since, pl.col("covered_end")), pl.col("full_hours"))
    ended = pl.col("step_at") >= pl.col("subscription_end")
    return (
        steps.filter(pl.col("step_at") <= pl.col("horizon"), ~ended.fill_null(value=False))
        .with_columns(
            amount=pl.when(at_start | pl.col("is_prorated")).then(part).otherwise(whole),
            starting_at="step_at",
            grant_type=pl.when(at_start).then(pl.lit(GRANT)).otherwise(pl.lit(SEAT_ADJUSTMENT)),
        )
        .drop("seats", "step_at", "subscription_end")
        .pipe(as_balances)
    )


def _ends(subscriptions: pl.LazyFrame) -> pl.LazyFrame:
    return subscriptions.select("subscription_id", subscription_end="ending_before")
