"""The terms that met a line: overrides that matched it, limits of its family, the period and seats of a fee."""

from __future__ import annotations

import polars as pl

from billing_assets import rating
from billing_assets.catalog import CatalogFrames
from billing_assets.charges.quantities import quantity_steps
from billing_assets.charges.subscriptions import FEE, subscription_periods
from billing_assets.columns import NO_GROUP
from billing_assets.group_values import is_part_of
from billing_assets.metering.grain import GROUP
from billing_assets.rating.overrides import lane_standings


def overrides_of(lines: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (line_item_id, override): the overrides that match a line when it starts, by `standing`, the lowest wins;
    null for one that changes no price. lane, is_commit_specific: whose prices it changes.

    lines: line_item_id, contract_id, product_id, both group values, starting_at.
    """
    none = pl.lit(NO_GROUP)
    asked = lines.select(
        "line_item_id", "contract_id", "product_id", at="starting_at",
        pricing=pl.coalesce("pricing_group_values", none), presentation=pl.coalesce("presentation_group_values", none),
    )  # fmt: skip
    at = pl.col("at")

    def holds(start: str, end: str) -> pl.Expr:
        return (pl.col(start).is_null() | (pl.col(start) <= at)) & (pl.col(end).is_null() | (at < pl.col(end)))

    standing = lane_standings(frames.overrides, frames.contracts).select(
        "override_id", "standing", "starting_at", "ending_before", "lane", "is_commit_specific"
    )
    return (
        asked.join(frames.override_targets, on=["contract_id", "product_id"])
        .filter(
            is_part_of(pl.col("pricing_group_values"), pl.col("pricing")),
            is_part_of(pl.col("presentation_group_values"), pl.col("presentation")),
            holds("reached_from", "reached_until"),
        )
        .select("line_item_id", "override_id", "at")
        .unique()
        .join(standing, on="override_id")
        .filter(holds("starting_at", "ending_before"))
        .select("line_item_id", "override_id", "standing", "lane", "is_commit_specific")
        .sort("line_item_id", "standing", "override_id", nulls_last=True)
    )


def limits_of(groups: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """`rating.limits` of the families of `groups` (GROUP) in their `periods`."""
    return rating.limits(groups.select(GROUP).unique(), periods, frames)


def steps_of(fees: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (subscription, its period, step of its quantity): full_start and full_end of the period before the dates of
    the subscription cut it, step_at, quantity_before and quantity_after.

    fees: contract_id, subscription_id, service_period_start, service_period_end of lines.
    """
    spans = fees.group_by("contract_id").agg(
        since=pl.col("service_period_start").min(), horizon=pl.col("service_period_end").max()
    )
    found = subscription_periods(frames, spans, pl.LazyFrame(schema=FEE))
    steps = quantity_steps(found, frames.subscription_quantities)
    keys = ["subscription_id", "period_start", "period_end"]
    return found.select(*keys, "full_start", "full_end").join(steps, on=keys).sort(*keys, "step_at")
