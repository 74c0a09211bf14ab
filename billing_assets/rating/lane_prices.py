"""Prices in the lanes: atoms cut so that each has one list and one commit-side price, and what that price is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.money import zero
from billing_assets.rating.axes import (
    clamp,
    holds_period_quantity,
    in_range,
    position,
    price_lower,
    price_upper,
    unit_price,
)
from billing_assets.rating.bands import bands
from billing_assets.rating.grain import GROUP
from billing_assets.rating.overrides import multiplier_ranges

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

ATOM = (*GROUP, "segment_start")
_OF_LINE = [*GROUP, "starting_at"]


def lane_bands(found: pl.LazyFrame, quantified: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (ATOM, commit_id, stretch of the running quantity): the commit-side price there.

    `found` is what `lanes` returns, `quantified` what `quantify` does of segments that were cut where lanes begin and
    end. Adds running_start, running_end, list_rate_type, lane_lower, lane_upper (null: open), unit_price, and
    lane_rate_id, lane_override_id. Flat fees have no commit-side price (docs/semantics.md, Prices that balances pay).
    """
    atoms = quantified.filter(pl.col("segment_status") == "rated", pl.col("has_line")).select(
        *ATOM, "segment_end", "running_start", "running_end", "period_quantity", list_price_id="price_id"
    )
    inside = (pl.col("lane_from") <= pl.col("segment_start")) & (pl.col("segment_end") <= pl.col("lane_until"))
    return (
        atoms.join(found, on=GROUP)
        .filter(inside)
        # Segments of one commit that overlap say the same of it.
        .drop("lane_from", "lane_until")
        .unique()
        .join(bands(frames).filter(~pl.col("is_fee")), left_on="lane_price_id", right_on="price_id")
        .filter(~pl.col("whole_period") | holds_period_quantity())
        .join(multiplier_ranges(frames), left_on="lane_override_id", right_on="override_id", how="left")
        .filter(in_range())
        .select(
            *ATOM,
            "commit_id",
            "running_start",
            "running_end",
            "list_price_id",
            "lane_rate_id",
            "lane_override_id",
            lane_lower=pl.max_horizontal(price_lower(), "range_lower"),
            lane_upper=pl.min_horizontal(price_upper(), "range_upper"),
            unit_price=unit_price(),
        )
        .join(list_terms(frames), left_on="list_price_id", right_on="price_id")
    )


def list_terms(frames: CatalogFrames) -> pl.LazyFrame:
    """Grain price_id: the axis on which the list price counts, and whether it takes the whole period's tier."""
    rate_type = pl.col("rate_type")
    return frames.prices.select(
        "price_id",
        "package_size",
        free=pl.col("free_units"),
        whole_period=rate_type == "VOLUME",
        axis=pl.when(rate_type == "PACKAGE").then(pl.lit("packages")).otherwise(pl.lit("quantity")),
    )


def cut_at_lanes(lines: pl.LazyFrame, priced: pl.LazyFrame) -> pl.LazyFrame:
    """`lines` of usage, each cut where the commit-side price changes inside it: every piece has one list price and one
    commit-side price per commit. A falling line is not cut. `priced` is what `lane_bands` returns.
    """
    numbered = lines.with_row_index("line").cache()
    bounds = pl.concat([priced.select(*ATOM, at=bound) for bound in ("lane_lower", "lane_upper")]).unique()
    inside = (pl.col("stretch_start") < pl.col("at")) & (pl.col("at") < pl.col("stretch_end"))
    cuts = (
        stretches(numbered, priced)
        .filter(~pl.col("whole_period"))
        .join(bounds, left_on=_OF_LINE, right_on=ATOM)
        .filter(inside)
        .group_by("line")
        .agg(pl.col("stretch_start", "stretch_end", "axis", "package_size", "free").first(), pl.col("at").sort())
        .cache()
    )
    whole = numbered.join(cuts.select("line"), on="line", how="anti")
    return pl.concat([whole, pieces(numbered, cuts)]).drop("line")


def stretches(numbered: pl.LazyFrame, priced: pl.LazyFrame) -> pl.LazyFrame:
    """Rising lines (rows of `numbered`, without fees) of atoms with a commit-side price: where on the running quantity
    they begin and end, stretch_start and stretch_end."""
    atoms = priced.select(*ATOM, "running_start", "running_end", "whole_period", "axis", "package_size", "free").unique(
        ATOM
    )
    rising = numbered.filter(pl.col("line_type") == "usage", ~pl.col("is_fee"), pl.col("quantity") > zero())
    lower, upper = (pl.when(~pl.col("whole_period")).then(f"tier_{end}") for end in ("lower", "upper"))
    return rising.join(atoms, left_on=_OF_LINE, right_on=ATOM).with_columns(
        stretch_start=clamp(pl.col("running_start"), lower, upper),
        stretch_end=clamp(pl.col("running_end"), lower, upper),
    )


def pieces(numbered: pl.LazyFrame, cuts: pl.LazyFrame) -> pl.LazyFrame:
    """The pieces of lines that are cut: quantity, amount and tier bounds of each; none that counts nothing."""
    names = numbered.collect_schema().names()
    start, end = pl.col("piece_start"), pl.col("piece_end")
    quantity = position(end) - position(start)
    amount = pl.col("quantity") * pl.col("unit_price")
    return (
        numbered.join(cuts, on="line")
        .with_columns(piece_start=pl.concat_list("stretch_start", "at"), piece_end=pl.concat_list("at", "stretch_end"))
        .explode("piece_start", "piece_end")
        .with_columns(
            quantity=quantity.cast(DECIMAL),
            tier_lower=pl.when(start == pl.col("stretch_start")).then("tier_lower").otherwise(start),
            tier_upper=pl.when(end == pl.col("stretch_end")).then("tier_upper").otherwise(end),
        )
        .filter(pl.col("quantity") != zero())
        .with_columns(amount=amount, list_amount=amount, net=amount)
        .select(names)
    )


def lane_prices(lines: pl.LazyFrame, priced: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (line_key, commit_id): unit_price, rate_id and override_id of the commit-side price of a line.

    `lines` are those of `cut_at_lanes`, with line_key; `priced` is what `lane_bands` returns.
    """
    offers = priced.select(
        *ATOM, "commit_id", "lane_lower", "lane_upper", "lane_rate_id", "lane_override_id", lane_unit_price="unit_price"
    )
    lower, upper = pl.col("lane_lower"), pl.col("lane_upper")
    holds = (lower.is_null() | (lower <= pl.col("stretch_start"))) & (
        upper.is_null() | (pl.col("stretch_end") <= upper)
    )
    return (
        stretches(lines, priced)
        .select("line_key", *_OF_LINE, "stretch_start", "stretch_end")
        .join(offers, left_on=_OF_LINE, right_on=ATOM)
        .filter(holds)
        .select(
            "line_key",
            "commit_id",
            unit_price="lane_unit_price",
            rate_id="lane_rate_id",
            override_id="lane_override_id",
        )
    )
