"""Lines: priced usage, one line per band that a segment moves in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.money import zero
from billing_assets.rating.axes import (
    holds_period_quantity,
    in_range,
    line_quantity,
    moved_at_all,
    unit_price,
)
from billing_assets.rating.bands import bands
from billing_assets.rating.formulas import charges
from billing_assets.rating.overrides import multiplier_ranges
from billing_assets.rating.versions import VERSION

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

RATED_LINE: dict[str, pl.DataType] = {
    "contract_id": pl.String(),
    "customer_id": pl.String(),
    "currency": pl.String(),
    "minor_digits": pl.Int64(),
    "period_start": pl.Datetime("us", "UTC"),
    "period_end": pl.Datetime("us", "UTC"),
    "line_type": pl.String(),
    "product_id": pl.String(),
    "product_type": pl.String(),
    "name": pl.String(),
    "tags": pl.String(),
    "billable_metric_id": pl.String(),
    "pricing_group_values": pl.String(),
    "presentation_group_values": pl.String(),
    "tier_level": pl.Int64(),
    "tier_lower": DECIMAL,
    "tier_upper": DECIMAL,
    "is_fee": pl.Boolean(),
    "quantity": DECIMAL,
    "unit": pl.String(),
    "unit_price": DECIMAL,
    "amount": DECIMAL,
    "list_unit_price": DECIMAL,
    "list_amount": DECIMAL,
    "starting_at": pl.Datetime("us", "UTC"),
    "ending_before": pl.Datetime("us", "UTC"),
    "rate_card_id": pl.String(),
    "rate_id": pl.String(),
    "rate_type": pl.String(),
    "override_id": pl.String(),
    "price_lane": pl.String(),
    "event_count": pl.Int64(),
    "amount_unit": pl.String(),
    "net": DECIMAL,
    "discount_id": pl.String(),
    "incurred_from": pl.Datetime("us", "UTC"),
    "incurred_to": pl.Datetime("us", "UTC"),
    "caps_lanes": pl.Boolean(),
}
"""Columns of a rated line. Dates are those of its segment inside the period, not of its first and last event.
event_count is the segment's, the same on each of its tier lines, and null on fees and adjustments.

net: what commits and credits may pay, the amount with its discounts and its share of a maximum_adjustment; 0 on the
lines whose amounts are in the net of others, and where nothing may pay. incurred_from, incurred_to: the hours that must
lie inside an access segment. caps_lanes: a maximum binds in the family, so it has no prices of a commit's own.
amount_unit: the currency, or a custom pricing unit."""


def rate(quantified: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (segment, band in which it moves): usage lines, before discounts and adjustments; RATED_LINE.

    `quantified` is what `quantify` returns. Each line is quantity x unit_price = amount, rounded once. A segment
    without movement shows one line at zero, of the first tier; other bands at zero are left out. Every fee is a line of
    its own with quantity 1, or -1 where it is given back (docs/semantics.md, Flat fees, Zero lines).
    """
    rated = quantified.filter(pl.col("segment_status") == "rated", pl.col("has_line"))
    start, end = pl.col("running_start"), pl.col("running_end")
    stands = pl.col("leads") & pl.col("range_lower").is_null() & (moved_at_all() == zero())
    return (
        rated.join(bands(frames), on="price_id")
        .filter(~pl.col("whole_period") | holds_period_quantity())
        .join(multiplier_ranges(frames), on="override_id", how="left")
        .filter(in_range())
        .pipe(charges, frames.expressions, {"charge_start": start, "charge_end": end})
        .with_columns(line_quantity=line_quantity(), unit_price=unit_price(), stands=stands)
        .filter((pl.col("line_quantity") != zero()) | pl.col("stands"))
        .pipe(describe, frames.product_versions)
    )


def shown_tier() -> list[pl.Expr]:
    """The tier that a line names: the price's own, cut by an override's range; the range where the price has none."""
    ranged = ~pl.col("is_fee") & (pl.col("range_lower").is_not_null() | pl.col("range_upper").is_not_null())
    whole = pl.col("whole_period")
    lower = pl.when(whole).then("range_lower").otherwise(pl.max_horizontal("tier_lower", "range_lower"))
    upper = pl.when(whole).then("range_upper").otherwise(pl.min_horizontal("tier_upper", "range_upper"))
    return [
        pl.when(ranged).then(pl.coalesce("tier_level", "range_level")).otherwise("tier_level").alias("tier_level"),
        pl.when(ranged).then(lower).otherwise("tier_lower").alias("tier_lower"),
        pl.when(ranged).then(upper).otherwise("tier_upper").alias("tier_upper"),
    ]


def describe(priced: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Priced bands as usage lines: what the product then says of itself, dates, and the amount."""
    described = versions.select(*VERSION, "product_type", "name", "tags", "billable_metric_id", "unit")
    counts_units = pl.col("axis").is_in(["quantity", "excess"])
    return (
        priced.drop("quantity")
        .join(described, on=VERSION)
        .with_columns(
            *shown_tier(),
            line_type=pl.lit("usage"),
            quantity="line_quantity",
            unit=pl.when(counts_units).then("unit"),
            amount=pl.col("line_quantity") * pl.col("unit_price"),
            starting_at="segment_start",
            ending_before="segment_end",
            price_lane=pl.lit("LIST"),
            event_count=pl.when(~pl.col("is_fee")).then("event_count"),
            amount_unit=pl.coalesce("pricing_unit", "currency"),
            incurred_from="segment_start",
            incurred_to="segment_end",
            caps_lanes=pl.lit(value=False),
        )
        .with_columns(list_unit_price="unit_price", list_amount="amount", net="amount")
        .pipe(as_rated_lines)
    )


def as_rated_lines(lines: pl.LazyFrame, more: Iterable[str] = ()) -> pl.LazyFrame:
    """The columns of RATED_LINE in their order and types, one that `lines` lacks null; and `more` as they are."""
    present = lines.collect_schema().names()
    return lines.select(
        *(
            (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in RATED_LINE.items()
        ),
        *more,
    )


def in_last_hour() -> dict[str, pl.Expr]:
    """When a line without hours of its own is incurred: in the last hour of the period."""
    end = pl.col("period_end")
    return {"incurred_from": end - pl.duration(hours=1), "incurred_to": end}
