"""Bands: every rate type as prices along an axis.

A *band* is one price of a rate: a stretch (lower, upper] of the group's running rated quantity, an axis that says what
is counted while the quantity moves through it, and a unit price. The quantity of a line is how far the axis moves:
`T(end) - T(start)` (docs/semantics.md, Charge of a window). So tiers, packages, percentages and fees are one piece of
arithmetic, and a change of price inside a period needs no other.

Axes (`axes.position` has the formulas):

    quantity   the running quantity inside the band
    packages   packages begun
    excess     the part above the free amount
    events     rated events above the free events
    entry      1 once the quantity has passed the band's lower bound: the fee of a tier above the first
    charge     what a CUSTOM rate's expression gives
    opening    1 from the group's first line on: the fee of the first tier, or of a VOLUME tier
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.money import ONE, decimal, zero
from billing_assets.rating.formulas import charges

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

BAND = (
    "price_id",
    "axis",
    "tier_level",
    "tier_lower",
    "tier_upper",
    "list_price",
    "is_fee",
    "whole_period",
    "leads",
    "package_size",
    "free",
    "expression",
)
"""`whole_period`: only the band that holds the period's quantity counts, and it prices all of it (VOLUME). `leads`: the
band that shows a line at zero. `free`: what the axis leaves out, in its own unit. `is_fee`: sorted after its tier."""


def bands(frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (price, band): every price of the catalog, of every rate type, with the columns of BAND."""
    prices = charges(frames.prices, frames.expressions, {"charge_of_nothing": zero()})
    tiers = frames.price_tiers.join(frames.prices.select("price_id", "rate_type"), on="price_id")
    parts = [
        part
        for rate_type, build in RATE_TYPES.items()
        for part in build(
            prices.filter(pl.col("rate_type") == rate_type),
            tiers.filter(pl.col("rate_type") == rate_type),
        )
    ]
    return pl.concat(parts)


def flat(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    return [_band(prices, "quantity", leads=pl.lit(True))]


def graduated(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Each tier prices what lies in it; its fee is due once, when it is entered."""
    fees = tiers.filter(pl.col("flat_fee").is_not_null()).with_columns(price="flat_fee")
    first = pl.col("tier_level") == 1
    return [
        _band(tiers, "quantity", leads=first),
        _band(fees.filter(first), "opening", is_fee=True),
        _band(fees.filter(~first), "entry", is_fee=True),
    ]


def volume(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """The tier that the period's quantity falls in prices all of it."""
    fees = tiers.filter(pl.col("flat_fee").is_not_null()).with_columns(price="flat_fee")
    return [
        _band(tiers, "quantity", whole_period=True, leads=pl.lit(True)),
        _band(fees, "opening", whole_period=True, is_fee=True),
    ]


def package(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    sized = prices.with_columns(size="package_size", free="free_units")
    return [_band(sized, "packages", leads=pl.lit(True))]


def percentage(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """A fraction of the amount above `free_amount`, and a fee for each event above `free_events`."""
    fees = prices.filter(pl.col("fixed_fee").is_not_null()).with_columns(price="fixed_fee", free="free_events")
    return [
        _band(prices.with_columns(free="free_amount"), "excess", leads=pl.lit(True)),
        _band(fees, "events", is_fee=True),
    ]


def custom(prices: pl.LazyFrame, tiers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """The movement of the expression; what it gives for nothing is due once, like the fee of a first tier."""
    constant = pl.col("charge_of_nothing")
    return [
        _band(prices.with_columns(price=decimal(ONE)), "charge", leads=pl.lit(True)),
        _band(prices.filter(constant != zero()).with_columns(price=constant), "opening", is_fee=True),
    ]


RateType = Callable[[pl.LazyFrame, pl.LazyFrame], list[pl.LazyFrame]]

RATE_TYPES: Mapping[str, RateType] = {
    "FLAT": flat,
    "TIERED": graduated,
    "TIERED_PERCENTAGE": graduated,
    "VOLUME": volume,
    "PACKAGE": package,
    "PERCENTAGE": percentage,
    "CUSTOM": custom,
}


def _band(
    rows: pl.LazyFrame,
    axis: str,
    *,
    leads: pl.Expr | None = None,
    is_fee: bool = False,
    whole_period: bool = False,
) -> pl.LazyFrame:
    """Bands of one kind from rows that have price_id and price; what the rows lack is null."""
    names = rows.collect_schema().names()

    def given(column: str, dtype: pl.DataType) -> pl.Expr:
        return (pl.col(column) if column in names else pl.lit(None)).cast(dtype)

    return rows.select(
        "price_id",
        axis=pl.lit(axis),
        tier_level=given("tier_level", pl.Int64()),
        tier_lower=given("tier_lower", DECIMAL),
        tier_upper=given("tier_upper", DECIMAL),
        list_price=pl.col("price").cast(DECIMAL),
        is_fee=pl.lit(is_fee),
        whole_period=pl.lit(whole_period),
        leads=pl.lit(False) if leads is None else leads,
        package_size=given("size", DECIMAL),
        free=given("free", DECIMAL),
        expression=given("expression", pl.String()),
    )
