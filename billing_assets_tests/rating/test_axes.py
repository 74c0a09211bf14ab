"""Formulas of the axes, on a few rows each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.columns import DECIMAL
from billing_assets.rating.axes import (
    above,
    charged_events,
    clamp,
    entered,
    holds_period_quantity,
    opened,
    packages,
    unit_price,
)
from billing_assets.rating.quantities import converted, overflow, rounded


def column(values: list[Any]) -> pl.Series:
    """Numbers written as text become exact decimals; booleans, integers and nulls stay as they are."""
    exact = any(isinstance(value, str) and value.lstrip("-").replace(".", "").isdigit() for value in values)
    return (
        pl.Series([value if value is None else Decimal(value) for value in values], dtype=DECIMAL)
        if exact
        else (pl.Series(values))
    )


def evaluated(expression: pl.Expr, **columns: list[Any]) -> list[str]:
    frame = pl.LazyFrame({name: column(values) for name, values in columns.items()})
    return [str(value.normalize() + 0) if isinstance(value, Decimal) else value for value in
            frame.select(value=expression).collect()["value"]]  # fmt: skip


def test_packages_are_begun_by_the_last_digit() -> None:
    begun = packages(pl.col("q"), pl.col("size"), pl.col("free"))
    found = evaluated(
        begun,
        q=["0", "10", "10.000000000001", "-5", "30"],
        size=["10", "10", "10", "10", "7"],
        free=[None, "0", None, None, "2"],
    )
    assert found == ["0", "1", "2", "0", "4"]


def test_without_a_free_amount_a_negative_amount_stays() -> None:
    assert evaluated(above(pl.col("q"), pl.col("free")), q=["5", "-5", "-5"], free=["3", "3", None]) == ["2", "0", "-5"]


def test_a_null_bound_is_none() -> None:
    held = clamp(pl.col("q"), pl.col("low"), pl.col("high"))
    assert evaluated(held, q=["5", "15", "-5"], low=["10", None, None], high=["20", "10", None]) == ["10", "10", "-5"]


def test_a_tier_is_entered_above_its_bound_and_left_at_it() -> None:
    found = evaluated(
        entered(),
        tier_lower=["10", "10", "10", "10"],
        running_start=["5", "10", "12", "11"],
        running_end=["10", "11", "10", "12"],
    )
    assert found == ["0", "1", "-1", "0"]


def test_only_a_volume_fee_is_refused_below_zero() -> None:
    found = evaluated(
        opened(),
        opens=[True, True, False],
        whole_period=[True, False, True],
        period_quantity=["-1", "-1", "1"],
    )
    assert found == ["0", "1", "0"]


def test_events_are_charged_above_the_free_ones_of_the_period() -> None:
    found = evaluated(
        charged_events(), running_events_start=[0, 1, 5], running_events_end=[3, 5, 9], free=["2", "2", None]
    )
    assert found == ["1", "3", "4"]


def test_a_period_quantity_below_zero_is_in_the_first_tier() -> None:
    found = evaluated(
        holds_period_quantity(),
        period_quantity=["-1", "10", "10.5", "99"],
        tier_lower=[None, "10", "10", "20"],
        tier_upper=["10", "20", "20", None],
    )
    assert found == [True, False, True, True]


def test_a_multiplied_price_is_rounded_once_half_to_even() -> None:
    found = evaluated(
        unit_price(),
        axis=["quantity", "quantity", "events"],
        list_price=["0.000000000005", "3", "2"],
        multiplier=["0.5", None, "0.5"],
        range_upper=["7", None, "7"],
    )
    assert found == ["2E-12", "3", "2"]


def test_conversion_multiplies_or_divides_the_cumulative() -> None:
    found = evaluated(
        converted(),
        raw_cumulative=["2", "2", "2", None],
        conversion_factor=["1000", "3", None, None],
        conversion_operation=["MULTIPLY", "DIVIDE", None, None],
    )
    assert found == ["2000", "0.666666666667", "2", "0"]


@pytest.mark.parametrize(("method", "expected"), [("ROUND_UP", "-2"), ("ROUND_DOWN", "-1"), (None, "-1.2")])
def test_rounding_is_the_products(method: str | None, expected: str) -> None:
    frame = {"q": ["-1.2"], "rounding_method": [method], "rounding_unit": ["1" if method else None]}
    types = {"q": DECIMAL, "rounding_method": pl.String, "rounding_unit": DECIMAL}
    rows = pl.LazyFrame({name: pl.Series(frame[name]).cast(dtype) for name, dtype in types.items()})
    assert rows.select(rounded(pl.col("q"))).collect().item() == Decimal(expected)


def test_overflow_is_what_lies_beyond() -> None:
    assert evaluated(overflow(pl.col("q"), pl.col("end")), q=["5", "15"], end=["10", "10"]) == ["0", "5"]
