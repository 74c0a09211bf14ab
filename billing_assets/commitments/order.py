"""The order in which balances are drawn (docs/semantics.md, Drawdown)."""

from __future__ import annotations

import polars as pl

from billing_assets.money import zero

ORDER_OF_BALANCES: tuple[tuple[str, str], ...] = (
    ("kind", "rollovers, then prepaid commits and credits, then postpaid commits, whatever their priority"),
    ("priority", "the lower priority number"),
    ("is_paid", "what nobody pays for before what is paid"),
    ("product_count", "the fewest applicable products (unrestricted: infinite)"),
    ("value_specifier_count", "the fewest specifiers that name group values only"),
    ("ending_before", "the earlier end of access (an open end last)"),
    ("starting_at", "the earlier start of access"),
    ("contract_count", "the fewest applicable contracts"),
    ("is_shared", "those of the contract before those of the customer"),
    ("balance_position", "the order in the catalog"),
    ("balance_id", "the id"),
    ("segment_length", "the item of the access schedule"),
    ("segment_id", ""),
)
"""Sort keys, ascending, an absent value last; the sentences are what the documentation shows."""

_KEYS = [name for name, _ in ORDER_OF_BALANCES]


def order(access: pl.LazyFrame) -> pl.LazyFrame:
    """`access` with `draw_rank`: the place of a balance in its pool, 0 is drawn first. Rows stay where they are."""
    kind = pl.when("is_rollover").then(0).when(pl.col("balance_type") != "POSTPAID").then(1).otherwise(2)
    place = pl.arg_sort_by("pool_no", *_KEYS, nulls_last=True).arg_sort().cast(pl.Int64)
    return (
        access.with_columns(
            # Pools as numbers, since a sort by texts is slow; which number a pool gets does not matter.
            pool_no=pl.col("pool").cast(pl.Categorical).to_physical(),
            kind=kind.cast(pl.Int8),
            is_paid=pl.col("cost") > zero(),
            is_shared=pl.col("contract_id").is_null(),
            # `<balance_id>/<n>`: the tenth item comes after the second.
            segment_length=pl.col("segment_id").str.len_bytes(),
        )
        .with_columns(draw_rank=place)
        .with_columns(draw_rank=pl.col("draw_rank") - pl.col("draw_rank").min().over("pool_no"))
        .drop("kind", "is_paid", "is_shared", "segment_length", "pool_no")
    )


def place_in(key: str) -> pl.Expr:
    """0, 1, 2, ... within each run of `key`, in a frame that is sorted by it: one pass, whatever the number of runs."""
    index = pl.int_range(pl.len(), dtype=pl.Int64)
    starts = pl.when(first_of(key)).then(index).forward_fill()
    return index - starts


def first_of(key: str) -> pl.Expr:
    """Whether a row is the first of its run of `key`."""
    return pl.col(key).ne_missing(pl.col(key).shift(1)) | (pl.int_range(pl.len()) == 0)
