"""Scheduled charges: amounts at named instants, and amounts that come back (docs/semantics.md, Scheduled charges)."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.lines import as_charges, dated_charges
from billing_assets.charges.terms import ScheduledTerms
from billing_assets.money import decimal, to_minor_unit
from billing_assets.periods import anchored

TICK = pl.duration(microseconds=1)
_ITEM = ("charge_id", "contract_id", "product_id", "name", "charged_at", "amount")


def scheduled_lines(frames: ScheduledTerms, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (scheduled charge, instant, charge_number): CHARGE lines of line_type scheduled, quantity 1.

    `spans` has (contract_id, since, horizon): charges of since <= instant <= horizon.
    """
    named = frames.scheduled_charges.select(
        *_ITEM, charge_number=pl.int_range(pl.len(), dtype=pl.Int64).over(*_ITEM[:2], "charged_at", order_by="amount")
    )
    recurring = recurring_items(frames.recurring_charges, frames.contracts, spans).with_columns(
        charge_number=pl.lit(0, dtype=pl.Int64)
    )
    return (
        pl.concat([named, recurring])
        .pipe(dated_charges, frames.contracts, spans)
        .with_columns(
            line_type=pl.lit("scheduled"), scheduled_charge_id="charge_id", quantity=decimal(1), unit_price="amount"
        )
        .pipe(as_charges, frames.product_versions)
    )


def recurring_items(recurring: pl.LazyFrame, contracts: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (recurring charge, occurrence in since..horizon): `charged_at` and `amount`.

    Occurrences are counted from the charge's start and never chained, before its own or the contract's end. What is
    divided is divided by all of them, whatever the horizon.
    """
    start, end = pl.col("starting_at"), pl.col("until")
    earliest = pl.max_horizontal(start, "since")
    latest = pl.min_horizontal(end, pl.col("horizon") + TICK)
    ends = contracts.select("contract_id", contract_end="ending_before")
    return (
        recurring.join(ends, on="contract_id")
        .join(spans, on="contract_id")
        .with_columns(until=pl.min_horizontal("ending_before", "contract_end"))
        .filter(earliest < latest)
        .pipe(_counted)
        .pipe(anchored, earliest, latest, anchor="starting_at")
        .with_columns(
            charged_at="full_start", amount=pl.when(pl.col("distribution") == "EACH").then("amount").otherwise(parts())
        )
        .select(_ITEM)
    )


def _counted(recurring: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `occurrences` of what is divided: one more than the number of the last, in whose interval the end falls."""
    end = pl.col("until")
    last = (
        recurring.filter(pl.col("distribution") != "EACH")
        .pipe(anchored, end - TICK, end, anchor="starting_at")
        .select(*_ITEM[:2], occurrences=pl.col("period_index") + 1)
    )
    return recurring.join(last, on=_ITEM[:2], how="left")


def parts() -> pl.Expr:
    """`amount` over `occurrences`, the part of `period_index`: rounded, and the last takes the rest (case 36)."""
    count = pl.col("occurrences") * decimal(1)
    quotient = pl.col("amount") / count
    rounded = to_minor_unit(quotient, pl.col("minor_digits"))
    part = pl.when(pl.col("distribution") == "DIVIDED_ROUNDED").then(rounded).otherwise(quotient)
    rest = pl.col("amount") - part * (count - decimal(1))
    return pl.when(pl.col("period_index") == pl.col("occurrences") - 1).then(rest).otherwise(part)
