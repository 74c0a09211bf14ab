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
from billing_assets.commitments.reach import Hold, Reach
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
    return useful(found).group_by("pool_no").len().select(ranks=pl.col("len").max().fill_null(0))


def useful(found: Reach) -> pl.LazyFrame:
    """Balances that have something, with access in hours of their pool's lines; `rank` counts them in the pool."""
    spans = found.lines.group_by("pool_no").agg(first=pl.col("incurred_from").min(), last=pl.col("incurred_to").max())
    open_end = pl.col("ending_before").is_null() | (pl.col("ending_before") > pl.col("first"))
    return (
        found.balances.join(spans, on="pool_no")
        .filter(pl.col("available") > zero(), open_end, pl.col("starting_at") < pl.col("last"))
        .sort("balance_no")
        .with_columns(rank=place_in("pool_no"))
    )


def drawdown(found: Reach, ranks: int, hold: Hold, lanes: Lanes | None = None) -> pl.LazyFrame:
    """DRAW rows: what the balances of `found` (with `available` and `draw_rank`) pay of its lines.

    ranks: at least `depth(found)`. lanes: None where no balance has prices of its own.
    """
    balances = hold(useful(found))
    state = hold(opened(found, lanes))
    prices = hold(lane_prices(state, balances, lanes.prices)) if lanes else None
    discounts = lanes.depth if lanes else 0
    draws = []
    for rank in range(ranks):
        meeting = met(state, balances.filter(pl.col("rank") == rank), found)
        drawn = hold(taken(priced(meeting, prices), discounts))
        draws.append(drawn.select("line", "balance_no", *_AS_DRAWN))
        rest = balances.filter(pl.col("rank") > rank).select("pool_no").unique()
        state = hold(reduced(state, drawn, lanes).join(rest, on="pool_no", how="semi", maintain_order="left"))
    return named(pl.concat(draws), found) if draws else pl.LazyFrame(schema=DRAW)


_AS_DRAWN = ("drawn", "paid", "covered_quantity", "covered_amount", "released", "closes", "lane_price", "unit_price")


def opened(found: Reach, lanes: Lanes | None) -> pl.LazyFrame:
    """The lines as nothing has drawn on them, sorted by pool and order, as numbers."""
    state = found.lines.sort("pool_no", "draw_order").select(
        pl.col("line_key").alias("line"), "pool_no", "contract_no", "what_no", "amount_unit", "has_units",
        "incurred_from", "incurred_to", "quantity", "unit_price", "amount", "caps_lanes", left="net",
    )  # fmt: skip
    if lanes is None:
        return state.drop("caps_lanes")
    with_discounts = state.join(in_columns(lanes), on="line", how="left", maintain_order="left")
    return with_discounts.with_columns(listed="amount", first_quantity="quantity")


def in_columns(lanes: Lanes) -> pl.LazyFrame:
    """Grain line: its discounts beside each other, percentages first, as they apply (case 19)."""
    is_percentage = pl.col("discount_type") == "PERCENTAGE"
    ordered = lanes.discounts.sort("line_key", ~is_percentage, "discount_position").with_columns(
        rank=place_in("line_key")
    )

    def of(rank: int, value: pl.Expr, name: str) -> pl.Expr:
        return value.filter(pl.col("rank") == rank).first().alias(f"discount_{name}_{rank}")

    kinds = {
        "percentage": pl.when(is_percentage).then("value"),
        "fixed": pl.when(~is_percentage).then("taken"),
        "carried": pl.when(~is_percentage).then(zero()),
    }
    columns = [of(rank, value, name) for rank in range(lanes.depth) for name, value in kinds.items()]
    return ordered.group_by(line="line_key").agg(columns)


