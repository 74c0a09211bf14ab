"""Adjustments: lines that follow from the lines before them, in the order of ORDER_OF_CHARGES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.line_order import order_of_lines
from billing_assets.money import ONE, decimal, or_zero, proportion, zero
from billing_assets.rating.grain import LIMITED
from billing_assets.rating.lines import as_rated_lines, in_last_hour
from billing_assets.rating.order import ORDER_OF_CHARGES
from billing_assets.rating.versions import at_the_end

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

CHARGED_TYPES = ("usage", "composite")
"""Line types that are priced by a rate which may state limits, and that a cap is shared over."""

FAMILY_CHARGE = (*CHARGED_TYPES, "discount", "maximum_adjustment")
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
    """`lines` and the adjustment lines of their families; RATED_LINE, and null in what more columns `lines` has.

    `limits` as `limits.limits` returns it. The chain runs in the order of ORDER_OF_CHARGES on the family's running
    charge: usage lines with their fees and discounts, then the maximum, then the minimum on what is left. A maximum
    that binds is shared out into `net` of the lines that it caps.
    """
    lines, families = lines.with_row_index("line").cache(), limits.with_row_index("family").cache()
    members = family_lines(lines, families).cache()
    charged = families.join(family_charges(members), on="family", how="left").with_columns(
        charge=or_zero("charge"), has_usage=pl.col("has_usage").fill_null(False)
    )
    steps = [step.name for step in ORDER_OF_CHARGES if step.name in ADJUSTMENTS]
    for step in steps:
        charged = charged.with_columns(ADJUSTMENTS[step]().alias(step + "_adjustment")).with_columns(
            charge=pl.col("charge") + or_zero(step + "_adjustment")
        )
    charged = charged.cache()
    return pl.concat(
        [
            capped(lines, cap_shares(lines, members, charged)),
            *(adjustment_lines(charged, step, frames.product_versions) for step in steps),
        ],
        how="diagonal",
    )


def family_lines(lines: pl.LazyFrame, families: pl.LazyFrame) -> pl.LazyFrame:
    """Lines of the charge of a family with a limit, by their number and the number of the family."""
    return (
        lines.filter(pl.col("line_type").is_in(FAMILY_CHARGE))
        .select("line", *LIMITED, "line_type", "amount", "net")
        .join(families.select("family", *LIMITED), on=LIMITED)
        .drop(LIMITED)
    )


def family_charges(members: pl.LazyFrame) -> pl.LazyFrame:
    """Grain family: charge at list prices after discounts, and whether it has a usage line."""
    return members.group_by("family").agg(
        charge=pl.col("amount").sum(), has_usage=pl.col("line_type").is_in(CHARGED_TYPES).any()
    )


def cap_shares(lines: pl.LazyFrame, members: pl.LazyFrame, charged: pl.LazyFrame) -> pl.LazyFrame:
    """Grain line of a capped family with a positive discounted amount: `cap_share`, what the maximum takes off it.

    Pro rata to the discounted amount by cumulative rounding in the order of lines, so that the last takes the rest
    (docs/semantics.md, Net amounts).
    """
    binding = charged.filter(pl.col("maximum_adjustment").is_not_null()).select("family", cap="maximum_adjustment")
    capped_lines = (
        members.filter(pl.col("line_type").is_in(CHARGED_TYPES), pl.col("net") > zero())
        .select("line", "family")
        .join(binding, on="family")
    )
    to_date = proportion(pl.col("net").cum_sum().over("family"), pl.col("net").sum().over("family"), -pl.col("cap"))
    before = pl.col("to_date").shift(1, fill_value=zero()).over("family")
    return (
        lines.join(capped_lines, on="line")
        .sort(order_of_lines(), nulls_last=False)
        .with_columns(to_date=to_date)
        .select("line", cap_share=pl.col("to_date") - before)
    )


def capped(lines: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """`lines` net of what a maximum takes off them; they have no prices of a commit's own then."""
    share = pl.col("cap_share")
    return (
        lines.join(shares, on="line", how="left")
        .with_columns(net=pl.col("net") - or_zero("cap_share"), caps_lanes=pl.col("caps_lanes") | share.is_not_null())
        .drop("line", "cap_share")
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
            net=amount if step == "minimum" else zero(),
            caps_lanes=pl.lit(value=False),
            **in_last_hour(),
        )
        .pipe(as_rated_lines)
    )
