"""Generated pools against a reading of the rules that walks line by line; and what must hold of any draw."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import polars as pl
from hypothesis import given, settings

from billing_assets_tests.commitments import reference
from billing_assets_tests.commitments.book import Book
from billing_assets_tests.commitments.strategies import books

TOLD = (
    "line_key", "segment_id", "drawn", "paid", "covered_quantity", "covered_amount", "covered_unit_price", "closes",
)  # fmt: skip


@settings(max_examples=25)
@given(books())
def test_a_loop_over_ranks_gives_what_a_walk_over_lines_gives(book: Book) -> None:
    draws = book.draws()
    assert sorted(draws.select(TOLD).rows()) == sorted(reference.draws(book))
    nothing_is_outside_its_reach(book, draws)
    no_unit_is_covered_twice(book, draws)


def nothing_is_outside_its_reach(book: Book, draws: pl.DataFrame) -> None:
    """And no balance gives more than it has."""
    lines = {row["line_key"]: row for row in book.lines}
    has = {row["segment_id"]: row for row in book.balances}
    drawn: dict[str, Decimal] = defaultdict(Decimal)
    for key, segment, amount in draws.select("line_key", "segment_id", "drawn").iter_rows():
        assert reference.reaches(book, has[segment], lines[key])
        drawn[segment] += amount
    assert all(Decimal(0) <= amount <= has[segment]["available"] for segment, amount in drawn.items())


def no_unit_is_covered_twice(book: Book, draws: pl.DataFrame) -> None:
    lines = {row["line_key"]: row for row in book.lines}
    covered = draws.group_by("line_key").agg(pl.col("covered_quantity", "paid").sum(), pl.col("closes").sum())
    for key, quantity, paid, closes in covered.iter_rows():
        assert closes <= 1
        assert quantity <= lines[key]["quantity"]
        assert closes == 0 or quantity == lines[key]["quantity"]
        assert book.prices or paid <= lines[key]["net"]


@settings(max_examples=6)
@given(books())
def test_the_order_of_rows_changes_nothing(book: Book) -> None:
    turned = Book(book.lines[::-1], book.balances[::-1], book.selectors[::-1], book.shares[::-1], book.prices[::-1],
                  book.discounts[::-1])  # fmt: skip
    assert turned.draws().equals(book.draws())
