"""Scheduled charges: amounts at named instants, and amounts that come back (docs/semantics.md, Scheduled charges)."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.lines import as_charges, dated_charges
from billing_assets.charges.terms import ScheduledTerms
from billing_assets.money import decimal, to_minor_unit
from billing_assets.periods import anchored

_ITEM = ("charge_id", "contract_id", "product_id", "name", "charged_at", "amount")


def scheduled_lines(frames: ScheduledTerms, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (scheduled charge, instant, charge_number): CHARGE lines of line_type scheduled, quantity 1.

    `spans` has (contract_id, since, horizon): charges of since <= instant <= horizon.
    """
    items = pl.concat(
        [frames.scheduled_charges.select(_ITEM), recurring_items(frames.recurring_charges, frames.contracts, spans)]
    )
    return (
        items.pipe(dated_charges, frames.contracts, spans)
        .sort("charge_id", "charged_at", "amount")
        .with_columns(
            line_type=pl.lit("scheduled"),
            scheduled_charge_id="charge_id",
            quantity=decimal(1),
            unit_price="amount",
            charge_number=pl.int_range(pl.len(), dtype=pl.Int64).over("contract_id", "charge_id", "charged_at"),
        )
        .pipe(as_charges, frames.product_versions)
    )


def recurring_items(recurring: pl.LazyFrame, contracts: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (recurring charge, occurrence): `charged_at` and `amount`.

    Occurrences are counted from the charge's start and never chained, before its own or the contract's end. What is
    divided has all of them, whatever the horizon, since the parts depend on their number.
    """
    start, end, divided = pl.col("starting_at"), pl.col("until"), pl.col("distribution") != "EACH"
    after_horizon = pl.col("horizon") + pl.duration(microseconds=1)
    dated = recurring.join(contracts.select("contract_id", contract_end="ending_before"), on="contract_id").join(
        spans, on="contract_id"
    )
    return (
        dated.with_columns(until=pl.min_horizontal("ending_before", "contract_end"))
        .with_columns(until=pl.when(divided).then(end).otherwise(pl.min_horizontal(end, after_horizon)))
        .filter(start < end)
        .pipe(anchored, start, end, anchor="starting_at")
        .with_columns(occurrences=pl.len().over("charge_id", "contract_id").cast(pl.Int64))
        .with_columns(charged_at="full_start", amount=pl.when(divided).then(parts()).otherwise("amount"))
        .select(_ITEM)
    )


def parts() -> pl.Expr:
    """`amount` over `occurrences`, the part of `period_index`: rounded, and the last takes the rest (case 36)."""
    count = pl.col("occurrences") * decimal(1)
    quotient = pl.col("amount") / count
    rounded = to_minor_unit(quotient, pl.col("minor_digits"))
    part = pl.when(pl.col("distribution") == "DIVIDED_ROUNDED").then(rounded).otherwise(quotient)
    rest = pl.col("amount") - part * (count - decimal(1))
    return pl.when(pl.col("period_index") == pl.col("occurrences") - 1).then(rest).otherwise(part)
