"""Expressions of CUSTOM rates: what they read as, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing_assets.catalog.expressions import Constant, ExpressionError, Operation, Quantity, parse_expression

ONE, TWO, THREE = (Constant(Decimal(number)) for number in (1, 2, 3))


def test_products_bind_before_sums_and_both_go_from_left_to_right() -> None:
    product = Operation("*", (TWO, THREE))
    assert parse_expression("1 + 2 * 3") == Operation("+", (ONE, product))
    assert parse_expression("3 - 2 - 1") == Operation("-", (Operation("-", (THREE, TWO)), ONE))
    assert parse_expression("(1 + 2) * 3") == Operation("*", (Operation("+", (ONE, TWO)), THREE))


def test_a_sign_belongs_to_its_number() -> None:
    assert parse_expression("--2") == TWO
    assert parse_expression("-2.50e-1") == Constant(Decimal("-0.25"))
    assert parse_expression("-quantity") == Operation("-", (Constant(Decimal(0)), Quantity()))


def test_functions_take_sums() -> None:
    above = Operation("-", (Quantity(), Constant(Decimal(100))))
    assert parse_expression("max(quantity - 100, 0)") == Operation("max", (above, Constant(Decimal(0))))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quantity / quantity", "found a division by what is not a number"),
        ("quantity / 0", "found a division by what is not a number"),
        ("quantity / (1 - 1)", "found a division by what is not a number"),
        ("price * 2", "found 'price', expected quantity, min"),
        ("quantit * 2", "did you mean 'quantity'?"),
        ("__import__('os')", "found '__import__'"),
        ("quantity.real", "found '.' at part 2 of the expression, expected an operator or the end"),
        ("quantity ** 2", "found '*' at part 3"),
        ("quantity 2", "found '2' at part 2"),
        ("max(quantity)", "found 1 arguments of max, expected 2 to 32"),
        ("round(quantity, 13)", "found other places of round"),
        ("round(quantity, quantity)", "found other places of round"),
        ("(quantity", "found the end at part 3 of the expression, expected ')'"),
        ("", "found the end at part 1"),
        ("0.1234567890123 * quantity", "expected at most 12 decimal places"),
        ("(" * 60 + "1" + ")" * 60, "nested deeper than 40"),
        ("1" + " + 1" * 600, "expected at most 1000"),
        ("quantity \u00d7 2", "found '\u00d7' at part 2"),
        ("quantity if 1 else 2", "found 'if' at part 2"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_expression(text)
    assert said in str(raised.value)


def test_every_text_is_read_or_refused() -> None:
    """No text makes the reader fail in another way."""
    for text in ("min(,)", "max(1,)", "-", "1e", "1e999", "()", "abs()", ",", "a(b", "\x00", "quantity\n*2;"):
        with pytest.raises(ExpressionError):
            parse_expression(text)
