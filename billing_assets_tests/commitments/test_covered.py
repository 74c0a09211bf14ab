"""Lines as an invoice shows them after drawdown: the totals of the worked figures, and what must add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from billing_assets.commitments.covered import covered_lines
from billing_assets_tests.commitments import reference
from billing_assets_tests.commitments.book import (
    FEBRUARY,
    JANUARY,
    Book,
    Row,
    balance,
    day,
    fixed,
    line,
    own_price,
    percentage,
    shown,
)
from billing_assets_tests.commitments.strategies import books

INVOICE_COLUMNS: dict[str, Any] = {
    "customer_id": "u", "currency": "USD", "minor_digits": 2, "product_type": "USAGE", "tags": "[]",
    "rate_card_id": "card",
    "period_start": JANUARY, "period_end": FEBRUARY, "rate_id": "r", "override_id": None, "price_lane": "LIST",
    "discount_id": None, "balance_id": None, "segment_id": None, "atom_key": None, "name": "API",
}  # fmt: skip


def invoice(book: Book) -> pl.DataFrame:
    """Lines with the discount and adjustment lines that make up the difference of amount and net."""
    rows: list[Row] = [{**INVOICE_COLUMNS, "list_unit_price": row["unit_price"], "list_amount": row["amount"], **row}
                       for row in book.lines]  # fmt: skip
    for row in book.lines:
        for name, off in discounts_of(book, row).items():
            of_line = {"line_type": "discount", "discount_id": name, "atom_key": row["line_key"]}
            rows.append({**rows[0], **adjustment(row, -off), **of_line, "line_key": 1000 + len(rows)})
    every = dict.fromkeys(name for row in rows for name in row)
    lines = pl.LazyFrame([{name: row.get(name) for name in every} for row in rows], infer_schema_length=None,
                         schema_overrides=_OVERRIDES)  # fmt: skip
    found = covered_lines(lines, book.draws().lazy(), book.access(), book.lanes())
    return found.collect().sort("line_type", "line_key", "segment_id", nulls_last=True)


_OVERRIDES = {"atom_key": pl.Int64(), "discount_id": pl.String(), "override_id": pl.String(), "balance_id": pl.String(),
              "segment_id": pl.String(), "presentation_group_values": pl.String(),
              **dict.fromkeys(("quantity", "unit_price", "amount", "net", "list_unit_price", "list_amount"),
                              pl.Decimal(38, 12))}  # fmt: skip


def adjustment(row: Row, amount: Decimal) -> Row:
    whole = {"quantity": Decimal(1), "unit_price": amount, "amount": amount, "net": Decimal(0), "list_amount": amount}
    return {name: row[name] for name in ("invoice_id", "contract_id", "amount_unit", "pool")} | whole


def discounts_of(book: Book, row: Row) -> dict[str, Decimal]:
    found = [one for one in book.discounts if one["line_key"] == row["line_key"]]
    priced = reference.Line(row, found)
    taken = priced.discounted(priced.amount, lambda one: reference.exact(one["taken"]))[1]
    return {name: reference.as_decimal(off) for name, off in taken.items()}


def total(lines: pl.DataFrame) -> Decimal:
    return Decimal(str(lines.filter("in_total")["amount"].sum())).normalize()


def test_covered_part_application_and_remainder() -> None:
    """80 tokens at 1, 50 prepaid: 50 covered, -50, 30 left (a documented example of the field)."""
    lines = invoice(Book([line(1, 80, 1)], [balance("a", 50, balance_type="PREPAID")]))
    assert shown(lines, "line_type", "quantity", "unit_price", "amount", "segment_id", "in_total") == [
        ("applied_commit_or_credit", "1", "-50", "-50", "a/1", True),
        ("usage", "50", "1", "50", "a/1", True), ("usage", "30", "1", "30", None, True),
    ]  # fmt: skip
    assert total(lines) == 30


def test_a_line_that_is_covered_whole_leaves_no_remainder() -> None:
    lines = invoice(Book([line(1, 80, 1)], [balance("a", 500)]))
    assert lines["line_type"].to_list() == ["applied_commit_or_credit", "usage"]
    assert total(lines) == 0


def test_a_postpaid_application_is_shown_and_not_in_the_total() -> None:
    """Usage 500, prepaid 400, postpaid 400: total 100 (a documented example of the field)."""
    held = [balance("pre", 400, balance_type="PREPAID"), balance("post", 400, balance_type="POSTPAID")]
    lines = invoice(Book([line(1, 500, 1)], held))
    applied = lines.filter(line_type="applied_commit_or_credit")
    assert shown(applied, "segment_id", "amount", "in_total") == [("post/1", "-100", False), ("pre/1", "-400", True)]
    assert total(lines) == 100


@pytest.mark.parametrize(("has", "expected"), [("1000", "0"), ("45", "45")])
def test_a_discounted_line(has: str, expected: str) -> None:
    book = Book([line(1, 100, 1, net=Decimal(90))], [balance("a", has)], discounts=[percentage(1, "0.1")])
    assert total(invoice(book)) == Decimal(expected)


def test_a_part_at_a_price_of_the_commit_and_its_discount() -> None:
    """20 @ 1 with commit price 0.5, 10 % off, balance 4.5: 5 + 10 - 1.5 - 4.5 = 9 (case 19)."""
    book = Book([line(1, 20, 1, net=Decimal(18))], [balance("a", "4.5", price_lane="COMMIT")],
                prices=[{**own_price(1, "a", "0.5"), "rate_id": "own", "override_id": "o"}],
                discounts=[percentage(1, "0.1")])  # fmt: skip
    lines = invoice(book)
    assert shown(lines, "line_type", "quantity", "amount", "price_lane", "rate_id", "override_id", "list_amount") == [
        ("applied_commit_or_credit", "1", "-4.5", None, None, None, "-4.5"),
        ("discount", "1", "-1.5", "LIST", "r", None, "-2"),
        ("usage", "10", "5", "COMMIT", "own", "o", "10"), ("usage", "10", "10", "LIST", "r", None, "10"),
    ]  # fmt: skip
    assert total(lines) == 9


def test_a_fixed_discount_goes_with_the_part_in_proportion() -> None:
    """20 @ 2 less 8, commit price 1, balance 6: 10 + 20 - (4 + 4) - 6 = 16."""
    book = Book([line(1, 20, 2, net=Decimal(32))], [balance("a", 6)], prices=[own_price(1, "a", 1)],
                discounts=[fixed(1, "8")])  # fmt: skip
    assert total(invoice(book)) == 16


def test_what_a_fixed_discount_cannot_take_off_a_cheap_part_stays_with_the_rest() -> None:
    """20 @ 2 less 30, commit price 0.5: of 15 only 5 goes off 10 units at 5; the rest is 20 less 25, never below 0."""
    held = [balance("a", 10, access_type="QUANTITY", unit="quantity:api")]
    book = Book([line(1, 20, 2, net=Decimal(10))], held, prices=[own_price(1, "a", "0.5")], discounts=[fixed(1, "30")])
    lines = invoice(book)
    assert shown(lines.filter(line_type="discount"), "amount") == [("-25",)]
    assert total(lines) == 0


def test_nothing_is_applied_for_what_is_covered_at_zero() -> None:
    lines = invoice(Book([line(1, 10, 2)], [balance("a", 5)], prices=[own_price(1, "a", 0)]))
    assert shown(lines, "line_type", "quantity", "amount") == [("usage", "10", "0")]


def test_one_application_for_each_segment_and_product() -> None:
    lines = [line(1, 5, 1), line(2, 5, 1), line(3, 5, 1, product_id="storage"), line(4, 5, 1, invoice_id="j")]
    held = [balance("a", 100, starting_at=day(1), ending_before=day(20)), balance("b", 100, starting_at=day(1))]
    early = [{**row, "incurred_to": day(10)} for row in lines]
    applied = invoice(Book(early, held)).filter(line_type="applied_commit_or_credit")
    found = applied.sort("invoice_id", "product_id")
    assert shown(found, "invoice_id", "product_id", "amount", "name", "balance_id") == [
        ("i", "api", "-10", "a", "a"), ("i", "storage", "-5", "a", "a"), ("j", "api", "-5", "a", "a"),
    ]  # fmt: skip
    assert found.select("starting_at", "ending_before").row(0) == (JANUARY, day(20))


@pytest.mark.long
@settings(max_examples=15)
@given(books())
def test_what_was_there_is_covered_or_left(book: Book) -> None:
    """Quantities add up; so do amounts, at list prices; and the total is what was to be paid less what was paid."""
    draws = book.draws()
    own = set(draws.filter(price_lane="COMMIT")["line_key"])
    lines = invoice(book)
    for row in book.lines:
        of_line = lines.filter(line_key=row["line_key"])
        assert of_line["quantity"].sum() == row["quantity"]
        if row["line_key"] not in own:
            assert of_line["amount"].sum() == row["amount"]
    charged = sum((row["amount"] - sum(discounts_of(book, row).values()) for row in book.lines), Decimal(0))
    if not own:
        applied = lines.filter(line_type="applied_commit_or_credit")["amount"].sum()
        assert lines["amount"].sum() == charged + applied
        assert applied == -draws["paid"].sum()
