"""Commit-side lanes: which price a commit or credit pays for a group where that is not the list price.

A balance with rate_type COMMIT_RATE pays the rate's commit_rate, where it has one, under the overrides with target
COMMIT_RATE; every other balance pays the list rate under those with target LIST_RATE. Overrides of the balance's own
come first (docs/semantics.md, Prices that balances pay).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.group_values import is_part_of
from billing_assets.rating.access import reached
from billing_assets.rating.grain import GROUP, SITUATION
from billing_assets.rating.overrides import lane_standings
from billing_assets.rating.timelines import clip_claims, intervals, of_usage, rate_claims, situate

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

LANE_SITUATION = (*SITUATION, "lane_commit_id", "price_lane")
"""What decides a commit-side price; `lane_commit_id` is "" where no override of the contract is of single commits."""

_LANES = ("LIST", "COMMIT")
_TERMS = ("override_id", "override_price_id", "is_commit_specific")


def lanes(groups: pl.LazyFrame, periods: pl.LazyFrame, access: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (group, commit_id, span of hours): the commit-side price that a balance pays: lane_from, lane_until, and
    lane_price_id, lane_override_id, lane_rate_id. Hours in which it pays the list price have no row.

    `access` as `access` describes it. A span lies inside the period and an access segment.
    """
    meeting = meetings(groups, periods, access, frames).cache()
    situations = meeting.select(LANE_SITUATION).unique().sort(LANE_SITUATION).with_row_index("situation").cache()
    span = periods.select(since=pl.col("period_start").min(), until=pl.col("period_end").max())
    return (
        meeting.join(situations, on=LANE_SITUATION)
        .join(lane_timelines(situations, frames, span), on="situation")
        .with_columns(
            lane_from=pl.max_horizontal("lane_from", "starting_at", "period_start"),
            lane_until=pl.min_horizontal("lane_until", "ending_before", "period_end"),
        )
        .filter(pl.col("lane_from") < pl.col("lane_until"))
        .select(*GROUP, "commit_id", "lane_from", "lane_until", "lane_price_id", "lane_override_id", "lane_rate_id")
        .unique()
    )


def lane_cuts(found: pl.LazyFrame) -> pl.LazyFrame:
    """GROUP and `at`: where a commit-side price begins or ends. `found` is what `lanes` returns."""
    return pl.concat([found.select(*GROUP, at=bound) for bound in ("lane_from", "lane_until")]).unique()


