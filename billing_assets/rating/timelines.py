"""Timelines: for every situation, which rate, override and entitlement hold in each hour.

A rate or an override is a *claim* on a span of hours. The bounds of all claims cut the time into intervals; in each
interval one rate, one override and one entitlement hold; neighbours that agree are one span again, so that dates which
change nothing cut nothing (docs/semantics.md, Rate segments).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.group_values import is_part_of
from billing_assets.rating.grain import SITUATION
from billing_assets.rating.overrides import standings
from billing_assets.rating.versions import version_claims

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

_IDS = ("rate_id", "override_id", "override_type", "price_id", "pricing_unit")


def situate(groups: pl.LazyFrame, targets: pl.LazyFrame) -> pl.LazyFrame:
    """`groups` with the columns of SITUATION that say whose overrides reach the group.

    Both are "" where they make no difference: `override_contract_id` where no override of the contract names the
    product, `override_presentation_values` where none of those looks at presentation values.
    """
    reach = targets.group_by("contract_id", "product_id").agg(
        by_presentation=(pl.col("presentation_group_values") != "{}").any()
    )
    nobody = pl.lit("")
    return (
        groups.join(reach, on=["contract_id", "product_id"], how="left")
        .with_columns(
            override_contract_id=pl.when(pl.col("by_presentation").is_not_null()).then("contract_id").otherwise(nobody),
            override_presentation_values=pl.when("by_presentation").then("presentation_group_values").otherwise(nobody),
        )
        .drop("by_presentation")
    )


def timelines(situations: pl.LazyFrame, rates: pl.LazyFrame, frames: CatalogFrames, span: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, span of hours): starting_at, ending_before, segment_status, rate_id, override_id,
    override_type, price_id, pricing_unit, product_version. Complete and without overlap over `span`, a row of `since`
    and `until`.

    `situations` has SITUATION and its number `situation`, which stands for it from here on. segment_status: "rated",
    "unrated" (no price holds), "not_entitled", or "superseded" (the product has other keys then, and no version here);
    the ids are null unless it is "rated".
    """
    parts = (
        situations.pipe(_with_updates, frames.product_versions),
        rate_claims(situations, rates, "pricing_unit"),
        override_claims(situations, frames),
        version_claims(situations, frames.product_versions),
    )
    claims = pl.concat(parts, how="diagonal").pipe(clip_claims, span).cache()
    return claims.pipe(intervals).pipe(holders, claims).pipe(resolve_prices).pipe(merge_neighbours)


