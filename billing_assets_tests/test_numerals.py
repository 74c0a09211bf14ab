"""Numeric text: which texts are numbers, their exact value, and their shortest plain form."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.columns import DECIMAL
from billing_assets.numerals import number, plain_decimal, shortest_plain

NUMBERS = {
    "0": "0",
    ".5": "0.5",
    "+1e3": "1000",
    "1.50": "1.5",
    "-1E-3": "-0.001",
    "007.250": "7.25",
    "1e-12": "0.000000000001",
    "0.0000000000010000": "0.000000000001",
    "99999999999999999999999999.999999999999": "99999999999999999999999999.999999999999",
    "0000000000000000000000000000000000000000001": "1",
    "1" + "0" * 60 + "e-60": "1",
    "0." + "0" * 60 + "1e61": "1",
    "0e999999999999": "0",
    "-0": "0",
    "12345678901234567.123456789": "12345678901234567.123456789",
}
EXCEPTIONS = [
    "", "5.", " 5", "5 ", "1_000", "NaN", "inf", "-", "+", ".", "e5", "1e", "1e+", "0x10", "1,5", "٣", "1.2.3", "--1",
    "true", "1e-13", "0.0000000000001", "1.0000000000001", "100000000000000000000000000", "1e26",
    "1e400", "1e-400", "5\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_a_number_has_its_exact_value(text: str, value: str) -> None:
    got = pl.select(number(pl.lit(text))).to_series()
    assert got.dtype == DECIMAL
    assert got.item() == Decimal(value)
    assert pl.select(shortest_plain(pl.lit(text))).item() == value


@pytest.mark.parametrize("text", EXCEPTIONS)
def test_anything_else_is_an_exception_never_a_zero(text: str) -> None:
    assert pl.select(number(pl.lit(text))).item() is None


def test_null_is_no_number() -> None:
    assert pl.select(number(pl.lit(None, dtype=pl.String))).item() is None


NUMERIC = st.from_regex(r"[+-]?([0-9]{1,30}(\.[0-9]{1,16})?|\.[0-9]{1,16})([eE][+-]?[0-9]{1,2})?", fullmatch=True)


@settings(max_examples=40)
@given(st.lists(NUMERIC, min_size=1, max_size=30))
def test_both_readers_agree_with_decimal(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}).select(plain=shortest_plain(pl.col("text")), value=number(pl.col("text")))
    for text, plain, value in zip(texts, *frame, strict=True):
        exact = Decimal(text)
        written = format(exact, "f")
        shortest = (written.rstrip("0").rstrip(".") if "." in written else written) if exact else "0"
        assert plain == shortest == plain_decimal(text)
        whole, _, places = shortest.lstrip("-").partition(".")
        assert value == (exact if len(whole) <= 26 and len(places) <= 12 else None)
