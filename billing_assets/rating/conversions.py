"""Custom pricing units in money of the rate card (docs/semantics.md, Custom pricing units)."""

from __future__ import annotations

import polars as pl

UNIT = ("rate_card_id", "amount_unit")


def in_currency(sums: pl.LazyFrame, conversions: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """`sums` with `column` in the card's currency: what is in a pricing unit is converted and rounded once.

    `sums` has rate_card_id and amount_unit; `conversions` is `pricing_unit_conversions` of the catalog.
    """
    prices = conversions.select("rate_card_id", "fiat_per_unit", amount_unit="pricing_unit")
    fiat = pl.col(column) * pl.col("fiat_per_unit")
    return (
        sums.join(prices, on=UNIT, how="left")
        .with_columns(pl.coalesce(fiat, column).alias(column))
        .drop("fiat_per_unit")
    )
