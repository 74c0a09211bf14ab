"""What a seat costs: the rate and the override in force when a subscription's period starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.columns import NO_GROUP
from billing_assets.money import decimal
from billing_assets.rating.overrides import multiplier_ranges, standings

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

SEAT_PRICE_KEY = ("contract_id", "rate_card_id", "product_id", "frequency_months", "frequency_weeks", "priced_at")
"""What decides the price of a seat; `priced_at` is the start of the subscription's period."""


def subscription_prices(periods: pl.LazyFrame, rates: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (SEAT_PRICE_KEY, range of the quantity): what `periods` cost, one row of each key of theirs.

    `rates` are those of products that are no usage (`charge_rates`). Adds segment_status ("rated", "unrated",
    "not_entitled"), and for rated ones unit_price in `pricing_unit` (null: the card's currency), rate_id (null where
    the card has none), rate_type, override_id, and tier_level, tier_lower, tier_upper of a TIERED override's range.
    Seats are not paid at commit-side prices (docs/semantics.md, Subscriptions).
    """
    key = list(SEAT_PRICE_KEY)
    asked = periods.select(key).unique().with_row_index("asked").cache()
    status = (
        pl.when(~pl.coalesce("stated", "entitled", pl.lit(True)))
        .then(pl.lit("not_entitled"))
        .when(pl.col("price").is_null())
        .then(pl.lit("unrated"))
        .otherwise(pl.lit("rated"))
    )
    return (
        asked.join(rates_in_force(asked, rates), on="asked", how="left")
        .join(winning_overrides(asked, frames), on="asked", how="left")
        .with_columns(price_id=pl.coalesce("override_price_id", "price_id"))
        .join(frames.prices.select("price_id", "price", "rate_type"), on="price_id", how="left")
        .join(multiplier_ranges(frames), on="override_id", how="left")
        .with_columns(
            segment_status=status,
            unit_price=pl.col("price") * pl.col("multiplier").fill_null(decimal(1)),
            tier_level="range_level",
            tier_lower="range_lower",
            tier_upper="range_upper",
        )
        .select(*key, "segment_status", "unit_price", "pricing_unit", "rate_id", "rate_type", "override_id",
                "tier_level", "tier_lower", "tier_upper")
    )  # fmt: skip


def rates_in_force(asked: pl.LazyFrame, rates: pl.LazyFrame) -> pl.LazyFrame:
    """Grain asked: the card's rate of that product and billing frequency then."""
    key = ["rate_card_id", "product_id", "frequency_months", "frequency_weeks"]
    terms = rates.select(*key, "starting_at", "ending_before", "rate_id", "price_id", "pricing_unit", "entitled")
    return (
        asked.select("asked", "priced_at", *key)
        .join(terms, on=key)
        .filter(in_force())
        .select("asked", "rate_id", "price_id", "pricing_unit", "entitled")
    )


def winning_overrides(asked: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain asked: the override of best standing, and the entitlement stated last, of those in force then."""
    general = frames.overrides.filter(~pl.col("is_commit_specific"))
    ranked = standings(general.filter(pl.col("lane") == "LIST"), frames.contracts)
    terms = general.join(ranked.select("override_id", "standing"), on="override_id", how="left")
    priced = pl.col("standing").is_not_null()
    best = (
        pl.when(priced).then("override_id").alias("override_id"),
        pl.when(priced).then("price_id").alias("override_price_id"),
    )
    return (
        asked.join(reaching(frames.override_targets), on=["contract_id", "product_id"])
        .filter(of_frequency(), within("reached_from", "reached_until"))
        .select("asked", "priced_at", "override_id")
        .unique()
        .join(terms, on="override_id")
        .filter(in_force())
        .with_columns(stated_position=pl.when(pl.col("entitled").is_not_null()).then("override_position"))
        .group_by("asked")
        .agg(
            *(found.min_by("standing") for found in best),
            stated=pl.col("entitled").max_by("stated_position"),
        )
    )


def reaching(targets: pl.LazyFrame) -> pl.LazyFrame:
    """Targets that ask for no group values: a subscription has none."""
    plain = (pl.col("pricing_group_values") == NO_GROUP) & (pl.col("presentation_group_values") == NO_GROUP)
    columns = ("override_id", "contract_id", "product_id", "billing_frequency", "reached_from", "reached_until")
    return targets.filter(plain).select(columns)


def of_frequency() -> pl.Expr:
    """Whether the target's billing_frequency, null for any, is the subscription's."""
    wanted = pl.col("billing_frequency").replace_strict(FREQUENCY_MONTHS, default=None, return_dtype=pl.Int64)
    return pl.col("billing_frequency").is_null() | (wanted == pl.col("frequency_months"))


def in_force() -> pl.Expr:
    return within("starting_at", "ending_before")


def within(start: str, end: str) -> pl.Expr:
    """Whether [start, end), null: open, contains priced_at."""
    at = pl.col("priced_at")
    return (pl.col(start).is_null() | (pl.col(start) <= at)) & (pl.col(end).is_null() | (at < pl.col(end)))
