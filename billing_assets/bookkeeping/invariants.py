"""What must hold of a journal; each function returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.accounts import CONTRACT_ASSET, LIABILITY, POSITION, RECEIVABLE
from billing_assets.bookkeeping.vouchers import INVOICE
from billing_assets.columns import DECIMAL
from billing_assets.money import decimal, or_zero, proportion, zero

MINOR = "0.01"


def unbalanced(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Vouchers, of entries or of postings, that do not add up to 0 in a currency."""
    return (
        rows.group_by("voucher_id", "currency")
        .agg(pl.col("amount").sum(), lines=pl.len())
        .filter((pl.col("amount") != zero()) | pl.col("currency").is_null())
    )


def receivables_of_seals(posted: pl.LazyFrame, seals: pl.LazyFrame) -> pl.LazyFrame:
    """(sealed month, currency) where what invoices raised the receivable by is not the total of their seal."""
    raised = (
        posted.filter(pl.col("account") == RECEIVABLE, pl.col("voucher_type") == INVOICE)
        .group_by("currency", close_month="month")
        .agg(booked=pl.col("amount").sum().cast(DECIMAL))
    )
    path = pl.concat_str(pl.lit("$.invoices."), "currency", pl.lit(".total"))
    sealed = (
        seals.select("close_month", "control_totals")
        .join(posted.select("currency").unique(), how="cross")
        .select("close_month", "currency", sealed=pl.col("control_totals").str.json_path_match(path).cast(DECIMAL))
    )
    return (
        sealed.join(raised, on=["close_month", "currency"], how="left")
        .with_columns(or_zero("booked"), or_zero("sealed"))
        .filter(pl.col("booked") != pl.col("sealed"))
    )


def liabilities_below_zero(posted: pl.LazyFrame) -> pl.LazyFrame:
    """(balance, month) at whose end a liability is a debit, or a contract asset a credit."""
    keys = ["account", "balance_id", "currency"]
    wrong = pl.when(pl.col("account") == LIABILITY).then(pl.col("closing") > zero()).otherwise(pl.col("closing") < zero())
    return (
        posted.filter(pl.col("account").is_in(POSITION))
        .group_by(*keys, "month")
        .agg(pl.col("amount").sum().cast(DECIMAL))
        .sort(*keys, "month")
        .with_columns(closing=pl.col("amount").cum_sum().cast(DECIMAL).over(keys))
        .filter(wrong)
    )  # fmt: skip


def liabilities_at_cost(posted: pl.LazyFrame, released: pl.LazyFrame, lines: pl.LazyFrame) -> pl.LazyFrame:
    """Balances whose accounts are not what they cost for what remains, less what of the cost is not invoiced yet.

    Reckoned from the sums of the ledger, not from its order; within a minor unit.
    """
    opens = pl.col("entry_type").is_in(["GRANT", "SEAT_ADJUSTMENT", "ROLLOVER_IN"])
    remaining, granted, cost = pl.col("remaining"), pl.col("granted"), pl.col("cost")
    held = pl.max_horizontal(pl.min_horizontal(remaining, granted), zero())
    at_cost = pl.when(held == granted).then(cost).otherwise(proportion(held, granted, cost))
    left = (
        released.group_by("balance_id", "segment_id")
        .agg(
            remaining=pl.col("amount").sum().cast(DECIMAL),
            granted=pl.col("amount").filter(opens).sum().cast(DECIMAL),
            cost=pl.col("cost").filter(opens).sum().cast(DECIMAL),
        )
        .with_columns(at_cost=pl.when((held > zero()) & (cost > zero())).then(at_cost).otherwise(zero()))
        .group_by("balance_id")
        .agg(pl.col("at_cost", "cost").sum().cast(DECIMAL))
    )
    rolled_in = (
        released.filter(pl.col("entry_type") == "ROLLOVER_IN")
        .group_by("balance_id")
        .agg(rolled=pl.col("cost").sum().cast(DECIMAL))
    )
    invoiced = lines.group_by("balance_id").agg(invoiced=pl.col("amount").sum().cast(DECIMAL))
    booked = (
        posted.filter(pl.col("account").is_in([LIABILITY, CONTRACT_ASSET]))
        .group_by("balance_id")
        .agg(booked=-pl.col("amount").sum().cast(DECIMAL))
    )
    missing = or_zero("cost") - or_zero("rolled") - or_zero("invoiced")
    return (
        left.join(booked, on="balance_id", how="full", coalesce=True)
        .join(rolled_in, on="balance_id", how="left")
        .join(invoiced, on="balance_id", how="left")
        .with_columns(booked=or_zero("booked"), expected=or_zero("at_cost") - missing)
        .filter((pl.col("booked") - pl.col("expected")).abs() >= decimal(MINOR))
        .select("balance_id", "booked", "expected")
    )
