"""Limits: the minimum and maximum of a family in a period (docs/semantics.md, Minimum and maximum)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import NO_GROUP
from billing_assets.money import or_zero
from billing_assets.periods import hours_between
from billing_assets.rating.grain import FAMILY, LIMITED
from billing_assets.rating.segments import spans

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames


def limits(groups: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain LIMITED that states a limit: minimum (null: none), maximum (null: no cap), due_without_usage.

    `groups` and `periods` as for `segments`. Both limits are weighted by the rated, entitled hours in which they
    are stated, over the hours of the full period, summed exactly and divided once. A segment without a minimum counts
    0; one without a maximum lifts the cap of the whole period. Overrides by presentation value do not reach a family.
    """
    hours = hours_between(pl.col("segment_start"), pl.col("segment_end"))
    full = hours_between(pl.col("full_start").first(), pl.col("full_end").first())
    stated = pl.col("minimum").is_not_null().any()
    capped = pl.col("maximum").is_not_null().all()
    carried = ("period_end", "customer_id", "rate_card_id", "currency", "minor_digits")
    return (
        families(groups, periods, frames)
        .with_columns(presentation_group_values=pl.lit(NO_GROUP))
        .pipe(spans, periods, frames)
        .filter(pl.col("segment_status") == "rated")
        .join(frames.prices.select("price_id", "minimum", "maximum"), on="price_id")
        .with_columns(amount_unit=pl.coalesce("pricing_unit", "currency"))
        .group_by(LIMITED)
        .agg(
            pl.col(carried).first(),
            minimum=pl.when(stated).then((or_zero("minimum") * hours).sum() / full),
            maximum=pl.when(capped).then((pl.col("maximum") * hours).sum() / full),
        )
        .filter(pl.col("minimum").is_not_null() | pl.col("maximum").is_not_null())
        .with_columns(due_without_usage=pl.col("pricing_group_values") == NO_GROUP)
    )


def families(groups: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Families that may have a limit: those of groups with usage, and of every product without a pricing key."""
    limited = limited_products(frames)
    unkeyed = frames.product_versions.filter(pl.col("pricing_keys").list.len() == 0).select("product_id").unique()
    standing = (
        periods.select("contract_id", "period_start")
        .join(frames.contract_products, on="contract_id")
        .join(unkeyed, on="product_id", how="semi")
        .with_columns(pricing_group_values=pl.lit(NO_GROUP))
    )
    return (
        pl.concat([groups.select(FAMILY), standing.select(FAMILY)]).join(limited, on="product_id", how="semi").unique()
    )


def limited_products(frames: CatalogFrames) -> pl.LazyFrame:
    """Products of which any price, of a card or of an OVERWRITE, states a minimum or a maximum."""
    stating = frames.prices.filter(pl.col("minimum").is_not_null() | pl.col("maximum").is_not_null()).select("price_id")
    overwriting = frames.overrides.join(stating, on="price_id", how="semi").select("override_id")
    return pl.concat(
        [
            frames.rates.join(stating, on="price_id", how="semi").select("product_id"),
            frames.override_targets.join(overwriting, on="override_id", how="semi").select("product_id"),
        ]
    ).unique()
