"""Custom pricing units: amounts in them, and what is left of them in money."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing_assets.rating import conversion_lines
from billing_assets_tests.rating.book import Bill, Book, bill, day, january, plain, used


def in_credits(**terms: object) -> Book:
    book = january(rate_type="FLAT", price=3, unit="credits", **terms)
    book.add(
        "pricing_unit_conversions", rate_card_id="card", pricing_unit="credits", name="AI credits",
        fiat_per_unit=Decimal("0.01"),
    )  # fmt: skip
    return book


def converted(book: Book, made: Bill, paid: object = 0) -> list[tuple[object, ...]]:
    """Conversion lines of the January invoice, on which balances of the unit have paid something."""
    lines = made.lines.with_columns(invoice_id=pl.lit("i"))
    application = lines.head(1).with_columns(amount=pl.lit(-Decimal(str(paid))).cast(lines["amount"].dtype))
    found = conversion_lines(pl.concat([lines, application]).lazy(), book.frames().pricing_unit_conversions).collect()
    names = ("invoice_id", "name", "line_type", "quantity", "unit", "unit_price", "amount", "amount_unit")
    return [tuple(plain(value) for value in row) for row in found.select(names).rows()]


def test_lines_are_in_the_unit_of_their_rate() -> None:
    book = in_credits(ends=day(10)).rate("FLAT", 1, starts=day(10))
    assert bill(book, used(day(3), 5), used(day(20), 7)).read("amount", "amount_unit") == [
        ("15", "credits"), ("7", "USD")
    ]  # fmt: skip


def test_an_overwrite_is_in_the_unit_of_the_rate_that_it_stands_for() -> None:
    book = in_credits().override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 2})
    assert bill(book, used(day(3), 5)).read("amount", "amount_unit") == [("10", "credits")]


def test_what_balances_leave_is_converted_on_one_line() -> None:
    """150 credits, 100 of them paid: 50 @ 0.01."""
    book = in_credits()
    made = bill(book, used(day(3), 50))
    assert converted(book, made, 100) == [
        ("i", "AI credits", "pricing_unit_conversion", "50", "credits", "0.01", "0.5", "USD")
    ]  # fmt: skip
    assert converted(book, made, 150) == []


def test_limits_hold_in_each_unit() -> None:
    """Minimum 31 a month: 9 days of credits, 22 of dollars."""
    book = in_credits(ends=day(10), minimum=31).rate("FLAT", 1, starts=day(10), minimum=31)
    found = bill(book).lines.filter(line_type="minimum_adjustment").sort("amount").select("amount", "amount_unit")
    assert [(plain(amount), unit) for amount, unit in found.rows()] == [("9", "credits"), ("22", "USD")]


def test_a_percentage_takes_credits_and_a_fixed_discount_only_money() -> None:
    book = in_credits().discount("PERCENTAGE", "0.1").discount("FIXED", 7)
    made = bill(book, used(day(3), 50))
    assert made.read("line_type", "amount", "amount_unit", "net") == [
        ("usage", "150", "credits", "135"), ("discount", "-15", "credits", "0")
    ]  # fmt: skip


def test_a_composite_and_the_minimum_spend_count_credits_in_money() -> None:
    """150 credits are 1.50: 10 % of it is 0.15; 10 - 1.65 are short."""
    book = in_credits().composite("PERCENTAGE", "0.1")
    book.rows["contracts"][0]["minimum_spend"] = Decimal(10)
    made = bill(book, used(day(3), 50))
    assert made.read("line_type", "amount", "amount_unit")[-2:] == [
        ("usage", "150", "credits"), ("composite", "0.15", "USD")
    ]  # fmt: skip
    assert plain(made.lines.filter(made.lines["product_id"].is_null())["amount"][0]) == "8.35"
