"""Numbers of the catalog, whatever they look like: one canonical decimal, or a refusal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from billing_assets.catalog.values import Number, canonical_text, duration, duration_text, number

fitting = st.decimals(
    min_value=Decimal("-9e25"), max_value=Decimal("9e25"), places=12, allow_nan=False, allow_infinity=False
)


@given(fitting)
def test_a_number_that_fits_is_itself_in_every_spelling(value: Decimal) -> None:
    plain, scientific = format(value, "f"), format(value, "E")
    assert number(plain) == number(scientific) == number(value) == value
    assert str(number(plain)) == str(number(scientific)) == str(number(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1_000",
        "5.",
        "NaN",
        "inf",
        "0x10",
        "١",
        "1e26",
        "1e-13",
        "1e999999999",
        "1e-999999999",
        "--1",
        "1." + "0" * 450 + "1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        number(text)


@pytest.mark.parametrize("value", [True, None, 0.5, [], {}])
def test_values_that_are_no_numbers_are_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Number("1.0"), "1"),
        (Number("1e3"), "1000"),
        (Number("-0.50"), "-0.5"),
        (Number("0e5"), "0"),
        ("1.0", "1.0"),
        ("", ""),
        (True, "true"),
        (7, "7"),
    ],
)
def test_canonical_text(value: object, text: str) -> None:
    assert canonical_text(value) == text


@pytest.mark.parametrize("text", ["24h", "34d", "36h", "0h"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert duration(duration_text(duration(text))) == duration(text)


@pytest.mark.parametrize("text", ["1e999999", "0." + "1" * 500])
def test_a_group_value_of_absurd_length_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="400 digits"):
        canonical_text(Number(text))
