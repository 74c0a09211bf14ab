"""Which balance may pay for which line: product, group values, contract (docs/semantics.md, Commits and credits)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_assets.columns import NO_GROUP
from billing_assets.commitments.access import DRAWABLE_TYPES, WITHOUT_UNITS
from billing_assets.group_values import is_part_of
from billing_assets.money import zero

Hold = Callable[[pl.LazyFrame], pl.LazyFrame]
"""Compute a frame once and give it back to be read many times."""

_LINE = (
    "line_key", "pool_no", "contract_no", "what_no", "draw_order", "amount_unit", "has_units", "incurred_from",
    "incurred_to", "quantity", "unit_price", "amount", "net", "caps_lanes",
)  # fmt: skip
_SEAT = ("selector", "seat_key", "seat_value")


@dataclass(frozen=True, slots=True)
class Reach:
    """Lines and balances with numbers in place of what they are matched by, so that a loop over them moves little.

    lines: line_key with pool_no, contract_no, what_no (product, and group values where a balance asks for them).
    balances: segment_id, commit_id with pool_no, balance_no, owner_no (null: of the customer), which_no (selector and
    seat). allowed: (which_no, what_no) that match. shared: (balance_no, contract_no) beside the owner.
    """

    lines: pl.LazyFrame
    balances: pl.LazyFrame
    allowed: pl.LazyFrame
    shared: pl.LazyFrame


def reach(
    lines: pl.LazyFrame, access: pl.LazyFrame, selectors: pl.LazyFrame, shares: pl.LazyFrame, hold: Hold
) -> Reach:
    """`lines` as DRAWING_LINE, `access` as BALANCE, `selectors` and `shares` (balance_contracts) of the catalog.

    Lines that no balance can ever pay for are left out: of another type, or without anything left to pay.
    """
    contracts = hold(numbered(lines.select("pool", "contract_id"), "contract_no"))
    pools = hold(numbered(contracts.select("pool"), "pool_no"))
    which = numbered(access.select(_SEAT), "which_no")
    asked = products_with_values(selectors, which)
    drawing = lines.filter(pl.col("line_type").is_in(DRAWABLE_TYPES), pl.col("net") > zero(), pl.col("amount") > zero())
    keyed = drawing.join(asked, on="product_id", how="left", maintain_order="left").with_columns(
        *(pl.when("asks_values").then(pl.col(name).fill_null(NO_GROUP)).alias(name) for name in _VALUES)
    )
    what = hold(numbered(keyed.select("product_id", *_VALUES), "what_no"))
    numbered_lines = (
        keyed.join(contracts.join(pools, on="pool"), on="contract_id")
        .join(what, on=["product_id", *_VALUES], nulls_equal=True)
        .with_columns(has_units=~pl.col("is_fee").fill_null(value=False) & ~pl.col("line_type").is_in(WITHOUT_UNITS))
        .select(_LINE)
        .pipe(hold)
    )
    balances = (
        access.join(pools, on="pool")
        .join(which, on=list(_SEAT), nulls_equal=True)
        .join(contracts.select("contract_id", owner_no="contract_no"), on="contract_id", how="left")
        .with_columns(by_quantity=pl.col("access_type") == "QUANTITY")
        .sort("pool_no", "draw_rank")
        .with_row_index("balance_no")
        .pipe(hold)
    )
    return Reach(
        lines=numbered_lines,
        balances=balances,
        allowed=hold(allowed(numbered_lines, balances, what, which, selectors)),
        shared=hold(shared(balances, contracts, shares)),
    )


_VALUES = ("pricing_group_values", "presentation_group_values")


def numbered(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """The distinct rows of `frame` with a number each; sorted, so that every plan gives the same numbers."""
    return frame.unique().sort(pl.all()).with_row_index(name)


def products_with_values(selectors: pl.LazyFrame, which: pl.LazyFrame) -> pl.LazyFrame:
    """Grain product_id: products of which the group values, or an exclusion, decide who may pay."""
    seats = which.filter(pl.col("seat_key").is_not_null()).select("selector").unique()
    by_values = pl.any_horizontal(pl.col(name) != NO_GROUP for name in _VALUES) | pl.col("exclude")
    asked = [selectors.filter(by_values), selectors.join(seats, on="selector", how="semi")]
    return pl.concat(asked).select("product_id").unique().with_columns(asks_values=pl.lit(value=True))


def allowed(
    lines: pl.LazyFrame, balances: pl.LazyFrame, what: pl.LazyFrame, which: pl.LazyFrame, selectors: pl.LazyFrame
) -> pl.LazyFrame:
    """Grain (which_no, what_no): what matches.

    By product alone where that decides, of all; by values only for what meets in a pool, since both a million balances
    with values of their own and a million combinations of values are to be expected.
    """
    alone = what.filter(pl.col("pricing_group_values").is_null())
    by_product = selectors.join(which.filter(pl.col("seat_key").is_null()), on="selector").join(alone, on="product_id")
    asking = what.filter(pl.col("pricing_group_values").is_not_null()).rename(
        {name: f"line_{name}" for name in _VALUES}
    )
    meeting = (
        lines.join(asking, on="what_no", how="semi")
        .select("pool_no", "what_no")
        .unique()
        .join(balances.select("pool_no", "which_no").unique(), on="pool_no")
        .select("what_no", "which_no")
        .unique()
    )
    matches = pl.all_horizontal(is_part_of(pl.col(name), pl.col(f"line_{name}")) for name in _VALUES) & is_seat()
    by_values = (
        meeting.join(which, on="which_no")
        .join(asking, on="what_no")
        .join(selectors, on=["selector", "product_id"])
        .filter(matches)
        .group_by("which_no", "what_no")
        .agg(pl.col("exclude").any())
        .filter(~pl.col("exclude"))
    )
    pairs = ["which_no", "what_no"]
    return pl.concat([by_product.select(pairs).unique(), by_values.select(pairs)])


def is_seat() -> pl.Expr:
    """Whether the line is of the seat that a balance is for, where it is for one."""
    named = pl.struct(key="seat_key", value="seat_value").struct.json_encode()
    # {"key":"user","value":"anna"} becomes the combination {"user":"anna"}.
    combination = named.str.replace(r'^\{"key":', "{").str.replace(r',"value":("(?:[^"\\]|\\.)*")\}$', ":${1}}")
    among = [is_part_of(combination, pl.col(f"line_{name}")) for name in _VALUES]
    return pl.col("seat_key").is_null() | pl.any_horizontal(among)


def shared(balances: pl.LazyFrame, contracts: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (balance_no, contract_no): contracts beside the owner that may draw."""
    wider = balances.filter(pl.col("contract_id").is_null() | (pl.col("contract_count") > 1))
    return (
        wider.select("balance_no", "commit_id", "owner_no")
        .join(shares, on="commit_id")
        .join(contracts.select("contract_id", "contract_no"), on="contract_id")
        .filter(pl.col("contract_no").ne_missing(pl.col("owner_no")))
        .select("balance_no", "contract_no", is_shared=pl.lit(value=True))
        .unique()
    )
