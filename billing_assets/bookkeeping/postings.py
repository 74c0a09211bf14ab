"""What is posted: the entries of a voucher added up by account, in the minor unit of its currency."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.accounts import BY_BALANCE, POSITION, ROUNDING
from billing_assets.columns import DECIMAL
from billing_assets.identity import stable_id
from billing_assets.money import to_minor_unit, zero

KEYS = ("voucher_id", "account", "customer_id", "contract_id", "product_id", "balance_id", "currency")
"""Grain of a posting."""


def postings(entries: pl.LazyFrame, minor_digits: dict[str, int]) -> pl.LazyFrame:
    """Grain KEYS: `amount` in whole minor units, debits positive; each voucher adds up to 0.

    A balance stands on its accounts with its exact amount, rounded, whatever number of vouchers moved it; so what is
    released whole leaves nothing. What rounding leaves of a voucher is on the account of rounding differences.
    """
    digits = pl.col("currency").replace_strict(minor_digits, default=None, return_dtype=pl.Int64)
    exact = (
        entries.with_columns(balance_id=_balance())
        .group_by(KEYS)
        .agg(pl.col("amount").sum().cast(DECIMAL), pl.col("month", "posting_date", "at").first())
    )
    carried = pl.col("account").is_in(POSITION)
    rounded = exact.filter(~carried, pl.col("account") != ROUNDING).with_columns(
        amount=to_minor_unit(pl.col("amount"), digits)
    )
    by_balance = ("account", "balance_id", "currency")
    balances = (
        exact.filter(carried)
        .sort(*by_balance, "month", "posting_date", "at", "voucher_id", "customer_id", "contract_id", "product_id")
        .with_columns(after=pl.col("amount").cum_sum().cast(DECIMAL).over(by_balance))
        .with_columns(after=to_minor_unit(pl.col("after"), digits))
        .with_columns(amount=pl.col("after") - pl.col("after").shift(1).over(by_balance).fill_null(zero()))
        .drop("after")
    )
    together = pl.concat([rounded, balances])
    absent = pl.lit(None, dtype=pl.String)
    # Customer and contract of a voucher's rounding are those of its rounding line, or of the receivable.
    whose = (
        exact.sort(KEYS)
        .group_by("voucher_id", "currency")
        .agg(pl.col("customer_id", "contract_id").first(), pl.col("month", "posting_date", "at").first())
    )
    rest = (
        together.group_by("voucher_id", "currency")
        .agg(amount=-pl.col("amount").sum().cast(DECIMAL))
        .join(whose, on=("voucher_id", "currency"))
        .with_columns(account=pl.lit(ROUNDING), product_id=absent, balance_id=absent)
        .select(together.collect_schema().names())
    )
    return (
        pl.concat([together, rest])
        .filter(pl.col("amount") != zero())
        .with_columns(posting_id=posting_id())
    )  # fmt: skip


def posting_id() -> pl.Expr:
    """Of a posting, and of an entry that of the posting in which it is."""
    return stable_id("po", [_balance() if name == "balance_id" else pl.col(name) for name in KEYS])


def _balance() -> pl.Expr:
    return pl.when(pl.col("account").is_in(BY_BALANCE)).then("balance_id")
