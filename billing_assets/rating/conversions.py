"""Custom pricing units in money of the rate card (docs/semantics.md, Custom pricing units)."""

from __future__ import annotations

import polars as pl

from billing_assets.money import zero
from billing_assets.rating.lines import as_rated_lines, in_last_hour

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


def conversion_lines(lines: pl.LazyFrame, conversions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (invoice, contract, pricing unit) that is not settled: one pricing_unit_conversion line in the currency.

    `lines` are RATED_LINE with invoice_id: of each invoice all lines in pricing units, with the application lines of
    the balances in those units; what they add up to is converted at the rate card's price and rounded once. The result
    has invoice_id too. No balance pays for it.
    """
    carried = ("customer_id", "currency", "minor_digits", "period_start", "period_end", "rate_card_id")
    quantity, price = pl.col("quantity"), pl.col("fiat_per_unit")
    return (
        lines.filter(pl.col("amount_unit") != pl.col("currency"))
        .group_by("invoice_id", "contract_id", "amount_unit")
        .agg(pl.col(carried).first(), quantity=pl.col("amount").sum())
        .filter(quantity != zero())
        .join(conversions, left_on=UNIT, right_on=("rate_card_id", "pricing_unit"))
        .with_columns(
            line_type=pl.lit("pricing_unit_conversion"),
            is_fee=pl.lit(value=False),
            unit="amount_unit",
            amount_unit="currency",
            unit_price=price,
            amount=quantity * price,
            list_unit_price=price,
            list_amount=quantity * price,
            net=zero(),
            starting_at="period_start",
            ending_before="period_end",
            price_lane=pl.lit("LIST"),
            caps_lanes=pl.lit(value=False),
            **in_last_hour(),
        )
        .pipe(as_rated_lines, ["invoice_id"])
    )