def lane_prices(state: pl.LazyFrame, balances: pl.LazyFrame, prices: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (line, balance_no): lane_price. None where a maximum binds in the line's family."""
    lines = state.filter(~pl.col("caps_lanes").fill_null(value=False)).select("line", "pool_no")
    return (
        prices.join(lines, left_on="line_key", right_on="line")
        .join(balances.select("pool_no", "commit_id", "balance_no"), on=["pool_no", "commit_id"])
        .select("balance_no", line="line_key", lane_price="unit_price")
    )


def met(state: pl.LazyFrame, balances: pl.LazyFrame, found: Reach) -> pl.LazyFrame:
    """Lines with the one balance of their pool that may pay for them now, in their order."""
    terms = balances.select("pool_no", "balance_no", "available", "by_quantity", *_TERMS)
    in_time = (pl.col("incurred_from") >= pl.col("starting_at")) & (
        pl.col("ending_before").is_null() | (pl.col("incurred_to") <= pl.col("ending_before"))
    )
    by_units, by_money = pl.col("has_units") & (pl.col("quantity") > zero()), pl.col("unit") == pl.col("amount_unit")
    own = pl.col("contract_no").eq_missing(pl.col("owner_no"))
    return (
        state.join(terms, on="pool_no", maintain_order="left")
        .filter(in_time, pl.when("by_quantity").then(by_units).otherwise(by_money))
        .join(found.allowed, on=["which_no", "what_no"], how="semi", maintain_order="left")
        .join(found.shared, on=["balance_no", "contract_no"], how="left", maintain_order="left")
        .filter(own | pl.col("is_shared"))
        .drop(*_TERMS, *_WHERE, "is_shared")
    )


_TERMS = ("owner_no", "which_no", "unit", "starting_at", "ending_before")
_WHERE = ("contract_no", "what_no", "amount_unit", "has_units", "incurred_from", "incurred_to")
"""What decides whether a balance reaches a line, and is needed no more when that is known."""


def priced(meeting: pl.LazyFrame, prices: pl.LazyFrame | None) -> pl.LazyFrame:
    """With `lane_price`, null where the balance pays the list price."""
    if prices is None:
        return meeting.with_columns(lane_price=pl.lit(None, dtype=DECIMAL))
    return meeting.join(prices, on=["line", "balance_no"], how="left", maintain_order="left")


def taken(meeting: pl.LazyFrame, discounts: int) -> pl.LazyFrame:
    """The draws of one balance per pool, beside their lines as they were before.

    What earlier lines of the pool take is a cumulative sum over all pools less its value where the pool starts; no term
    is larger than the balance, since after such a line nothing is left anyway. A price of 0 is met by any balance that
    has something.
    """
    term = pl.min_horizontal("price", "available")
    return (
        meeting.with_columns(price=parts.price_in_unit(discounts))
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


def reduced(state: pl.LazyFrame, drawn: pl.LazyFrame, lanes: Lanes | None) -> pl.LazyFrame:
    """Lines that still have something to pay, after one round of draws; their order is kept."""
    after = parts.after_draw(drawn) if lanes is None else parts.after_own_prices(drawn, lanes.depth)
    names = ["quantity", "amount", "left"]
    if lanes is not None:
        names += ["listed", *(f"discount_carried_{rank}" for rank in range(lanes.depth))]
    renamed = [pl.col(name).alias(f"{name}_after") for name in names]
    changed = after.select("line", *renamed, touched=pl.lit(value=True))
    latest = [pl.when("touched").then(f"{name}_after").otherwise(name).alias(name) for name in names]
    return (
        state.join(changed, on="line", how="left", maintain_order="left")
        .with_columns(latest)
        .drop("touched", *(f"{name}_after" for name in names))
        .filter(pl.col("left") > zero())
    )


def named(draws: pl.LazyFrame, found: Reach) -> pl.LazyFrame:
    """Draws with the names of what was numbered."""
    terms = found.balances.select("balance_no", "segment_id", "commit_id", "draw_rank")
    own = pl.col("lane_price").is_not_null()
    return (
        draws.join(terms, on="balance_no")
        .with_columns(
            line_key="line",
            covered_unit_price=pl.coalesce("lane_price", "unit_price"),
            price_lane=pl.when(own).then(pl.lit("COMMIT")).otherwise(pl.lit("LIST")),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DRAW.items())
    )
