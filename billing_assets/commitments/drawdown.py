"""Drawdown: what every balance pays of every line, over all pools at once.

A balance pays the lines that it reaches in their order, each with what it has left after earlier lines, of what the
line has left after earlier balances. So all that must be walked is the place of a balance in its pool: the first
balance of every pool, then the second. Inside one place, what earlier lines take is one cumulative sum
(docs/semantics.md, Drawdown; case 0.15).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.commitments import parts
from billing_assets.commitments.order import first_of, place_in
from billing_assets.commitments.reach import Hold, Reach, meeting, pair
from billing_assets.money import zero

DRAW: dict[str, pl.DataType] = {
    "line_key": pl.Int64(),
    "segment_id": pl.String(),
    "commit_id": pl.String(),
    "draw_rank": pl.Int64(),
    "drawn": DECIMAL,
    "paid": DECIMAL,
    "covered_quantity": DECIMAL,
    "covered_amount": DECIMAL,
    "covered_unit_price": DECIMAL,
    "released": DECIMAL,
    "closes": pl.Boolean(),
    "price_lane": pl.String(),
}
"""Grain (line, segment). drawn: in the balance's unit; paid: in the line's; released: what the line's amount falls by
(another figure than covered_amount at a price of the commit's own); closes: nothing of the line is left."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Prices of the commits' own: grain (line_key, commit_id) with `unit_price`; and the discounts of those lines.

    discounts: grain (line_key, discount_id) with discount_type, value (a fraction where PERCENTAGE), taken (what it
    takes off the whole line) and discount_position. depth: the most discounts that a line has.
    """

    prices: pl.LazyFrame
    discounts: pl.LazyFrame
    depth: int


def depth(found: Reach) -> pl.LazyFrame:
    """One row with `ranks`: the balances of the fullest pool. `drawdown` must be told as many, or more."""
    return useful(found).select(ranks=(pl.col("rank").max() + 1).fill_null(0))


def useful(found: Reach) -> pl.LazyFrame:
    """Balances that hold something, with access in hours of their pool's lines; `rank` counts them in the pool."""
    spans = found.lines.group_by("pool_no").agg(first=pl.col("incurred_from").min(), last=pl.col("incurred_to").max())
    open_end = pl.col("ending_before").is_null() | (pl.col("ending_before") > pl.col("first"))
    return (
        found.balances.drop("segment_id", "draw_rank")
        .join(spans, on="pool_no", maintain_order="left")
        .filter(pl.col("available") > zero(), open_end, pl.col("starting_at") < pl.col("last"))
        .with_columns(rank=place_in("pool_no"))
        .drop("first", "last")
    )


def drawdown(found: Reach, ranks: int, hold: Hold, lanes: Lanes | None = None) -> pl.LazyFrame:
    """DRAW rows: what the balances of `found` (with `available` and `draw_rank`) pay of its lines.

    ranks: at least `depth(found)`. lanes: None where no balance has prices of its own.
    """
    balances = hold(useful(found))
    state = opened(found, lanes)
    prices = hold(lane_prices(found.lines, balances, lanes.prices)) if lanes else None
    discounts = lanes.depth if lanes else 0
    draws = []
    for rank in range(ranks):
        met = meeting(found, found.lines, balances.filter(pl.col("rank") == rank))
        drawn = hold(taken(priced(met.join(state, on="line", maintain_order="left"), prices), discounts))
        draws.append(hold(drawn.select(_AS_DRAWN)))
        if rank + 1 < ranks:
            later = balances.filter(pl.col("rank") > rank).select("pool_no").unique()
            state = hold(reduced(state, drawn, later, lanes))
    return named(pl.concat(draws), found) if draws else pl.LazyFrame(schema=DRAW)


_AS_DRAWN = (
    "line", "balance", "drawn", "paid", "covered_quantity", "covered_amount", "released", "closes", "lane_price",
    "unit_price",
)  # fmt: skip


def opened(found: Reach, lanes: Lanes | None) -> pl.LazyFrame:
    """The lines as nothing has drawn on them: quantity, amount, and `left`, what is left to pay."""
    payable = found.lines.filter(pl.col("net") > zero(), pl.col("amount") > zero())
    state = payable.select("line", "line_key", "pool_no", "quantity", "unit_price", "amount", left="net")
    if lanes is None:
        return state.drop("line_key")
    with_discounts = state.join(in_columns(lanes), on="line_key", how="left").drop("line_key")
    return with_discounts.with_columns(listed="amount", first_quantity="quantity")


def ranked(discounts: pl.LazyFrame) -> pl.LazyFrame:
    """The discounts of each line as they apply: percentages first, then by the catalog; `rank` from 0 (case 19)."""
    fixed = pl.col("discount_type") != "PERCENTAGE"
    return discounts.sort("line_key", fixed, "discount_position").with_columns(rank=place_in("line_key"))


def in_columns(lanes: Lanes) -> pl.LazyFrame:
    """Grain line_key: its discounts beside each other."""
    is_percentage = pl.col("discount_type") == "PERCENTAGE"

    def of(rank: int, value: pl.Expr, name: str) -> pl.Expr:
        return value.filter(pl.col("rank") == rank).first().alias(f"discount_{name}_{rank}")

    kinds = {
        "percentage": pl.when(is_percentage).then("value"),
        "fixed": pl.when(~is_percentage).then("taken"),
        "carried": pl.when(~is_percentage).then(zero()),
    }
    columns = [of(rank, value, name) for rank in range(lanes.depth) for name, value in kinds.items()]
    return ranked(lanes.discounts).group_by("line_key").agg(columns)


def lane_prices(lines: pl.LazyFrame, balances: pl.LazyFrame, prices: pl.LazyFrame) -> pl.LazyFrame:
    """Grain `pair(line, balance)`: lane_price. None where a maximum binds in the line's family."""
    drawing = lines.filter(~pl.col("caps_lanes").fill_null(value=False)).select("line_key", "line", "pool_no")
    return (
        prices.join(drawing, on="line_key")
        .join(balances.select("pool_no", "commit_id", "balance"), on=["pool_no", "commit_id"])
        .select(lane=pair("line", "balance"), lane_price="unit_price")
    )


def priced(met: pl.LazyFrame, prices: pl.LazyFrame | None) -> pl.LazyFrame:
    """`met` with `lane_price`, null where the balance pays the list price."""
    if prices is None:
        return met.with_columns(lane_price=pl.lit(None, dtype=DECIMAL))
    lane = pair("line", "balance")
    return met.with_columns(lane=lane).join(prices, on="lane", how="left", maintain_order="left").drop("lane")


def taken(met: pl.LazyFrame, discounts: int) -> pl.LazyFrame:
    """The draws of one balance per pool, beside their lines as they were before.

    What earlier lines of the pool take is a cumulative sum over all pools less its value where the pool starts; no term
    is larger than the balance, since after such a line nothing is left anyway. A price of 0 is met by any balance that
    has something.
    """
    term = pl.min_horizontal("price", "available")
    return (
        met.with_columns(price=parts.price_in_unit(discounts))
        .with_columns(running=term.cum_sum() - term)
        .with_columns(before=pl.col("running") - pl.when(first_of("pool_no")).then("running").forward_fill())
        .filter(pl.col("before") < pl.col("available"))
        .with_columns(room=pl.col("available") - pl.col("before"))
        .with_columns(closes=pl.col("price") <= pl.col("room"))
        .with_columns(drawn=pl.min_horizontal("price", "room"), covered_amount=parts.covered_amount())
        .with_columns(covered_quantity=parts.covered_quantity())
        .with_columns(paid=parts.paid(discounts), released=parts.released())
        .drop("running", "before", "room", "available", "price", "by_quantity")
    )


def reduced(state: pl.LazyFrame, drawn: pl.LazyFrame, later: pl.LazyFrame, lanes: Lanes | None) -> pl.LazyFrame:
    """Lines that still have something to pay after one round of draws, in pools (`later`) with a next balance."""
    split = drawn.filter(~pl.col("closes"))
    after = parts.after_draw(split) if lanes is None else parts.after_own_prices(split, lanes.depth)
    untouched = state.join(drawn.select("line"), on="line", how="anti")
    names = state.collect_schema().names()
    left_over = pl.concat([untouched, after.filter(pl.col("left") > zero()).select(names)])
    return left_over.join(later, on="pool_no", how="semi")


def named(draws: pl.LazyFrame, found: Reach) -> pl.LazyFrame:
    """Draws with the names of what was numbered."""
    terms = found.balances.select("balance", "segment_id", "commit_id", "draw_rank")
    own = pl.col("lane_price").is_not_null()
    return (
        draws.join(terms, on="balance")
        .join(found.lines.select("line", "line_key"), on="line")
        .with_columns(
            covered_unit_price=pl.coalesce("lane_price", "unit_price"),
            price_lane=pl.when(own).then(pl.lit("COMMIT")).otherwise(pl.lit("LIST")),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DRAW.items())
    )
