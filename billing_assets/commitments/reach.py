"""Which balance may pay for which line: product, group values, contract (docs/semantics.md, Commits and credits).

Everything that is matched gets a number first, and a pair of numbers is matched as one, so that a million contracts
are matched by whole numbers and not by texts.
"""

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

_VALUES = ("pricing_group_values", "presentation_group_values")
_LINE = (
    "line_key", "pool_no", "contract_no", "what_no", "amount_unit", "has_units", "incurred_from", "incurred_to",
    "dated_at", "quantity", "unit_price", "amount", "net", "caps_lanes",
)  # fmt: skip
_BALANCE = (
    "pool_no", "draw_rank", "segment_id", "commit_id", "owner_no", "which_no", "by_quantity", "unit", "available",
    "starting_at", "ending_before", "is_shared", "drawn_after",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """Lines and balances with numbers in place of what they are matched by, so that a loop over them moves little.

    lines: in the order in which they are drawn, numbered by `line`; pool_no, contract_no, what_no (product, and group
    values where a balance asks for them). balances: pool by pool in their order, numbered by `balance`; pool_no,
    owner_no (null: of the customer), which_no (selector and seat). allowed: `pair(which_no, what_no)` that match.
    shared: `pair(balance, contract_no)` beside the owner.
    """

    lines: pl.LazyFrame
    balances: pl.LazyFrame
    allowed: pl.LazyFrame
    shared: pl.LazyFrame


def pair(first: str, second: str) -> pl.Expr:
    """Two numbers as one: a join by one column is several times faster than by two."""
    return pl.col(first).cast(pl.UInt64) * 2**32 + pl.col(second).cast(pl.UInt64)


def reach(
    lines: pl.LazyFrame, access: pl.LazyFrame, selectors: pl.LazyFrame, shares: pl.LazyFrame, hold: Hold
) -> Reach:
    """`lines` as DRAWING_LINE, `access` as BALANCE with draw_rank and `available`; of the catalog, `selectors` and
    `shares` (balance_contracts). Lines of a type that no balance pays for are left out.
    """
    contracts = hold(contract_numbers(lines))
    which = hold(numbered(access.select("selector", "seat_key", "seat_value", which=_which()), "which"))
    drawing, what = numbered_lines(lines, contracts, products_with_values(selectors, which), hold)
    balances = hold(numbered_balances(access, contracts, which))
    return Reach(
        lines=drawing,
        balances=balances,
        allowed=hold(allowed(drawing, balances, what, which, selectors)),
        shared=hold(shared(balances, contracts, shares)),
    )


def contract_numbers(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Grain contract_id: contract_no, and pool_no of its pool."""
    contracts = lines.group_by("contract_id", maintain_order=True).agg(pl.col("pool").first())
    pools = contracts.select("pool").unique(maintain_order=True).with_row_index("pool_no")
    return contracts.with_row_index("contract_no").join(pools, on="pool", maintain_order="left")


def numbered(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """One row per text in column `name`, with its number `<name>_no`."""
    return frame.unique(name, keep="any", maintain_order=True).with_row_index(f"{name}_no")


def _which() -> pl.Expr:
    return pl.concat_str(
        [pl.col("selector"), pl.col("seat_key"), pl.col("seat_value")], separator="\x1f", ignore_nulls=True
    )


def products_with_values(selectors: pl.LazyFrame, which: pl.LazyFrame) -> pl.LazyFrame:
    """Grain product_id: products of which the group values, or an exclusion, decide who may pay."""
    seats = which.filter(pl.col("seat_key").is_not_null()).select("selector").unique()
    by_values = pl.any_horizontal(pl.col(name) != NO_GROUP for name in _VALUES) | pl.col("exclude")
    asked = [selectors.filter(by_values), selectors.join(seats, on="selector", how="semi")]
    return pl.concat(asked).select("product_id").unique().with_columns(asks_values=pl.lit(value=True))


def drawing_lines(lines: pl.LazyFrame, contracts: pl.LazyFrame, asked: pl.LazyFrame) -> pl.LazyFrame:
    """Lines that may be drawn, with `what`: the text of all that decides who may pay for them."""
    values = [pl.when("asks_values").then(pl.col(name).fill_null(NO_GROUP)).alias(name) for name in _VALUES]
    has_units = ~pl.col("is_fee").fill_null(value=False) & ~pl.col("line_type").is_in(WITHOUT_UNITS)
    return (
        lines.filter(pl.col("line_type").is_in(DRAWABLE_TYPES))
        .join(asked, on="product_id", how="left")
        .join(contracts.drop("pool"), on="contract_id")
        .with_columns(*values, has_units=has_units)
        .with_columns(what=pl.concat_str(["product_id", *_VALUES], separator="\x1f", ignore_nulls=True))
        .select("draw_order", "what", "product_id", *_VALUES, *(name for name in _LINE if name != "what_no"))
    )


def numbered_lines(
    lines: pl.LazyFrame, contracts: pl.LazyFrame, asked: pl.LazyFrame, hold: Hold
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The lines of Reach, and grain what_no: product and values."""
    keyed = hold(drawing_lines(lines, contracts, asked))
    what = hold(numbered(keyed.select("product_id", *_VALUES, "what"), "what"))
    in_order = keyed.join(what.select("what", "what_no"), on="what").sort("pool_no", "draw_order", "line_key")
    return hold(in_order.select(_LINE).with_row_index("line")), what


def numbered_balances(access: pl.LazyFrame, contracts: pl.LazyFrame, which: pl.LazyFrame) -> pl.LazyFrame:
    """Balances of the pools that have lines, in their order."""
    pools = contracts.select("pool", "pool_no").unique()
    owners = contracts.select("contract_id", owner_no="contract_no")
    return (
        access.with_columns(which=_which())
        .join(pools, on="pool")
        .join(which.select("which", "which_no"), on="which")
        .join(owners, on="contract_id", how="left")
        .with_columns(
            by_quantity=pl.col("access_type") == "QUANTITY",
            is_shared=pl.col("contract_id").is_null() | (pl.col("contract_count") > 1),
        )
        .select(_BALANCE)
        .sort("pool_no", "draw_rank")
        .with_row_index("balance")
    )


def meeting(found: Reach, lines: pl.LazyFrame, balances: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (line, balance), sorted by line: which of `balances` may pay for which of `lines`, both as of `found`.

    Columns: line, balance, by_quantity, available.
    """
    by_units, by_money = pl.col("has_units") & (pl.col("quantity") > zero()), pl.col("unit") == pl.col("amount_unit")
    paired = (
        lines.select("line", "pool_no", "quantity", *_MATCHED)
        .join(balances.drop("commit_id"), on="pool_no", maintain_order="left")
        .filter(in_time(), pl.when("by_quantity").then(by_units).otherwise(by_money))
        .with_columns(allowed=pair("which_no", "what_no"), owns=pl.col("contract_no").eq_missing(pl.col("owner_no")))
        .join(found.allowed, on="allowed", how="semi", maintain_order="left")
    )
    names = ("line", "balance", "by_quantity", "available")
    other = paired.filter(~pl.col("owns"), "is_shared").with_columns(shared=pair("balance", "contract_no"))
    others = other.join(found.shared, on="shared", how="semi", maintain_order="left")
    return paired.filter("owns").select(names).merge_sorted(others.select(names), key="line")


_MATCHED = ("contract_no", "what_no", "amount_unit", "has_units", "incurred_from", "incurred_to", "dated_at")


def in_time() -> pl.Expr:
    """Whether the hours of a line lie inside the access segment, and its invoice after what the balance waits for."""
    before_end = pl.col("ending_before").is_null() | (pl.col("incurred_to") <= pl.col("ending_before"))
    waited = pl.col("drawn_after").is_null() | (pl.col("dated_at") > pl.col("drawn_after"))
    return (pl.col("incurred_from") >= pl.col("starting_at")) & before_end & waited


def allowed(
    lines: pl.LazyFrame, balances: pl.LazyFrame, what: pl.LazyFrame, which: pl.LazyFrame, selectors: pl.LazyFrame
) -> pl.LazyFrame:
    """Grain `pair(which_no, what_no)`: what matches.

    By product alone where that decides, of all; by values only for what meets in a pool, since both a million balances
    with values of their own and a million combinations of values are to be expected.
    """
    alone = what.filter(pl.col("pricing_group_values").is_null()).select("product_id", "what_no")
    by_product = selectors.join(which.filter(pl.col("seat_key").is_null()), on="selector").join(alone, on="product_id")
    lined = [f"line_{name}" for name in _VALUES]
    asking = what.filter(pl.col("pricing_group_values").is_not_null()).rename(dict(zip(_VALUES, lined, strict=True)))
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
    pairs = [found.select(allowed=pair("which_no", "what_no")) for found in (by_product, by_values)]
    return pl.concat(pairs).unique()


def is_seat() -> pl.Expr:
    """Whether the line is of the seat that a balance is for, where it is for one."""
    named = pl.struct(key="seat_key", value="seat_value").struct.json_encode()
    # {"key":"user","value":"anna"} becomes the combination {"user":"anna"}.
    combination = named.str.replace(r'^\{"key":', "{").str.replace(r',"value":("(?:[^"\\]|\\.)*")\}$', ":${1}}")
    among = [is_part_of(combination, pl.col(f"line_{name}")) for name in _VALUES]
    return pl.col("seat_key").is_null() | pl.any_horizontal(among)


def shared(balances: pl.LazyFrame, contracts: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """Grain `pair(balance, contract_no)`: contracts beside the owner that may draw."""
    return (
        balances.filter("is_shared")
        .select("balance", "commit_id", "owner_no")
        .join(shares, on="commit_id")
        .join(contracts.select("contract_id", "contract_no"), on="contract_id")
        .filter(pl.col("contract_no").ne_missing(pl.col("owner_no")))
        .select(shared=pair("balance", "contract_no"))
        .unique()
    )
