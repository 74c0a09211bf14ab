"""Control totals: from month to month, opening + debits - credits = closing, per account and currency."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.money import zero


def control_totals(posted: pl.LazyFrame, month: str) -> pl.LazyFrame:
    """Grain (account, currency) of `posted` up to `month`: opening, debits, credits, closing; debit balances positive.

    The opening is everything of earlier months, so it is the closing of the month before.
    """
    amount, within = pl.col("amount"), pl.col("month") == month

    def part(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(value).otherwise(zero()).sum().cast(DECIMAL)

    return (
        posted.filter(pl.col("month") <= month)
        .group_by("account", "currency")
        .agg(
            opening=part(pl.col("month") < month, amount),
            debits=part(within & (amount > zero()), amount),
            credits=part(within & (amount < zero()), -amount),
            closing=amount.sum().cast(DECIMAL),
        )
        .with_columns(close_month=pl.lit(month))
        .sort("currency", "account")
    )
