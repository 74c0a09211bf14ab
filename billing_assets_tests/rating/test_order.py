"""The one order of charges, and the adjustments that follow it."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.rating import ORDER_OF_CHARGES
from billing_assets.rating.adjustments import ADJUSTMENTS, maximum_adjustment, minimum_adjustment


def test_the_order_is_that_of_the_documentation() -> None:
    assert [step.name for step in ORDER_OF_CHARGES] == [
        "conversion", "rounding", "entitlement", "rate", "tiers", "discounts", "maximum", "minimum", "pricing_units",
        "composites", "late_usage", "commitments", "minimum_spend", "total_rounding",
    ]  # fmt: skip


def test_every_adjustment_is_a_step_of_the_order() -> None:
    assert set(ADJUSTMENTS) <= {step.name for step in ORDER_OF_CHARGES}


def amounts(expression: pl.Expr, **columns: list[object]) -> list[Decimal | None]:
    numbers = {name: pl.Series(values, dtype=DECIMAL) for name, values in columns.items() if name != "has_usage"}
    usage = pl.Series(columns.get("has_usage", [True] * 3), dtype=pl.Boolean)
    frame = pl.LazyFrame({**numbers, "has_usage": usage}).with_columns(due_without_usage=pl.lit(False))
    return frame.select(value=expression).collect()["value"].to_list()


def test_a_maximum_binds_from_above_only() -> None:
    ten = Decimal(10)
    assert amounts(maximum_adjustment(), charge=[ten, Decimal(12), ten], maximum=[ten, ten, None]) == [None, -2, None]


def test_a_minimum_is_due_from_below_and_with_usage_only() -> None:
    ten = Decimal(10)
    found = amounts(
        minimum_adjustment(),
        charge=[ten, Decimal(7), Decimal(7)],
        minimum=[ten, ten, ten],
        has_usage=[True, True, False],
    )
    assert found == [None, 3, None]
