"""Where a balance gives access to usage: which groups it reaches, and where it begins and ends for them.

`access` has a row per access segment and contract that may draw it: contract_id, commit_id, price_lane, starting_at,
ending_before (null: open), selector, seat_key, seat_value (docs/semantics.md, Atoms).
"""

from __future__ import annotations

import polars as pl

from billing_assets.group_values import is_part_of, pair_text
from billing_assets.rating.grain import GROUP

_REACHED = ("commit_id", "price_lane", "starting_at", "ending_before")


def access_cuts(
    groups: pl.LazyFrame, periods: pl.LazyFrame, access: pl.LazyFrame, selectors: pl.LazyFrame
) -> pl.LazyFrame:
    """GROUP and `at`: where an access segment that reaches the group begins or ends inside its period."""
    spans = periods.select("contract_id", "period_start", "period_end")
    bounded = (
        access.join(spans, on="contract_id")
        .filter(pl.any_horizontal(_inside(bound) for bound in ("starting_at", "ending_before")))
        .cache()
    )
    met = groups.select(GROUP).join(
        bounded.select("contract_id", "period_start").unique(), on=["contract_id", "period_start"], how="semi"
    )
    found = met.join(bounded, on=["contract_id", "period_start"]).pipe(reached, selectors).cache()
    bounds = [found.filter(_inside(bound)).select(*GROUP, at=bound) for bound in ("starting_at", "ending_before")]
    return pl.concat(bounds).unique()


def _inside(bound: str) -> pl.Expr:
    at = pl.col(bound)
    return ((pl.col("period_start") < at) & (at < pl.col("period_end"))).fill_null(value=False)


def reached(meetings: pl.LazyFrame, selectors: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of `meetings` (a group beside an access segment of its contract) in which the balance reaches the group.

    By any row of its selector with the group's product and values that are part of the group's, by none that excludes
    it; and of one seat, where it is for one.
    """
    numbered = meetings.with_row_index("meeting").cache()
    values = ("pricing_group_values", "presentation_group_values")
    asked = selectors.rename({name: f"asked_{name}" for name in values})
    matches = pl.all_horizontal(is_part_of(pl.col(f"asked_{name}"), pl.col(name)) for name in values)
    found = (
        numbered.select("meeting", "selector", "product_id", *values)
        .join(asked, on=["selector", "product_id"])
        .filter(matches)
        .group_by("meeting")
        .agg(excluded=pl.col("exclude").any())
        .filter(~pl.col("excluded"))
    )
    return numbered.join(found, on="meeting", how="semi").filter(is_of_seat()).drop("meeting")


def is_of_seat() -> pl.Expr:
    """Whether the group is of the seat that the balance is for, where it is for one."""
    seat = pair_text(pl.col("seat_key"), pl.col("seat_value"))
    among = [is_part_of(seat, pl.col(name)) for name in ("pricing_group_values", "presentation_group_values")]
    return pl.col("seat_key").is_null() | pl.any_horizontal(among)
