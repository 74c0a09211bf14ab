"""Segments: the spans of a billing period in which a group has one rate and one override."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import NO_GROUP, TIMESTAMP
from billing_assets.rating.grain import GROUP, PERIOD, SITUATION
from billing_assets.rating.timelines import situate, timelines
from billing_assets.rating.versions import of_shown_keys

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames


def segments(
    groups: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames, cuts: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """`spans` of groups that usage is shown by: superseded too where the product shows it by other keys.

    `cuts` has GROUP and `at`: further bounds, where a discount or an access segment begins or ends (None: there are
    none). Every part of a cut span is a segment of its own, of the same rate and override.
    """
    whole = spans(groups, periods, frames).pipe(of_shown_keys, frames.product_versions)
    return whole if cuts is None else cut(whole, cuts)


def cut(whole: pl.LazyFrame, cuts: pl.LazyFrame) -> pl.LazyFrame:
    """`whole` with its segments cut at those of `cuts` (GROUP and `at`) that lie inside them."""
    numbered = whole.with_row_index("segment").cache()
    inside = (pl.col("segment_start") < pl.col("at")) & (pl.col("at") < pl.col("segment_end"))
    bounds = (
        numbered.select("segment", *GROUP, "segment_start", "segment_end")
        .join(cuts, on=GROUP)
        .filter(inside)
        .group_by("segment")
        .agg(pl.col("at").unique().sort())
    )
    none = pl.lit([], dtype=pl.List(TIMESTAMP))
    at = pl.col("at").fill_null(none)
    return (
        numbered.join(bounds, on="segment", how="left")
        .with_columns(
            segment_start=pl.concat_list(pl.col("segment_start"), at), segment_end=pl.concat_list(at, "segment_end")
        )
        .drop("segment", "at")
        .explode("segment_start", "segment_end")
    )


def spans(
    groups: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames, rates: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Grain (group, segment): the groups of `groups` with the hours of their period, each hour in one segment.

    `groups` has the columns of GROUP, one row each; `periods` one row per (contract, billing period) with PERIOD.
    Adds PERIOD, segment_start, segment_end, segment_status ("rated", "unrated", "not_entitled", "superseded"),
    product_version (null where superseded: the product has other keys then), and for rated ones rate_id (null where the
    card has none), override_id and override_type of the winner (null: none), price_id of the base price, pricing_unit
    of its amounts (the rate's; null: the currency). Neighbours
    with another rate row, winner or version are two segments, even at the same price
    (docs/semantics.md, Rate segments). `rates`: None for those of usage.
    """
    placed = (
        groups.join(periods.select("contract_id", "period_start", *PERIOD), on=["contract_id", "period_start"])
        .pipe(situate, frames.override_targets)
        .cache()
    )
    situations = placed.select(SITUATION).unique().sort(SITUATION).with_row_index("situation").cache()
    span = periods.select(since=pl.col("period_start").min(), until=pl.col("period_end").max())
    return (
        placed.join(situations, on=SITUATION)
        .join(timelines(situations, frames.rates if rates is None else rates, frames, span), on="situation")
        .with_columns(
            segment_start=pl.max_horizontal("starting_at", "period_start"),
            segment_end=pl.min_horizontal("ending_before", "period_end"),
        )
        .filter(pl.col("segment_start") < pl.col("segment_end"))
        .select(
            *GROUP,
            *PERIOD,
            "segment_start",
            "segment_end",
            "segment_status",
            "product_version",
            "rate_id",
            "override_id",
            "override_type",
            "price_id",
            "pricing_unit",
        )
    )


def standing_groups(periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """The groups that have a line even without usage: products with neither pricing nor presentation key.

    Columns of GROUP, with both group values empty. Minimums of other products need none: `limits` finds them.
    """
    keyless = (pl.col("pricing_keys").list.len() == 0) & (pl.col("presentation_keys").list.len() == 0)
    plain = frames.product_versions.filter(keyless).select("product_id").unique()
    return (
        periods.select("contract_id", "period_start")
        .join(frames.contract_products, on="contract_id")
        .join(plain, on="product_id", how="semi")
        .with_columns(pricing_group_values=pl.lit(NO_GROUP), presentation_group_values=pl.lit(NO_GROUP))
        .select(GROUP)
    )