def _with_updates(situations: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain situation: has_updates, whether its product has several versions."""
    products = versions.select("product_id", "has_updates").unique()
    return situations.join(products, on="product_id", how="left").select("situation", "has_updates")


def rate_claims(situations: pl.LazyFrame, rates: pl.LazyFrame, *also: str) -> pl.LazyFrame:
    """Grain (situation, rate of exactly its group values): the rate's dates, rate_id, rate_price_id, rate_entitled, and
    what `also` names."""
    key = SITUATION[:3]
    rows = rates.select(
        *key, *also, "starting_at", "ending_before", "rate_id", rate_price_id="price_id", rate_entitled="entitled"
    )
    return situations.select("situation", *key).join(rows, on=key).drop(key)


def override_claims(situations: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (situation, override that any of its specifiers matches): dates, standing and what it decides."""
    matches = is_part_of(pl.col("pricing_selector"), pl.col("pricing_group_values")) & is_part_of(
        pl.col("presentation_selector"), pl.col("override_presentation_values")
    )
    targets = of_usage(frames.override_targets).select(
        "override_id",
        "product_id",
        override_contract_id="contract_id",
        pricing_selector="pricing_group_values",
        presentation_selector="presentation_group_values",
        reached_from="reached_from",
        reached_until="reached_until",
    )
    stated = pl.when(~pl.col("is_commit_specific")).then("entitled")
    terms = standings(frames.overrides, frames.contracts).select(
        "override_id",
        "starting_at",
        "ending_before",
        "standing",
        "override_type",
        override_price_id="price_id",
        stated=stated,
        stated_position=pl.when(stated.is_not_null()).then("override_position"),
    )
    return (
        situations.join(targets, on=["override_contract_id", "product_id"])
        .filter(matches)
        .select("situation", "override_id", "reached_from", "reached_until")
        .unique()
        .join(terms, on="override_id")
        .with_columns(
            starting_at=pl.max_horizontal("starting_at", "reached_from"),
            ending_before=pl.min_horizontal("ending_before", "reached_until"),
        )
        .drop("reached_from", "reached_until")
    )


def of_usage(targets: pl.LazyFrame) -> pl.LazyFrame:
    """Targets that ask for no billing frequency, which only rates of subscriptions have."""
    return targets.filter(pl.col("billing_frequency").is_null())


def clip_claims(claims: pl.LazyFrame, span: pl.LazyFrame) -> pl.LazyFrame:
    """Claims cut to `span`; one without dates, as each situation brings itself, covers all of it."""
    return (
        claims.join(span, how="cross")
        .with_columns(
            starting_at=pl.max_horizontal("starting_at", "since"),
            ending_before=pl.min_horizontal("ending_before", "until"),
        )
        .filter(pl.col("starting_at") < pl.col("ending_before"))
        .drop("since", "until")
    )


def intervals(claims: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, span between two neighbouring bounds of its claims): from, to."""
    bounds = pl.concat([claims.select("situation", **{"from": bound}) for bound in ("starting_at", "ending_before")])
    followed = pl.col("situation") == pl.col("situation").shift(-1)
    return (
        bounds.unique()
        .sort("situation", "from")
        .with_columns(to=pl.when(followed).then(pl.col("from").shift(-1)))
        .drop_nulls("to")
    )


def holders(spans: pl.LazyFrame, claims: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, interval): its rate, the override of best standing, and the entitlement stated last."""
    best = pl.col("override_id", "override_type", "override_price_id").min_by("standing")
    return (
        spans.join(claims, on="situation")
        .filter(pl.col("starting_at") <= pl.col("from"), pl.col("from") < pl.col("ending_before"))
        .with_columns(pl.when(pl.col("standing").is_not_null()).then(pl.col("override_id")))
        .group_by("situation", "from")
        .agg(
            pl.col("to").max(),
            pl.col("rate_id", "rate_price_id", "rate_entitled", "pricing_unit", "has_updates", "product_version").max(),
            best,
            pl.col("stated").max_by("stated_position"),
        )
    )


def resolve_prices(held: pl.LazyFrame) -> pl.LazyFrame:
    """Adds segment_status and price_id.

    An OVERWRITE brings its own price, also where the card has none; a multiplier of no price is no price.
    Entitlement is a lane of its own: what an override stated last, else the rate's.
    """
    entitled = pl.coalesce("stated", "rate_entitled", pl.lit(True))
    has_updates = pl.col("has_updates").fill_null(value=False)
    status = (
        pl.when(has_updates & pl.col("product_version").is_null())
        .then(pl.lit("superseded"))
        .when(~entitled)
        .then(pl.lit("not_entitled"))
        .when(pl.col("price_id").is_null())
        .then(pl.lit("unrated"))
        .otherwise(pl.lit("rated"))
    )
    return (
        held.with_columns(price_id=pl.coalesce("override_price_id", "rate_price_id"))
        .with_columns(segment_status=status, product_version=pl.when(~has_updates).then(0).otherwise("product_version"))
        .with_columns(pl.when(pl.col("segment_status") == "rated").then(pl.col(_IDS)))
    )


def merge_neighbours(spans: pl.LazyFrame) -> pl.LazyFrame:
    """Neighbouring intervals of one status, rate, winning override and version of the product are one span."""
    identity = ("situation", "segment_status", "rate_id", "override_id", "product_version")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in identity)
    return (
        spans.sort("situation", "from")
        .with_columns(run=(~same).cast(pl.Int64).cum_sum())
        .group_by("run")
        .agg(
            pl.col("situation", "segment_status", "product_version", *_IDS).first(),
            starting_at=pl.col("from").min(),
            ending_before=pl.col("to").max(),
        )
        .drop("run")
    )
