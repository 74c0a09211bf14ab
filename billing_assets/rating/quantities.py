"""Quantities: from a metric's cumulative to the running rated quantity that moves through tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    numbered = segments.with_columns(group=group_number()).with_columns(parts=pl.len().over("group")).cache()
    alone, several = numbered.filter(pl.col("parts") == 1), numbered.filter(pl.col("parts") > 1)
    moved = [
        part.pipe(cumulate, frames.product_versions, within).pipe(increments).pipe(running, within)
        for part, within in ((alone, ALONE), (several, SEVERAL))
    ]
    return pl.concat(moved).drop("group", "parts").pipe(beyond_last_tier, frames)


def group_number() -> pl.Expr:
    """A number that the segments of a group have in common: windows over five texts cost several times as much."""
    texts = [pl.col(name).cast(pl.Categorical).to_physical() for name in GROUP if name != "period_start"]
    return pl.struct("period_start", *texts).rank("dense")


@dataclass(frozen=True, slots=True)
class Within:
    """How a value of a segment relates to those before it in its group, in the order of their starts."""

    before: Callable[[pl.Expr], pl.Expr]
    to_date: Callable[[pl.Expr], pl.Expr]
    total: Callable[[pl.Expr], pl.Expr]


ALONE = Within(
    before=lambda value: pl.when(pl.lit(value=False)).then(value),
    to_date=lambda value: value,
    total=lambda value: value,
)
"""Groups of one segment, as nearly all are: nothing comes before it, and a window for each of them would cost much."""

SEVERAL = Within(
    before=lambda value: value.shift(1).over("group", order_by="segment_start"),
    to_date=lambda value: value.cum_sum().over("group", order_by="segment_start"),
    total=lambda value: value.sum().over("group"),
)


def cumulate(segments: pl.LazyFrame, versions: pl.LazyFrame, within: Within) -> pl.LazyFrame:
    """Adds the cumulative at both ends, converted and rounded, and always_shown: the product has a line without events.

    Both ends by the version of the product in the segment, so that a new conversion converts only what follows it.
    """
    units = ("conversion_factor", "conversion_operation", "rounding_method", "rounding_unit")
    keyless = (pl.col("pricing_keys").list.len() == 0) & (pl.col("presentation_keys").list.len() == 0)
    return (
        segments.with_columns(raw_before=within.before(pl.col("raw_cumulative")))
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


def running(segments: pl.LazyFrame, within: Within) -> pl.LazyFrame:
    """Adds the running quantity and events at both ends of each segment, the period's total, and `opens`."""
    quantity, shown = pl.col("rated_quantity"), pl.col("has_line").cast(pl.Int64)
    return (
        segments.with_columns(
            running_end=within.to_date(quantity),
            running_events_end=within.to_date(pl.col("rated_events")),
            lines_to_date=within.to_date(shown),
            period_quantity=within.total(quantity),
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