def meetings(groups: pl.LazyFrame, periods: pl.LazyFrame, access: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (group, access segment that may pay another price for it): LANE_SITUATION, commit_id, dates."""
    placed = groups.select(GROUP).join(
        periods.select("contract_id", "period_start", "period_end", "rate_card_id"), on=["contract_id", "period_start"]
    )
    priced = frames.rates.filter(pl.col("commit_price_id").is_not_null()).select("rate_card_id", "product_id").unique()
    own = frames.overrides.filter("is_commit_specific").select("override_id")
    specific = (
        frames.override_targets.join(own, on="override_id", how="semi").select("contract_id", "product_id").unique()
    )
    by_override = placed.join(specific, on=["contract_id", "product_id"], how="semi")
    by_rate = placed.join(priced, on=["rate_card_id", "product_id"], how="semi").join(
        specific, on=["contract_id", "product_id"], how="anti"
    )
    ends = pl.col("ending_before")
    parts = [
        by_override.join(access, on="contract_id").with_columns(lane_commit_id="commit_id"),
        by_rate.join(access.filter(pl.col("price_lane") == "COMMIT"), on="contract_id").with_columns(
            lane_commit_id=pl.lit("")
        ),
    ]
    return (
        pl.concat(parts)
        .filter(pl.col("starting_at") < pl.col("period_end"), ends.is_null() | (ends > pl.col("period_start")))
        .pipe(reached, frames.selectors)
        .pipe(situate, frames.override_targets)
    )


def lane_timelines(situations: pl.LazyFrame, frames: CatalogFrames, span: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, span of hours with a commit-side price): lane_from, lane_until, and its ids."""
    claims = pl.concat(
        [
            situations.select("situation", "price_lane"),
            rate_claims(situations, frames.rates, "commit_price_id"),
            lane_claims(situations, frames),
        ],
        how="diagonal",
    )
    clipped = claims.pipe(clip_claims, span).cache()
    return clipped.pipe(intervals).pipe(lane_holders, clipped).pipe(resolve_lanes)


def lane_claims(situations: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (situation, override that matches it and may change its price): dates, lane, standing and price.

    An override of single commits matches by the ids of the specifier that matches; one without ids, any commit.
    """
    values = {"pricing_selector": "pricing_group_values", "presentation_selector": "override_presentation_values"}
    matches = pl.all_horizontal(is_part_of(pl.col(asked), pl.col(given)) for asked, given in values.items())
    specifier = ("override_id", "specifier")
    named = frames.override_commits.select(specifier).unique().with_columns(names_commits=pl.lit(value=True))
    targets = of_usage(frames.override_targets).rename(
        {
            "contract_id": "override_contract_id",
            "pricing_group_values": "pricing_selector",
            "presentation_group_values": "presentation_selector",
        }
    )
    matched = situations.join(targets, on=["override_contract_id", "product_id"]).filter(matches)
    for_any = matched.join(named, on=specifier, how="anti")
    for_commit = matched.join(
        frames.override_commits, left_on=[*specifier, "lane_commit_id"], right_on=[*specifier, "commit_id"], how="semi"
    )
    terms = lane_standings(frames.overrides, frames.contracts).select(
        "override_id",
        "starting_at",
        "ending_before",
        "standing",
        "lane",
        "is_commit_specific",
        override_price_id="price_id",
    )
    return (
        pl.concat([for_any, for_commit])
        .select("situation", "override_id", "reached_from", "reached_until")
        .unique()
        .join(terms, on="override_id")
        .with_columns(
            starting_at=pl.max_horizontal("starting_at", "reached_from"),
            ending_before=pl.min_horizontal("ending_before", "reached_until"),
        )
        .drop("reached_from", "reached_until")
    )


def lane_holders(spans: pl.LazyFrame, claims: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, interval): its rate, and the override of best standing in each of the two lanes."""
    best = [
        pl.when(pl.col("lane") == lane).then(name).alias(f"{lane}_{name}")
        for lane in _LANES
        for name in (*_TERMS, "standing")
    ]
    return (
        spans.join(claims, on="situation")
        .filter(pl.col("starting_at") <= pl.col("from"), pl.col("from") < pl.col("ending_before"))
        .with_columns(best)
        .group_by("situation", "from")
        .agg(
            pl.col("to").max(),
            pl.col("price_lane", "rate_id", "rate_price_id", "commit_price_id").max(),
            *(pl.col(f"{lane}_{name}").min_by(f"{lane}_standing") for lane in _LANES for name in _TERMS),
        )
    )


def resolve_lanes(held: pl.LazyFrame) -> pl.LazyFrame:
    """Intervals with a commit-side price, and its ids: of the commit_rate, or of an override of the commit's own."""
    by_commit_rate = (pl.col("price_lane") == "COMMIT") & pl.col("commit_price_id").is_not_null()
    won = {
        name: pl.when(by_commit_rate).then(f"COMMIT_{name}").otherwise(f"LIST_{name}").alias(f"won_{name}")
        for name in _TERMS
    }
    base = pl.when(by_commit_rate).then("commit_price_id").otherwise("rate_price_id")
    return (
        held.with_columns(won.values())
        .with_columns(lane_price_id=pl.coalesce("won_override_price_id", base))
        .filter(by_commit_rate | pl.col("won_is_commit_specific"), pl.col("lane_price_id").is_not_null())
        .select(
            "situation",
            "lane_price_id",
            lane_from="from",
            lane_until="to",
            lane_override_id="won_override_id",
            lane_rate_id="rate_id",
        )
        .pipe(merge_lanes)
    )


def merge_lanes(spans: pl.LazyFrame) -> pl.LazyFrame:
    """Neighbouring intervals of one commit-side rate and override are one span."""
    identity = ("situation", "lane_price_id", "lane_override_id", "lane_rate_id")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in identity)
    touches = pl.col("lane_from") == pl.col("lane_until").shift(1)
    return (
        spans.sort("situation", "lane_from")
        .with_columns(run=(~(same & touches).fill_null(value=False)).cast(pl.Int64).cum_sum())
        .group_by("run")
        .agg(pl.col(identity).first(), pl.col("lane_from").min(), pl.col("lane_until").max())
        .drop("run")
    )
