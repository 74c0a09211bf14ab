"""Adjustments: lines that follow from the lines before them, in the order of ORDER_OF_CHARGES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.money import ONE, decimal, or_zero, zero
from billing_assets.rating.grain import FAMILY
from billing_assets.rating.lines import as_rated_lines
from billing_assets.rating.order import ORDER_OF_CHARGES
from billing_assets.rating.versions import at_the_end

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

FAMILY_CHARGE = ("usage", "discount", "maximum_adjustment")
"""Line types that make up a family's charge, so far, when a limit is compared with it."""


def maximum_adjustment() -> pl.Expr:
    """What brings the charge down to the maximum, negative; null where the maximum does not bind."""
    difference = pl.col("maximum") - pl.col("charge")
    return pl.when(difference < zero()).then(difference)


def minimum_adjustment() -> pl.Expr:
    """What brings the charge up to the minimum, positive; null where the charge reaches it, or nothing is due."""
    difference = pl.col("minimum") - pl.col("charge")
    due = pl.col("due_without_usage") | pl.col("has_usage")
    return pl.when(due & (difference > zero())).then(difference)


ADJUSTMENTS: Mapping[str, Callable[[], pl.Expr]] = {
    "maximum": maximum_adjustment,
    "minimum": minimum_adjustment,
}
"""Steps of ORDER_OF_CHARGES that add a `<step>_adjustment` line to a family."""


def adjust(lines: pl.LazyFrame, limits: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """`lines` and the adjustment lines of their families; RATED_LINE.

    `limits` as `limits.limits` returns it. The chain runs in the order of ORDER_OF_CHARGES on the family's running
    charge: usage lines with their fees and discounts, then the maximum, then the minimum on what is left.
    """
    lines, limits = lines.cache(), limits.cache()
    charged = limits.join(family_charges(lines, limits), on=FAMILY, how="left").with_columns(
        charge=or_zero("charge"), has_usage=pl.col("has_usage").fill_null(False)
    )
    steps = [step.name for step in ORDER_OF_CHARGES if step.name in ADJUSTMENTS]
    for step in steps:
        charged = charged.with_columns(ADJUSTMENTS[step]().alias(step + "_adjustment")).with_columns(
            charge=pl.col("charge") + or_zero(step + "_adjustment")
        )
    return pl.concat([lines, *(adjustment_lines(charged, step, frames.product_versions) for step in steps)])


def family_charges(lines: pl.LazyFrame, limits: pl.LazyFrame) -> pl.LazyFrame:
    """Grain family with a limit: charge at list prices after discounts, and whether it has a usage line."""
    return (
        lines.filter(pl.col("line_type").is_in(FAMILY_CHARGE))
        .join(limits.select(FAMILY), on=FAMILY, how="semi")
        .group_by(FAMILY)
        .agg(charge=pl.col("amount").sum(), has_usage=(pl.col("line_type") == "usage").any())
    )


def adjustment_lines(charged: pl.LazyFrame, step: str, versions: pl.LazyFrame) -> pl.LazyFrame:
    """One line per family that `step` adjusts: quantity 1, dated over the period, without presentation values."""
    line_type = step + "_adjustment"
    terms = ("product_type", "name", "tags", "billable_metric_id", "starting_at", "ending_before")
    amount = pl.col(line_type)
    return (
        charged.filter(amount.is_not_null())
        .pipe(at_the_end, versions.select("product_id", *terms))
        .with_columns(
            line_type=pl.lit(line_type),
            is_fee=pl.lit(False),
            quantity=decimal(ONE),
            unit_price=amount,
            amount=amount,
            list_unit_price=amount,
            list_amount=amount,
            starting_at="period_start",
            ending_before="period_end",
            price_lane=pl.lit("LIST"),
        )
        .pipe(as_rated_lines)
    )
