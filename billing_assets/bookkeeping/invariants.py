"""What must hold of a journal; each function returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.accounts import LIABILITY, POSITION, RECEIVABLE
from billing_assets.bookkeeping.journal import Journal
from billing_assets.bookkeeping.releases import OPENINGS
from billing_assets.bookkeeping.vouchers import INVOICE, VOID
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.columns import DECIMAL
from billing_assets.money import decimal, or_zero, proportion, to_minor_unit, zero

NEAR = "0.000001"
"""How far the 12th places of many movements may add up to."""


def unbalanced(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Vouchers, of entries or of postings, that do not add up to 0 in a currency."""
    return (
        rows.group_by("voucher_id", "currency")
        .agg(pl.col("amount").sum(), lines=pl.len())
        .filter((pl.col("amount") != zero()) | pl.col("currency").is_null())
    )


def receivables_of_seals(posted: pl.LazyFrame, seals: pl.LazyFrame) -> pl.LazyFrame:
    """(sealed month, currency) where what its invoices raised the receivable by is not the total of their seal."""
    raised = (
        posted.filter(pl.col("account") == RECEIVABLE, pl.col("voucher_type") == INVOICE)
        .group_by("currency", close_month="sealed_month")
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
    wrong = (
        pl.when(pl.col("account") == LIABILITY).then(pl.col("closing") > zero()).otherwise(pl.col("closing") < zero())
    )
    return (
        posted.filter(pl.col("account").is_in(POSITION))
        .group_by(*keys, "month")
        .agg(pl.col("amount").sum().cast(DECIMAL))
        .sort(*keys, "month")
        .with_columns(closing=pl.col("amount").cum_sum().cast(DECIMAL).over(keys))
        .filter(wrong)
    )  # fmt: skip


def liabilities_at_cost(journal: Journal, invoices: pl.LazyFrame, purchases: pl.LazyFrame) -> pl.LazyFrame:
    """Balances whose accounts are not what they cost for what remains, less what of the cost is not invoiced yet.

    Of the exact entries; reckoned from the sums of the ledger, not from its order. purchases: the lines that charge
    balances.
    """
    opens = pl.col("kind").is_in(OPENINGS)
    remaining, granted, cost = pl.col("remaining"), pl.col("granted"), pl.col("cost")
    held = pl.max_horizontal(pl.min_horizontal(remaining, granted), zero())
    at_cost = pl.when(held == granted).then(cost).otherwise(proportion(held, granted, cost))
    segments = journal.releases.group_by("balance_id", "segment_id").agg(
        remaining=pl.col("amount").sum().cast(DECIMAL),
        granted=pl.col("amount").filter(opens).sum().cast(DECIMAL),
        cost=pl.col("cost").filter(opens).sum().cast(DECIMAL),
        rolled=pl.col("cost").filter(pl.col("kind") == "ROLLOVER_IN").sum().cast(DECIMAL),
    )
    left = (
        segments.with_columns(at_cost=pl.when((held > zero()) & (cost > zero())).then(at_cost).otherwise(zero()))
        .group_by("balance_id")
        .agg(pl.col("at_cost", "cost", "rolled").sum().cast(DECIMAL))
    )
    live = invoices.filter(pl.col("status") != VOID).select("invoice_id")
    invoiced = purchases.join(live, on="invoice_id").group_by("balance_id").agg(invoiced=_sum())
    carried = journal.entries.filter(pl.col("account").is_in(POSITION))
    booked = carried.group_by("balance_id").agg(booked=-_sum())
    not_invoiced = or_zero("cost") - or_zero("rolled") - or_zero("invoiced")
    return (
        left.join(booked, on="balance_id", how="full", coalesce=True)
        .join(invoiced, on="balance_id", how="full", coalesce=True)
        .select("balance_id", booked=or_zero("booked"), expected=or_zero("at_cost") - not_invoiced)
        .filter((pl.col("booked") - pl.col("expected")).abs() > decimal(NEAR))
    )


def unrounded(journal: Journal) -> pl.LazyFrame:
    """(account, balance, currency) where what is posted is not the exact amount in whole minor units."""
    keys = ("account", "balance_id", "currency")
    digits = pl.col("currency").replace_strict(MINOR_DIGITS, default=None, return_dtype=pl.Int64)
    exact, posted = (
        rows.filter(pl.col("account").is_in(POSITION)).group_by(keys).agg(_sum())
        for rows in (journal.entries, journal.postings)
    )
    return (
        exact.join(posted.rename({"amount": "posted"}), on=keys, how="full", coalesce=True)
        .with_columns(expected=to_minor_unit(or_zero("amount"), digits), posted=or_zero("posted"))
        .filter(pl.col("posted") != pl.col("expected"))
    )


def _sum() -> pl.Expr:
    return pl.col("amount").sum().cast(DECIMAL)
