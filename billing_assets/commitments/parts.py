"""What one draw covers of one line: quantity, amount and what is left to pay, as expressions.

A line in drawdown is (quantity, amount, left): what no balance covers yet, and what of it is still to be paid. A draw
covers all of it, or a part; a part at the list price is worked out of the amount, a part at a price of the commit's own
out of that price (docs/semantics.md, What a draw covers; cases 10, 19, 26 and 45).

Columns: quantity, amount, left, unit_price; room: what the balance has for this line; lane_price: the price of the
commit's own, null where it pays the list price; by_quantity: the balance holds units.
With discounts: first_quantity, listed (amount less the parts covered at a commit's own price, at list prices), and per
discount k, in the order in which they apply: discount_percentage_k (a fraction; null for a fixed one), discount_fixed_k
(the amount that it takes off the whole line; null for a percentage), discount_carried_k (of it, what covered parts
carry already).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from billing_assets.money import proportion, zero


def discount_columns(discounts: int) -> list[str]:
    """Columns of the `discounts` discounts of a line that have to be known while it is drawn."""
    kinds = ("percentage", "fixed", "carried")
    return [f"discount_{kind}_{rank}" for rank in range(discounts) for kind in kinds]


def discounts_of_part(amount: pl.Expr, quantity: pl.Expr, discounts: int) -> Iterator[pl.Expr]:
    """What each discount takes off a part covered at a commit's own price: a fixed one by the part's quantity."""
    left = amount
    for rank in range(discounts):
        share = proportion(quantity.abs(), pl.col("first_quantity").abs(), pl.col(f"discount_fixed_{rank}"))
        taken = _taken(left, rank, share)
        yield taken
        left = left - taken


def discounts_of_rest(amount: pl.Expr, discounts: int) -> Iterator[pl.Expr]:
    """What each discount takes off the rest of a line, `amount` at list prices: a fixed one what no part carries."""
    left = amount
    for rank in range(discounts):
        taken = _taken(left, rank, pl.col(f"discount_fixed_{rank}") - pl.col(f"discount_carried_{rank}"))
        yield taken
        left = left - taken


def _taken(left: pl.Expr, rank: int, fixed: pl.Expr) -> pl.Expr:
    percentage = pl.col(f"discount_percentage_{rank}")
    most = pl.min_horizontal(fixed, pl.max_horizontal(left, zero()))
    return pl.coalesce(left * percentage, pl.when(fixed.is_not_null()).then(most), zero())


def part_net(amount: pl.Expr, quantity: pl.Expr, discounts: int) -> pl.Expr:
    return amount - sum(discounts_of_part(amount, quantity, discounts), zero())


def rest_net(amount: pl.Expr, discounts: int) -> pl.Expr:
    return amount - sum(discounts_of_rest(amount, discounts), zero())


def has_lane() -> pl.Expr:
    return pl.col("lane_price").is_not_null()


def lane_amount(quantity: pl.Expr) -> pl.Expr:
    return quantity * pl.col("lane_price")


def whole_price(discounts: int) -> pl.Expr:
    """What covers all that is left, in money."""
    at_lane = part_net(lane_amount(pl.col("quantity")), pl.col("quantity"), discounts)
    return pl.when(has_lane()).then(at_lane).otherwise("left")


def price_in_unit(discounts: int) -> pl.Expr:
    """What covers all that is left, in the balance's unit."""
    return pl.when("by_quantity").then("quantity").otherwise(whole_price(discounts))


def covered_amount() -> pl.Expr:
    """Amount of the covered part; columns `closes` (all is covered) and `price` (`price_in_unit`)."""
    whole = pl.when(has_lane()).then(lane_amount(pl.col("quantity"))).otherwise("amount")
    by_money = proportion(_room(~pl.col("by_quantity")), pl.col("price"), whole)
    by_units = _room(pl.col("by_quantity")) * part_price()
    return pl.when("closes").then(whole).otherwise(pl.coalesce(by_money, by_units))


def _room(condition: pl.Expr) -> pl.Expr:
    """What the balance has, where it does not cover all: elsewhere its products need not fit."""
    return pl.when(~pl.col("closes") & condition).then("room")


def part_price() -> pl.Expr:
    return pl.coalesce("lane_price", "unit_price")


def covered_quantity() -> pl.Expr:
    """Quantity of the covered part; column `covered_amount`."""
    price = part_price()
    bought = pl.col("covered_amount") / pl.when(price != zero()).then(price)
    return pl.when("closes").then("quantity").when("by_quantity").then("room").otherwise(bought)


def paid(discounts: int) -> pl.Expr:
    """What the part takes off what is left to pay, in money: what its application line shows."""
    own = part_net(pl.col("covered_amount"), pl.col("covered_quantity"), discounts)
    units_at_list = pl.col("by_quantity") & ~pl.col("closes") & ~has_lane()
    at_list = proportion(pl.when(units_at_list).then("covered_amount"), pl.col("amount"), pl.col("left"))
    of_units = pl.when(has_lane()).then(own).otherwise(at_list)
    return pl.when("closes").then(whole_price(discounts)).when("by_quantity").then(of_units).otherwise("room")


def released() -> pl.Expr:
    """What the part takes off the line's amount: itself, or at a price of the commit's own its quantity at list."""
    at_list = pl.col("covered_quantity") * pl.col("unit_price")
    return pl.when(has_lane()).then(at_list).otherwise("covered_amount")


def after_draw(split: pl.LazyFrame) -> pl.LazyFrame:
    """Draws of a part, with quantity, amount and left as they are after it."""
    return split.with_columns(
        quantity=pl.col("quantity") - pl.col("covered_quantity"),
        amount=pl.col("amount") - pl.col("released"),
        left=pl.col("left") - pl.col("paid"),
    )


def after_own_prices(split: pl.LazyFrame, discounts: int) -> pl.LazyFrame:
    """`after_draw` where balances have prices of their own.

    The list part of such a line gets smaller and is discounted anew; what list prices have paid of it stays paid.
    """
    by_part = discounts_of_part(pl.col("covered_amount"), pl.col("covered_quantity"), discounts)
    carried = {
        f"discount_carried_{rank}": pl.col(f"discount_carried_{rank}")
        + pl.when(has_lane()).then(taken).otherwise(zero())
        for rank, taken in enumerate(by_part)
    }
    return (
        split.with_columns(paid_at_list=rest_net(pl.col("listed"), discounts) - pl.col("left"))
        .with_columns(listed=pl.col("listed") - pl.when(has_lane()).then("released").otherwise(zero()), **carried)
        .with_columns(relisted=rest_net(pl.col("listed"), discounts) - pl.col("paid_at_list"))
        .pipe(after_draw)
        .with_columns(left=pl.when(has_lane()).then("relisted").otherwise("left"))
    )
