"""Timelines: for every situation, which rate, override and entitlement hold in each hour.

A rate or an override is a *claim* on a span of hours. The bounds of all claims cut the time into intervals; in each
interval one rate, one override and one entitlement hold; neighbours that agree are one span again, so that dates which
change nothing cut nothing (docs/semantics.md, Rate segments).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.rating.grain import SITUATION
from billing_assets.rating.group_values import is_part_of
from billing_assets.rating.overrides import standings

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

_IDENTITY = ("segment_status", "rate_id", "override_id")


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


def timelines(situations: pl.LazyFrame, frames: CatalogFrames, span: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, span of hours): starting_at, ending_before, segment_status, rate_id, override_id, override_type,
    price_id. Complete and without overlap over `span`, one row with `since` and `until`.

    segment_status: "rated", "unrated" (no price holds) or "not_entitled"; the ids are null unless it is "rated".
    """
    ranked = standings(frames.overrides, frames.contracts)
    made = pl.concat(
        [situations, rate_claims(situations, frames.rates), override_claims(situations, frames, ranked)],
        how="diagonal",
    ).pipe(clip_claims, span)
    return made.pipe(intervals).pipe(holders, made).pipe(resolve_prices, ranked).pipe(merge_neighbours)


def rate_claims(situations: pl.LazyFrame, rates: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, rate of exactly its group values): the rate's dates, rate_id, rate_price_id, rate_entitled."""
    rows = rates.select(
        *SITUATION[:3],
        "starting_at",
        "ending_before",
        "rate_id",
        rate_price_id="price_id",
        rate_entitled="entitled",
    )
    return situations.join(rows, on=SITUATION[:3])


def override_claims(situations: pl.LazyFrame, frames: CatalogFrames, ranked: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, override that any of its specifiers matches): dates, standing, stated, stated_position."""
    matches = is_part_of(pl.col("pricing_selector"), pl.col("pricing_group_values")) & is_part_of(
        pl.col("presentation_selector"), pl.col("override_presentation_values")
    )
    targets = frames.override_targets.select(
        "override_id",
        "product_id",
        override_contract_id="contract_id",
        pricing_selector="pricing_group_values",
        presentation_selector="presentation_group_values",
    )
    terms = ranked.select(
        "override_id",
        "starting_at",
        "ending_before",
        "standing",
        stated="entitled",
        stated_position=pl.when(pl.col("entitled").is_not_null()).then("override_position"),
    )
    return (
        situations.join(targets, on=["override_contract_id", "product_id"])
        .filter(matches)
        .select(*SITUATION, "override_id")
        .unique()
        .join(terms, on="override_id")
        .drop("override_id")
    )


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
    """Grain (situation, span between two neighbouring bounds of its claims): from, to.

    A cut that comes from elsewhere is one more bound here.
    """
    bounds = pl.concat(
        [claims.select(*SITUATION, **{"from": bound}) for bound in ("starting_at", "ending_before")]
    ).unique()
    return bounds.with_columns(to=pl.col("from").shift(-1).over(*SITUATION, order_by="from")).filter(
        pl.col("to").is_not_null()
    )


def holders(spans: pl.LazyFrame, claims: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, interval): the rate, the best standing and the entitlement stated last of the claims on it."""
    return (
        spans.join(claims, on=SITUATION)
        .filter(pl.col("starting_at") <= pl.col("from"), pl.col("from") < pl.col("ending_before"))
        .group_by(*SITUATION, "from", "to")
        .agg(
            pl.col("rate_id", "rate_price_id", "rate_entitled").max(),
            pl.col("standing").min(),
            pl.col("stated").max_by("stated_position"),
        )
    )


def resolve_prices(held: pl.LazyFrame, ranked: pl.LazyFrame) -> pl.LazyFrame:
    """Adds segment_status, override_id, override_type and price_id.

    An OVERWRITE brings its own price, also where the card has none; a multiplier of no price is no price.
    Entitlement is a lane of its own: what an override stated last, else the rate's.
    """
    winners = ranked.filter(pl.col("standing").is_not_null()).select(
        "standing",
        "override_id",
        "override_type",
        override_contract_id="contract_id",
        override_price_id="price_id",
    )
    entitled = pl.coalesce("stated", "rate_entitled", pl.lit(True))
    status = (
        pl.when(~entitled)
        .then(pl.lit("not_entitled"))
        .when(pl.col("price_id").is_null())
        .then(pl.lit("unrated"))
        .otherwise(pl.lit("rated"))
    )
    ids = ("rate_id", "override_id", "override_type", "price_id")
    return (
        held.join(winners, on=["override_contract_id", "standing"], how="left")
        .with_columns(price_id=pl.coalesce("override_price_id", "rate_price_id"))
        .with_columns(segment_status=status)
        .with_columns(pl.when(pl.col("segment_status") == "rated").then(pl.col(*ids)))
    )


def merge_neighbours(spans: pl.LazyFrame) -> pl.LazyFrame:
    """Neighbouring intervals of one status, rate and winning override are one span."""
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift(1)).over(*SITUATION, order_by="from") for name in _IDENTITY
    )
    last = pl.col("to").max().over(*SITUATION)
    return (
        spans.with_columns(until=last, continues=same)
        .filter(~pl.col("continues"))
        .with_columns(
            starting_at=pl.col("from"),
            ending_before=pl.col("from").shift(-1).over(*SITUATION, order_by="from").fill_null(pl.col("until")),
        )
        .select(*SITUATION, "starting_at", "ending_before", *_IDENTITY, "override_type", "price_id")
    )
