"""Positions on an axis, and where a band begins and ends on it.

Expressions over a frame of (segment, band, override range): `bands.BAND`, the running columns of `quantify`, and
range_lower, range_upper, multiplier of the winning override (null where it multiplies nothing), and charge_start,
charge_end, what a CUSTOM expression gives at both ends.
"""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.money import decimal, zero

ON_QUANTITY = ("quantity", "packages", "excess", "charge")
"""Axes along the running quantity: ranges of a TIERED override cut them."""


def packages(quantity: pl.Expr, size: pl.Expr, free: pl.Expr) -> pl.Expr:
    """Packages begun at a running quantity: max(0, ceil((quantity - free) / size)).

    By remainder, since a quotient is rounded at the 12th place and could lose the last unit.
    """
    used = pl.max_horizontal(quantity - free.fill_null(zero()), zero())
    rest = used % size
    return (used - rest) / size + pl.when(rest > zero()).then(decimal(1)).otherwise(zero())


def above(quantity: pl.Expr, free: pl.Expr) -> pl.Expr:
    """The part of a running amount above `free`; all of it, negative too, where nothing is free."""
    return pl.when(free.is_null()).then(quantity).otherwise(pl.max_horizontal(quantity - free, zero()))


def clamp(quantity: pl.Expr, lower: pl.Expr, upper: pl.Expr) -> pl.Expr:
    """`quantity` held inside [lower, upper]; a null bound is none."""
    return pl.min_horizontal(pl.max_horizontal(quantity, lower), upper)


def price_lower() -> pl.Expr:
    """Where the band's price begins to count: not at all for VOLUME, which prices the whole quantity."""
    return pl.when(~pl.col("whole_period")).then("tier_lower")


def price_upper() -> pl.Expr:
    return pl.when(~pl.col("whole_period")).then("tier_upper")


def position(quantity: pl.Expr) -> pl.Expr:
    """Where a running quantity stands on the band's axis, for the axes along the quantity."""
    return (
        pl.when(pl.col("axis") == "packages")
        .then(packages(quantity, pl.col("package_size"), pl.col("free")))
        .when(pl.col("axis") == "excess")
        .then(above(quantity, pl.col("free")))
        .otherwise(quantity)
    )


def moved_inside() -> pl.Expr:
    """How far the segment moves inside the band and the override's range."""
    lower = pl.max_horizontal(price_lower(), "range_lower")
    upper = pl.min_horizontal(price_upper(), "range_upper")
    start = clamp(pl.col("running_start"), lower, upper)
    end = clamp(pl.col("running_end"), lower, upper)
    return pl.when(pl.col("axis") == "charge").then(charged()).otherwise(position(end) - position(start))


def charged() -> pl.Expr:
    """How far the charge of an expression moves in the segment. It has no tiers, and no ranges cut it."""
    return pl.col("charge_end") - pl.col("charge_start")


def moved_at_all() -> pl.Expr:
    """How far the segment moves on the whole axis of its price, up to the end of the last tier.

    Bands share out this movement and all have its sign, so where it is zero each of them is.
    """
    cap = pl.when(~pl.col("whole_period")).then("tiers_end")
    moved = position(pl.min_horizontal("running_end", cap)) - position(pl.min_horizontal("running_start", cap))
    return pl.when(pl.col("axis") == "charge").then(charged()).otherwise(moved)


def entered() -> pl.Expr:
    """1 where the quantity rises past the tier's lower bound, -1 where it falls back to it or below."""
    past_end = (pl.col("running_end") > pl.col("tier_lower")).cast(pl.Int64)
    past_start = (pl.col("running_start") > pl.col("tier_lower")).cast(pl.Int64)
    return (past_end - past_start).cast(DECIMAL)


def opened() -> pl.Expr:
    """1 on the group's first line. A VOLUME fee is not due for a quantity below zero."""
    refused = pl.col("whole_period") & (pl.col("period_quantity") < zero())
    return pl.when(pl.col("opens") & ~refused).then(decimal(1)).otherwise(zero())


def charged_events() -> pl.Expr:
    """Rated events of the segment above the free ones of the period."""
    free = pl.col("free").fill_null(zero())
    end = pl.max_horizontal(pl.col("running_events_end").cast(DECIMAL) - free, zero())
    return end - pl.max_horizontal(pl.col("running_events_start").cast(DECIMAL) - free, zero())


def line_quantity() -> pl.Expr:
    """The quantity of the line that the band makes of the segment."""
    return (
        pl.when(pl.col("axis").is_in(ON_QUANTITY))
        .then(moved_inside())
        .when(pl.col("axis") == "entry")
        .then(entered())
        .when(pl.col("axis") == "opening")
        .then(opened())
        .otherwise(charged_events())
    )


def holds_period_quantity() -> pl.Expr:
    """Whether the period's quantity falls in the tier (lower, upper]; below the first bound it is in the first."""
    quantity = pl.col("period_quantity")
    over = pl.col("tier_lower").is_null() | (quantity > pl.col("tier_lower"))
    return over & (pl.col("tier_upper").is_null() | (quantity <= pl.col("tier_upper")))


def in_range() -> pl.Expr:
    """Whether the override's range bears on the band.

    A band along the quantity is cut by every range that overlaps it. A tier's fee is priced in the range in which its
    tier begins. A fee per event stands outside the ranges of the quantity, and comes once.
    """
    lower, upper = pl.col("range_lower"), pl.col("range_upper")
    begins = pl.col("tier_lower").fill_null(zero())
    overlaps = (lower.is_null() | price_upper().is_null() | (lower < price_upper())) & (
        upper.is_null() | price_lower().is_null() | (price_lower() < upper)
    )
    holds = (lower.is_null() | (lower <= begins)) & (upper.is_null() | (begins < upper))
    return (
        pl.when(pl.col("axis").is_in(ON_QUANTITY))
        .then(overlaps)
        .when(pl.col("axis") == "events")
        .then(lower.is_null())
        .otherwise(holds)
    )


def unit_price() -> pl.Expr:
    """The list price after the contract's override, rounded once. A fee per event is not scaled by a range."""
    ranged = (pl.col("axis") == "events") & pl.col("range_upper").is_not_null()
    return (
        pl.when(pl.col("multiplier").is_null() | ranged)
        .then("list_price")
        .otherwise(pl.col("list_price") * pl.col("multiplier"))
    )
