"""Exact arithmetic: rounding rules that invoices rest on, as figures."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.columns import DECIMAL
from billing_assets.money import proportion, share, symmetric_round, to_minor_unit


def evaluate(expression: pl.Expr, **columns: object) -> object:
    schema = {name: DECIMAL if isinstance(value, Decimal) else None for name, value in columns.items()}
    frame = pl.LazyFrame({name: [value] for name, value in columns.items()}, schema=schema)
    return frame.select(expression).collect().item()


@pytest.mark.parametrize(
    ("value", "method", "unit", "expected"),
    [
        ("-1.2", "ROUND_UP", "1", "-2"),
        ("1.25", "ROUND_HALF_UP", "0.1", "1.3"),
        ("-1.25", "ROUND_HALF_UP", "0.1", "-1.3"),
        ("123.456", "ROUND_UP", "100", "200"),
        ("-123.456", "ROUND_DOWN", "0.01", "-123.45"),
        ("99.999999999999", "ROUND_DOWN", "100", "0"),
        ("2", "ROUND_UP", "1", "2"),
    ],
)
def test_quantity_rounding_is_symmetric(value: str, method: str, unit: str, expected: str) -> None:
    rounded = symmetric_round(pl.col("value"), pl.col("method"), pl.col("unit"))
    assert evaluate(rounded, value=Decimal(value), method=method, unit=Decimal(unit)) == Decimal(expected)


@pytest.mark.parametrize(
    ("amount", "digits", "expected"),
    [("1.255", 2, "1.26"), ("-123.5", 0, "-124"), ("0.0005", 3, "0.001"), ("-0.005", 2, "-0.01")],
)
def test_totals_round_half_away_from_zero_to_the_minor_unit(amount: str, digits: int, expected: str) -> None:
    assert evaluate(to_minor_unit(pl.col("a"), pl.col("d")), a=Decimal(amount), d=digits) == Decimal(expected)


def test_a_product_rounds_once_half_to_even_at_the_twelfth_place() -> None:
    product = pl.col("a") * pl.col("b")
    assert evaluate(product, a=Decimal("0.000000000001"), b=Decimal("0.5")) == Decimal("0")
    assert evaluate(product, a=Decimal("0.000000000003"), b=Decimal("0.5")) == Decimal("0.000000000002")


def test_a_share_of_nothing_is_null_not_an_error() -> None:
    assert evaluate(share(pl.col("a"), pl.col("b")), a=Decimal(1), b=Decimal(0)) is None


def test_overflow_is_an_error_never_a_wrap() -> None:
    huge = pl.LazyFrame({"x": [Decimal(10) ** 25 * 9] * 20}, schema={"x": DECIMAL})
    with pytest.raises(pl.exceptions.ComputeError):
        huge.group_by(pl.lit(1)).agg(pl.col("x").sum()).collect()


ULPS = st.one_of(st.integers(1, 60), st.integers(1, 10**15), st.integers(1, 10**25), st.integers(1, 10**30))


def in_ulps(count: int) -> Decimal:
    """`count` units of the 12th place; Decimal's own arithmetic would round to 28 digits."""
    return Decimal(f"{count}e-12")


@given(st.lists(st.tuples(ULPS, ULPS, st.integers(0, 10**30)), min_size=1, max_size=50))
def test_a_proportion_rounds_once_half_to_even(drawn: list[tuple[int, int, int]]) -> None:
    rows = [(min(part, whole), whole, of) for part, whole, of in drawn]
    frame = pl.LazyFrame(
        [[in_ulps(ulps) for ulps in row] for row in rows],
        schema={"part": DECIMAL, "whole": DECIMAL, "of": DECIMAL}, orient="row",
    )  # fmt: skip
    found = frame.select(proportion(pl.col("part"), pl.col("whole"), pl.col("of"))).collect().to_series().to_list()
    assert found == [in_ulps(round(Fraction(part * of, whole))) for part, whole, of in rows]


def test_a_proportion_of_the_whole_itself_is_the_part_at_any_size() -> None:
    huge = Decimal(10) ** 25
    assert evaluate(proportion(pl.col("a"), pl.col("b"), pl.col("b")), a=huge - 1, b=huge) == huge - 1
