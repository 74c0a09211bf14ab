"""Overrides: which one wins, and by what it multiplies (docs/semantics.md, Overrides).

Exactly one override wins an hour; they never stack. A contract's overrides stand in one fixed order, so the winner of
an hour is the first in that order which matches and is in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.money import decimal

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

PRICING_TYPES = ("OVERWRITE", "MULTIPLIER", "TIERED")
"""Override types that change a price. An override without a type states an entitlement alone."""


def precedence() -> tuple[pl.Expr, ...]:
    """Sort keys, ascending, of a contract's overrides: the first that matches wins.

    Those of single commits first, which no list price has. OVERWRITE before the multiplying ones, the last in the
    catalog first. EXPLICIT: by priority, then the last in the catalog. LOWEST_MULTIPLIER: by multiplier, then the first
    in the catalog; a TIERED override has no part in it.
    """
    position = pl.col("override_position")
    overwrites = pl.col("override_type") == "OVERWRITE"
    explicit = pl.col("multiplier_override_prioritization") == "EXPLICIT"
    by_catalog = pl.when(overwrites | explicit).then(-position).otherwise(position)
    return (
        (~pl.col("is_commit_specific")).cast(pl.Int8),
        (~overwrites).cast(pl.Int8),
        pl.when(explicit & ~overwrites).then("priority"),
        pl.when(~explicit & ~overwrites).then("multiplier"),
        by_catalog,
    )


def standings(overrides: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """`overrides` with `standing`: the place in its contract's order, 0 wins; null for one that changes no list price.

    Grain: override. `contracts` has contract_id and multiplier_override_prioritization. No list price is changed by an
    entitlement alone, by an override of the commit rate, or by one of single commits.
    """
    of_list = (pl.col("lane") == "LIST") & ~pl.col("is_commit_specific")
    return lane_standings(overrides, contracts).with_columns(standing=pl.when(of_list).then("standing"))


def lane_standings(overrides: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """`overrides` with `standing` among all that change a price, of whatever lane: lower wins. As `standings`."""
    prioritization = contracts.select("contract_id", "multiplier_override_prioritization").unique()
    takes_part = pl.col("override_type").is_in(PRICING_TYPES) & ~(
        (pl.col("override_type") == "TIERED") & (pl.col("multiplier_override_prioritization") != "EXPLICIT")
    )
    return (
        overrides.join(prioritization, on="contract_id")
        .with_columns(takes_part=takes_part.fill_null(False))
        .sort("contract_id", *precedence(), nulls_last=True)
        .with_columns(standing=pl.int_range(pl.len()).over("contract_id", "takes_part"))
        .with_columns(standing=pl.when("takes_part").then("standing"))
        .drop("takes_part", "multiplier_override_prioritization")
    )


def multiplier_ranges(frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (override, range of the running quantity): range_level, range_lower, range_upper, multiplier.

    A MULTIPLIER is one range without bounds. Beyond a TIERED override's last sized range the list price holds, which is
    a range with multiplier 1. An OVERWRITE has none.
    """
    columns = ("override_id", "range_level", "range_lower", "range_upper", "multiplier")
    unbounded = frames.overrides.filter(pl.col("override_type") == "MULTIPLIER").with_columns(
        range_level=pl.lit(None, dtype=pl.Int64),
        range_lower=pl.lit(None, dtype=pl.Decimal(38, 12)),
        range_upper=pl.lit(None, dtype=pl.Decimal(38, 12)),
    )
    ranges = frames.override_tiers.with_columns(pl.col("range_level").cast(pl.Int64))
    beyond = (
        ranges.group_by("override_id")
        .agg(
            range_level=pl.col("range_level").max() + 1,
            range_lower=pl.col("range_upper").max(),
            open_ended=pl.col("range_upper").is_null().any(),
        )
        .filter(~pl.col("open_ended"))
        .with_columns(range_upper=pl.lit(None, dtype=pl.Decimal(38, 12)), multiplier=decimal(1))
    )
    return pl.concat([frame.select(columns) for frame in (unbounded, ranges, beyond)])
