"""Quantities: from a metric's cumulative to the running rated quantity that moves through tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.money import or_zero, symmetric_round, zero
from billing_assets.rating.grain import GROUP
from billing_assets.rating.versions import VERSION

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames


def converted(column: str = "raw_cumulative") -> pl.Expr:
    """The cumulative in the product's unit: multiplied or divided once, rounded once."""
    raw, factor = or_zero(column), pl.col("conversion_factor")
    return (
        pl.when(pl.col("conversion_operation") == "MULTIPLY")
        .then(raw * factor)
        .when(pl.col("conversion_operation") == "DIVIDE")
        .then(raw / factor)
        .otherwise(raw)
    )


def rounded(quantity: pl.Expr) -> pl.Expr:
    """`quantity` by the product's rounding, symmetric about zero; as it is where there is none."""
    method = pl.col("rounding_method")
    return (
        pl.when(method.is_null()).then(quantity).otherwise(symmetric_round(quantity, method, pl.col("rounding_unit")))
    )


def quantify(segments: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (group, segment): `segments` with its cumulative, and where it moves the group's running rated quantity.

    Needs raw_cumulative (the metric's value from the period's start to the segment's end, 0 for nothing), event_count.
    The cumulative, its conversion and its rounding run over all hours; the running quantity skips hours that are not
    entitled or unrated (docs/semantics.md, Entitlement). Adds

    * quantity: increment of the converted, rounded cumulative, whatever the status, by the segment's version
    * running_start, running_end: the running rated quantity; equal where the segment is not rated
    * running_events_start, running_events_end: the same of rated events
    * period_quantity: the running rated quantity at the period's end, which places VOLUME
    * has_line: rated, and to be shown (always for a product without keys, else with an event or a quantity)
    * opens: the group's first segment that has a line, which carries the fee of the first tier
    * rate_type, tiers_end (end of the price's last tier, null: open)
    * unrated_reason (why an unrated quantity would be: "no_rate", "beyond_last_tier"), unrated_quantity (signed)

    and sets segment_status to "unrated" where a VOLUME table ends below the period's quantity: all of it is unrated
    then, though it still moves the running quantity. Beyond the last tier of a TIERED table only the excess is unrated;
    the segment stays "rated" and its events billed, while the hold names the excess.
    """
    return (
        segments.pipe(cumulate, frames.product_versions).pipe(increments).pipe(running).pipe(beyond_last_tier, frames)
    )


def cumulate(segments: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the cumulative at both ends, converted and rounded, and always_shown: the product has a line without events.

    Both ends by the version of the product in the segment, so that a new conversion converts only what follows it.
    """
    units = ("conversion_factor", "conversion_operation", "rounding_method", "rounding_unit")
    keyless = (pl.col("pricing_keys").list.len() == 0) & (pl.col("presentation_keys").list.len() == 0)
    before = pl.col("raw_cumulative").shift(1).over(*GROUP, order_by="segment_start")
    return (
        segments.with_columns(raw_before=before)
        .join(versions.select(*VERSION, *units, always_shown=keyless), on=VERSION, how="left")
        .with_columns(cumulative=converted(), cumulative_before=converted("raw_before"))
        .with_columns(cumulative=rounded(pl.col("cumulative")), cumulative_before=rounded(pl.col("cumulative_before")))
        .drop(*units, "raw_before")
    )


def increments(segments: pl.LazyFrame) -> pl.LazyFrame:
    """Adds quantity, has_line, and what is rated of the quantity and of the events."""
    rated = pl.col("segment_status") == "rated"
    shown = pl.col("always_shown") | (pl.col("event_count") > 0) | (pl.col("quantity") != zero())
    return (
        segments.with_columns(quantity=pl.col("cumulative") - pl.col("cumulative_before"))
        .with_columns(
            has_line=rated & shown,
            rated_quantity=pl.when(rated).then("quantity").otherwise(zero()),
            rated_events=pl.when(rated).then("event_count").otherwise(0),
        )
        .drop("always_shown", "cumulative_before")
    )


def running(segments: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the running quantity and events at both ends of each segment, the period's total, and `opens`."""

    def to_date(column: str) -> pl.Expr:
        return pl.col(column).cum_sum().over(*GROUP, order_by="segment_start")

    return (
        segments.with_columns(
            running_end=to_date("rated_quantity"),
            running_events_end=to_date("rated_events"),
            lines_to_date=pl.col("has_line").cast(pl.Int64).cum_sum().over(*GROUP, order_by="segment_start"),
            period_quantity=pl.col("rated_quantity").sum().over(*GROUP),
        )
        .with_columns(
            running_start=pl.col("running_end") - pl.col("rated_quantity"),
            running_events_start=pl.col("running_events_end") - pl.col("rated_events"),
            opens=pl.col("has_line") & (pl.col("lines_to_date") == 1),
        )
        .drop("rated_quantity", "rated_events", "lines_to_date")
    )


def overflow(running_quantity: pl.Expr, end: pl.Expr) -> pl.Expr:
    """What of a running quantity lies beyond `end`."""
    return pl.max_horizontal(running_quantity - end, zero())


def beyond_last_tier(segments: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Adds rate_type, tiers_end, unrated_reason and unrated_quantity; VOLUME beyond its last tier becomes unrated."""
    end, volume = pl.col("tiers_end"), pl.col("rate_type") == "VOLUME"
    excess = overflow(pl.col("running_end"), end) - overflow(pl.col("running_start"), end)
    beyond = volume & (pl.col("period_quantity") > end)
    moved = pl.col("running_end") - pl.col("running_start")
    no_rate = pl.col("segment_status") == "unrated"
    return segments.join(tier_ends(frames), on="price_id", how="left").with_columns(
        unrated_reason=pl.when(no_rate)
        .then(pl.lit("no_rate"))
        .when(end.is_not_null())
        .then(pl.lit("beyond_last_tier")),
        unrated_quantity=pl.when(no_rate)
        .then("quantity")
        .when(beyond)
        .then(moved)
        .when(~volume & end.is_not_null())
        .then(excess)
        .otherwise(zero()),
        segment_status=pl.when(beyond).then(pl.lit("unrated")).otherwise("segment_status"),
    )


def tier_ends(frames: CatalogFrames) -> pl.LazyFrame:
    """Grain price: rate_type, and tiers_end, the upper bound of the last tier (null: open, or no tiers)."""
    sized = (
        frames.price_tiers.group_by("price_id")
        .agg(tiers_end=pl.col("tier_upper").max(), is_open=pl.col("tier_upper").is_null().any())
        .select("price_id", tiers_end=pl.when(~pl.col("is_open")).then("tiers_end"))
    )
    return frames.prices.select("price_id", "rate_type").join(sized, on="price_id", how="left")
