"""Recurring commits and credits: one balance per recurrence (docs/semantics.md, Recurring commits and credits)."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.proration import prorated
from billing_assets.charges.terms import RecurrenceTerms
from billing_assets.money import or_zero, zero
from billing_assets.periods import anchored, hours_between, offset

_TICK = pl.duration(microseconds=1)
_TERMS = (
    "recurring_id",
    "unit_amount",
    "access_quantity",
    "invoice_unit_amount",
    "invoice_quantity",
    "frequency_months",
    "frequency_weeks",
    "duration_periods",
    "prorate_first",
    "prorate_last",
    "subscription_id",
    "allocation",
    "is_prorated",
)
"""What a recurring commit says of its recurrences, beside what it says of each balance."""
_RECURRENCE = (
    *("since", "horizon", "period_start", "period_end", "full_start", "full_end"),
    *("covered_start", "covered_end", "full_hours", "access_end", "invoice_amount"),
)


def recurrences(frames: RecurrenceTerms, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (recurring commit or credit, recurrence): the balances that begin up to and including the horizon.

    Adds balance_id, period_start and period_end (cut), full_start and full_end (not cut), `covered_start`,
    `covered_end` and `full_hours` (the part that counts, and of what), `access_end`, and `invoice_amount` (null: not
    charged). `spans` has (contract_id, since, horizon); a recurrence that began before since is there while it can
    still be drawn.
    """
    start, end = pl.col("period_start"), pl.col("until")
    months, weeks, count = pl.col("frequency_months"), pl.col("frequency_weeks"), pl.col("duration_periods")
    # A month more than the duration, since a month's end may be clamped; the filter below is exact.
    earliest = pl.max_horizontal(start, offset(pl.col("since"), -count - 1, months, weeks))
    latest = pl.min_horizontal(end, pl.col("horizon") + _TICK)
    access_end = pl.min_horizontal(
        offset(pl.col("anchor_at"), pl.col("period_index") + count, months, weeks), "contract_end"
    )
    return (
        frames.recurring_balances.join(_terms(frames.contracts), on="contract_id")
        .join(spans, on="contract_id")
        .pipe(_anchor)
        .filter(start < latest, earliest < latest)
        .pipe(anchored, earliest, latest)
        .with_columns(
            period_start=pl.max_horizontal("full_start", "period_start"),
            period_end=pl.min_horizontal("full_end", "until"),
            access_end=access_end,
        )
        .filter((pl.col("access_end") >= pl.col("since")) | (pl.col("period_start") >= pl.col("since")))
        .pipe(_covered)
        .with_columns(balance_id=recurrence_id(pl.col("commit_id"), pl.col("period_start")))
        .drop("anchor_at", "until", "period_index", "contract_start", "contract_end", "starting_at", "ending_before")
    )


def recurring_access(found: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment_id: recurrences that grant unit price x quantity, with the columns of a balance and `grant_type`.

    `found` is what `recurrences` returns; those that grant by seats are `seat_access`.
    """
    covered = hours_between(pl.col("covered_start"), pl.col("covered_end"))
    return (
        found.filter(pl.col("subscription_id").is_null())
        .with_columns(amount=prorated(pl.col("unit_amount") * pl.col("access_quantity"), covered, pl.col("full_hours")))
        .with_columns(
            segment_id=pl.concat_str("balance_id", pl.lit("/1")), starting_at="period_start", grant_type=pl.lit("GRANT")
        )
        .pipe(as_balances)
    )


def as_balances(granted: pl.LazyFrame) -> pl.LazyFrame:
    """Segments with their access, and their cost, which is that of the whole recurrence."""
    return (
        granted.with_columns(cost=or_zero("invoice_amount"), ending_before="access_end")
        .filter(pl.col("amount") != zero())
        .drop(_TERMS, _RECURRENCE)
    )


def recurrence_id(commit_id: pl.Expr, at: pl.Expr) -> pl.Expr:
    """`<id>@2026-02-01`, with the hour where it is not midnight (case 37)."""
    return pl.concat_str(commit_id, pl.lit("@"), instant_text(at))


def instant_text(at: pl.Expr) -> pl.Expr:
    return pl.when(at.dt.hour() == 0).then(at.dt.strftime("%Y-%m-%d")).otherwise(at.dt.strftime("%Y-%m-%dT%H"))


def _terms(contracts: pl.LazyFrame) -> pl.LazyFrame:
    return contracts.select(
        "contract_id", "anchor_at", contract_start="starting_at", contract_end="ending_before",
        usage_months="frequency_months", usage_weeks="frequency_weeks",
    )  # fmt: skip


def _anchor(recurring: pl.LazyFrame) -> pl.LazyFrame:
    """With a frequency of its own it is counted from its start, else it follows the usage periods."""
    own = pl.col("frequency_months").is_not_null() | pl.col("frequency_weeks").is_not_null()
    start = pl.max_horizontal("starting_at", "contract_start")
    return recurring.with_columns(
        period_start=start,
        until=pl.min_horizontal("ending_before", "contract_end"),
        anchor_at=pl.when(own).then(start).otherwise("anchor_at"),
        frequency_months=pl.when(own).then(pl.col("frequency_months").fill_null(0)).otherwise("usage_months"),
        frequency_weeks=pl.when(own).then(pl.col("frequency_weeks").fill_null(0)).otherwise("usage_weeks"),
    ).drop("usage_months", "usage_weeks")


def _covered(found: pl.LazyFrame) -> pl.LazyFrame:
    """What counts of the full period: all but the head of a first one and the tail of a last one, where prorated."""
    full = hours_between(pl.col("full_start"), pl.col("full_end"))
    return found.with_columns(
        covered_start=pl.when("prorate_first").then("period_start").otherwise("full_start"),
        covered_end=pl.when("prorate_last").then("period_end").otherwise("full_end"),
        full_hours=full,
    ).with_columns(
        invoice_amount=prorated(
            pl.col("invoice_unit_amount") * pl.col("invoice_quantity"),
            hours_between(pl.col("covered_start"), pl.col("covered_end")),
            pl.col("full_hours"),
        )
    )
