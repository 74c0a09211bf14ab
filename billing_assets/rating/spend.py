"""Minimum spend: the least that a contract pays for a billing period (docs/semantics.md, Minimum spend)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.money import ONE, decimal, or_zero, zero
from billing_assets.periods import hours_between
from billing_assets.rating.conversions import UNIT, in_currency
from billing_assets.rating.grain import PERIOD
from billing_assets.rating.lines import as_rated_lines, in_last_hour

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

SPEND_TYPES = ("usage", "composite", "subscription", "minimum_adjustment", "maximum_adjustment", "discount")
"""Line types that count: no scheduled charges, no purchases of commits, no late lines."""


def minimum_spend(lines: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (contract, period) below its minimum spend: one line for the shortfall; RATED_LINE.

    `lines` has all lines of the periods' USAGE invoices at list prices, before commits and credits. The line is a
    minimum_adjustment without a product, that no balance pays; due also without any usage, prorated for a cut period.
    """
    stated = frames.contracts.filter(pl.col("minimum_spend").is_not_null()).select("contract_id", "minimum_spend")
    owing = periods.select("contract_id", "period_start", *PERIOD).join(stated, on="contract_id").cache()
    hours = hours_between(pl.col("period_start"), pl.col("period_end"))
    full = hours_between(pl.col("full_start"), pl.col("full_end"))
    least = pl.col("minimum_spend") * hours / full
    return (
        owing.join(spend_of(lines, owing, frames), on=["contract_id", "period_start"], how="left")
        .with_columns(shortfall=least - or_zero("amount"))
        .filter(pl.col("shortfall") > zero())
        .pipe(shortfall_lines)
    )


def spend_of(lines: pl.LazyFrame, owing: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (contract, period): `amount` of the lines that count, in the card's currency."""
    period = ("contract_id", "period_start")
    return (
        lines.filter(pl.col("line_type").is_in(SPEND_TYPES))
        .join(owing.select(period), on=period, how="semi")
        .group_by(*period, *UNIT)
        .agg(pl.col("amount").sum())
        .pipe(in_currency, frames.pricing_unit_conversions, "amount")
        .group_by(period)
        .agg(pl.col("amount").sum())
    )


def shortfall_lines(short: pl.LazyFrame) -> pl.LazyFrame:
    amount = pl.col("shortfall")
    return short.with_columns(
        line_type=pl.lit("minimum_adjustment"),
        name=pl.lit("Minimum spend"),
        is_fee=pl.lit(value=False),
        quantity=decimal(ONE),
        unit_price=amount,
        amount=amount,
        list_unit_price=amount,
        list_amount=amount,
        starting_at="period_start",
        ending_before="period_end",
        price_lane=pl.lit("LIST"),
        amount_unit="currency",
        net=zero(),
        caps_lanes=pl.lit(value=False),
        **in_last_hour(),
    ).pipe(as_rated_lines)
