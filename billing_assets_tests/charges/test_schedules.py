"""Scheduled charges: named instants, recurrences, and what is divided (cases 35, 36, 62, 74)."""

from __future__ import annotations

from billing_assets.charges import scheduled_lines
from billing_assets_tests.charges.book import Book, read


def lines(book: Book, since: str = "2026-01-01", horizon: str = "2026-12-31") -> list[tuple[str, str]]:
    return read(scheduled_lines(book.frames(), book.spans(since, horizon)), "placed_at", "amount")


def test_a_named_instant_is_one_line_of_quantity_one() -> None:
    book = Book().contract().scheduled("2026-01-01", 1500)
    found = scheduled_lines(book.frames(), book.spans("2026-01-01", "2026-02-01"))
    columns = ("line_type", "quantity", "unit_price", "amount", "net", "scheduled_charge_id", "product_type", "name")
    assert read(found, *columns) == [("scheduled", "1", "1500", "1500", "1500", "s", "FIXED", "Fee")]


def test_units_times_price_is_one_line_of_their_product() -> None:
    book = Book().contract()
    book.add("scheduled_charges", charge_id="s", contract_id="c", product_id="fee", name="Fee", amount=30, quantity=3,
             unit_price=10, charged_at=book.rows["contracts"][0]["starting_at"])  # fmt: skip
    found = scheduled_lines(book.frames(), book.spans("2026-01-01", "2026-02-01"))
    assert read(found, "quantity", "unit_price", "amount") == [("1", "30", "30")]


def test_charges_before_since_and_after_the_horizon_are_left_out_and_both_ends_are_in() -> None:
    book = Book().contract()
    for number, day in enumerate(("2025-12-31", "2026-01-01", "2026-02-01", "2026-02-02")):
        book.scheduled(day, number + 1)
    assert lines(book, "2026-01-01", "2026-02-01") == [("2026-01-01", "2"), ("2026-02-01", "3")]


def test_items_of_one_instant_are_told_apart_whatever_their_order() -> None:
    def numbers(*amounts: int) -> list[tuple[str, int]]:
        book = Book().contract()
        for amount in amounts:
            book.scheduled("2026-01-05", amount)
        found = scheduled_lines(book.frames(), book.spans("2026-01-01", "2026-02-01"))
        return read(found, "amount", "charge_number")

    assert numbers(7, 5) == numbers(5, 7) == [("5", 0), ("7", 1)]


def test_occurrences_are_counted_from_the_start_and_never_chained() -> None:
    book = Book().contract().recurring("2026-01-31", 10, "2026-05-31")
    assert [day for day, _ in lines(book)] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_without_an_end_it_ends_with_the_contract() -> None:
    book = Book().contract(end="2026-03-01").recurring("2026-01-01", 10)
    assert lines(book) == [("2026-01-01", "10"), ("2026-02-01", "10")]


def test_a_charge_without_any_end_goes_up_to_and_including_the_horizon() -> None:
    book = Book().contract().recurring("2026-01-01", 10)
    assert [day for day, _ in lines(book, horizon="2026-03-01")] == ["2026-01-01", "2026-02-01", "2026-03-01"]


def test_one_hundred_in_three() -> None:
    divided = Book().contract().recurring("2026-01-01", 100, "2026-04-01", distribution="DIVIDED")
    assert [amount for _, amount in lines(divided)] == ["33.333333333333", "33.333333333333", "33.333333333334"]
    rounded = Book().contract().recurring("2026-01-01", 100, "2026-04-01", distribution="DIVIDED_ROUNDED")
    assert [amount for _, amount in lines(rounded)] == ["33.33", "33.33", "33.34"]


def test_a_short_last_part_is_not_prorated() -> None:
    book = Book().contract().recurring("2026-01-01", 90, "2026-03-02", distribution="DIVIDED")
    assert lines(book) == [("2026-01-01", "30"), ("2026-02-01", "30"), ("2026-03-01", "30")]


def test_parts_do_not_depend_on_the_horizon() -> None:
    book = Book().contract().recurring("2026-01-01", 100, "2027-01-01", distribution="DIVIDED_ROUNDED")
    whole = lines(book, horizon="2027-01-01")
    assert lines(book, "2026-03-01", "2026-05-01") == whole[2:5]
    assert whole[-1] == ("2026-12-01", "8.37")  # 100 - 11 x 8.33


def test_yen_are_divided_into_whole_yen() -> None:
    book = Book().contract(minor_digits=0, currency="JPY")
    book.recurring("2026-01-01", 1000, "2026-04-01", distribution="DIVIDED_ROUNDED", minor_digits=0)
    assert [amount for _, amount in lines(book)] == ["333", "333", "334"]


def test_weeks() -> None:
    book = Book().contract().recurring("2026-01-01T06:00", 1, "2026-01-22T06:00", frequency="WEEKLY")
    assert [day for day, _ in lines(book)] == ["2026-01-01T06", "2026-01-08T06", "2026-01-15T06"]


def test_charges_stand_alone_unless_the_contract_wants_them_beside_usage() -> None:
    book = Book().contract().contract("d", bills_charges_on_usage_invoices=True)
    book.scheduled("2026-01-05", 1).scheduled("2026-01-05", 2, contract_id="d")
    found = scheduled_lines(book.frames(), book.spans("2026-01-01", "2026-02-01"))
    assert read(found, "contract_id", "placement") == [("c", "ALONE"), ("d", "ON_DATE")]
