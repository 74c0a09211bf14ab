"""Products that change in time: names, conversions, roundings, keys, and what the change does to lines."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing_assets.rating.versions import key_names
from billing_assets_tests.rating.book import Book, bill, day, used

QUANTITY = ("name", "starting_at", "quantity", "unit_price", "amount")


def test_key_names_are_those_of_canonical_json() -> None:
    texts = ["{}", '{"a":null,"b":"x\\",\\"c\\":"}', '{"a\\"b":"1"}', None]
    frame = pl.LazyFrame({"values": texts}, schema={"values": pl.String})
    assert frame.select(key_names(pl.col("values"))).collect()["values"].to_list() == [
        "", '"a","b"', '"a\\"b"', None
    ]  # fmt: skip


def test_a_new_name_cuts_the_line() -> None:
    book = Book().product().contract().rate("FLAT", 2).update(day(15), name="Renamed")
    assert bill(book, used(day(3), 5), used(day(20), 7)).read(*QUANTITY) == [
        ("Product p", day(1), "5", "2", "10"), ("Renamed", day(15), "7", "2", "14")
    ]  # fmt: skip


def test_tiers_run_on_across_an_update() -> None:
    book = Book().product().contract().rate("TIERED", tiers=[{"size": 10, "price": 2}, {"price": 1}])
    book.update(day(15), tags='["x"]')
    assert bill(book, used(day(3), 8), used(day(20), 8)).read("tags", "tier_level", "quantity") == [
        ("[]", 1, "8"), ('["x"]', 1, "2"), ('["x"]', 2, "6")
    ]  # fmt: skip


def test_a_new_conversion_converts_what_follows_it() -> None:
    """1,500 in thousands, rounded up: 2. Then by the hundred: from 1,500 to 1,720 is from 15 to 18: 3."""
    book = Book().product(conversion=("DIVIDE", 1000), rounding=("ROUND_UP", 0)).contract().rate("FLAT", 1)
    book.update(day(15), conversion_factor=Decimal(100))
    made = bill(book, used(day(3), 1500), used(day(20), 220))
    assert made.read("starting_at", "quantity") == [(day(1), "2"), (day(15), "3")]


def test_a_conversion_may_end() -> None:
    book = Book().product(conversion=("DIVIDE", 1000)).contract().rate("FLAT", 1)
    book.update(day(15), conversion_factor=None, conversion_operation=None)
    assert bill(book, used(day(3), 1500), used(day(20), 3)).read("quantity") == [("1.5",), ("3",)]


def keyed_from_the_15th() -> Book:
    book = Book().product().contract().rate("FLAT", 1).update(day(15), pricing_keys=["m"])
    return book.rate("FLAT", 3, pricing={"m": "x"}, starts=day(15))


def test_a_new_pricing_key_prices_by_its_values_from_then_on() -> None:
    made = bill(keyed_from_the_15th(), used(day(3), 5), used(day(20), 2, pricing={"m": "x"}))
    assert made.read("pricing_group_values", "starting_at", "ending_before", "amount") == [
        ("{}", day(1), day(15), "5"), ('{"m":"x"}', day(15), day(32), "6")
    ]  # fmt: skip
    assert made.unrated.is_empty()


def test_without_a_rate_for_the_new_key_usage_is_unrated() -> None:
    made = bill(keyed_from_the_15th(), used(day(20), 2, pricing={"m": "y"}))
    assert made.unrated.select("pricing_group_values", "starting_at", "quantity").rows() == [
        ('{"m":"y"}', day(15), Decimal(2))
    ]  # fmt: skip


def test_a_zero_line_stands_only_while_the_product_has_no_key() -> None:
    book = Book().product().contract().rate("FLAT", 1).update(day(15), presentation_keys=["org"])
    assert bill(book).read("starting_at", "ending_before", "quantity") == [(day(1), day(15), "0")]


def test_a_minimum_is_weighted_by_the_hours_of_its_key() -> None:
    """31 a month until the 15th: 31 x 14 / 31 = 14, less the 5 used; the other key has none."""
    book = Book().product().contract().rate("FLAT", 1, minimum=31).update(day(15), pricing_keys=["m"])
    made = bill(book, used(day(3), 5))
    assert made.read("line_type", "amount") == [("usage", "5"), ("minimum_adjustment", "9")]


def test_a_minimum_counts_on_under_another_presentation_key_and_a_new_name() -> None:
    book = Book().product().contract().rate("FLAT", 1, minimum=31)
    book.update(day(15), presentation_keys=["org"], name="Renamed")
    made = bill(book, used(day(3), 5), used(day(20), 6, presentation={"org": "a"}))
    assert made.read("line_type", "name", "amount") == [
        ("usage", "Product p", "5"), ("usage", "Renamed", "6"), ("minimum_adjustment", "Renamed", "20")
    ]  # fmt: skip
