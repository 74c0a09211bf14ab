"""Recurring commits and credits: instants, proration, access, cost, seats (cases 0.9, 0.21, 12, 37)."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.charges import purchase_lines, recurrences, recurring_access, seat_access
from billing_assets.commitments.access import BALANCE
from billing_assets_tests.charges.book import Book, at, read

DATA = Path(__file__).parents[1] / "data" / "vectors"
EXAMPLES = {one["id"]: one for one in json.loads((DATA / "worked_examples.json").read_text())["examples"]}


def found(book: Book, since: str = "2020-01-01", horizon: str = "2026-03-01") -> pl.LazyFrame:
    return recurrences(book.frames(), book.spans(since, horizon))


def access(book: Book, *columns: str, since: str = "2020-01-01", horizon: str = "2026-03-01") -> list[tuple[Any, ...]]:
    mine = found(book, since, horizon)
    both = pl.concat([recurring_access(mine), seat_access(mine, book.frames())], how="diagonal_relaxed")
    shown = columns or ("balance_id", "starting_at", "ending_before", "amount")
    return read(both, *shown, by=("starting_at", "segment_id"))


def amounts(book: Book, horizon: str = "2026-03-01") -> list[str]:
    return [amount for (amount,) in access(book, "amount", horizon=horizon)]


def purchases(book: Book, *columns: str, since: str = "2020-01-01", horizon: str = "2026-03-01") -> list[Any]:
    lines = purchase_lines(book.frames(), found(book, since, horizon), book.spans(since, horizon))
    return read(lines, *(columns or ("placed_at", "amount")), by=("placed_at", "charge_number"))


def test_one_balance_per_month_that_lasts_a_month() -> None:
    assert access(Book().contract().credit(30), horizon="2026-02-28") == [
        ("rc@2026-01-01", "2026-01-01", "2026-02-01", "30"),
        ("rc@2026-02-01", "2026-02-01", "2026-03-01", "30"),
    ]


def test_they_have_the_columns_of_a_balance_and_what_they_are_granted_as() -> None:
    book = Book().contract().subscription(1).seat("ann").credit(30)
    book.credit(5, credit="seats", subscription_id="sub", allocation="POOLED", is_prorated=True)
    mine = found(book)
    for frame in (recurring_access(mine), seat_access(mine, book.frames())):
        assert set(frame.collect_schema().names()) == {*BALANCE, "grant_type"}
        assert all(dtype == BALANCE.get(name, dtype) for name, dtype in frame.collect_schema().items())


def test_they_exist_up_to_and_including_the_horizon() -> None:
    book = Book().contract().credit(30)
    assert len(amounts(book, "2026-02-28")) == 2
    assert len(amounts(book, "2026-03-01")) == 3


def test_those_that_began_before_since_are_there_while_they_can_be_drawn() -> None:
    book = Book().contract().credit(30, duration=3, credit="long").credit(30, credit="short")
    rows = access(book, "balance_id", since="2026-05-15", horizon="2026-05-31")
    assert sorted(row[0] for row in rows) == [
        "long@2026-03-01",
        "long@2026-04-01",
        "long@2026-05-01",
        "short@2026-05-01",
    ]


def test_a_monthly_thirty_from_the_twenty_first() -> None:
    # 30 x 11/31 in January
    assert amounts(Book().contract().credit(30, "2026-01-21"), "2026-02-01") == ["10.645161290323", "30"]
    last = Book().contract().credit(30, "2026-01-21", proration="LAST")
    assert amounts(last, "2026-02-01") == ["30", "30"]


def test_the_public_example_of_an_upgrade_on_the_twenty_first() -> None:
    example = EXAMPLES["recurring_upgrade_jan21"]
    given = example["given"]
    book = Book().contract().credit(given["recurring_access_usd"], "2026-01-21", invoice=given["invoice_usd"])
    [(granted, cost)] = access(book, "amount", "cost", horizon="2026-01-31")
    assert Decimal(granted).quantize(Decimal("0.01")) == Decimal("10.65")  # as the example's note reckons it
    assert (Decimal(cost) / Decimal(granted)).quantize(Decimal("0.01")) == Decimal(
        str(example["expected"]["cost_basis"])
    )
    assert purchases(book, horizon="2026-01-31") == [("2026-01-21", "7.096774193548")]  # 20 x 11/31


@pytest.mark.parametrize(
    ("proration", "expected"),
    [
        # January counts from the 21st (11 of 31 days), February to the 15th (14 of 28).
        ("NONE", ["62", "62"]),
        ("FIRST", ["22", "62"]),
        ("LAST", ["62", "31"]),
        ("FIRST_AND_LAST", ["22", "31"]),
    ],
)
def test_prorations(proration: str, expected: list[str]) -> None:
    own = Book().contract().credit(62, "2026-01-21", "2026-02-15", proration=proration)
    contract = Book().contract(start="2026-01-21", end="2026-02-15").credit(62, "2026-01-21", proration=proration)
    assert amounts(own) == amounts(contract) == expected


@pytest.mark.parametrize(
    ("proration", "expected"), [("NONE", "31"), ("FIRST", "21"), ("LAST", "20"), ("FIRST_AND_LAST", "10")]
)
def test_cut_at_both_ends_in_one_period(proration: str, expected: str) -> None:
    book = Book().contract().credit(31, "2026-01-11", "2026-01-21", proration=proration)
    assert amounts(book) == [expected]


def test_access_ends_with_the_contract_at_the_latest() -> None:
    book = Book().contract(end="2026-02-15").credit(30, duration=2, proration="NONE")
    assert access(book, "starting_at", "ending_before") == [
        ("2026-01-01", "2026-02-15"),
        ("2026-02-01", "2026-02-15"),
    ]


def test_its_own_end_stops_recurrences_and_the_last_is_drawn_for_its_duration() -> None:
    book = Book().contract().credit(28, end="2026-02-15", duration=2)
    assert access(book, "starting_at", "ending_before", "amount", horizon="2026-06-01") == [
        ("2026-01-01", "2026-03-01", "28"),
        ("2026-02-01", "2026-04-01", "14"),
    ]


def test_an_end_at_a_period_s_end_cuts_nothing() -> None:
    assert amounts(Book().contract().credit(30, end="2026-02-01")) == ["30"]


def test_a_start_before_the_contract_s() -> None:
    book = Book().contract(start="2026-01-21").credit(31, "2025-06-01").credit(31, "2025-06-01", credit="rf",
                                                                              frequency="MONTHLY")  # fmt: skip
    assert access(book, "balance_id", "amount", horizon="2026-02-20") == [
        ("rc@2026-01-21", "11"),
        ("rf@2026-01-21", "31"),
        ("rc@2026-02-01", "31"),
    ]


def test_with_a_frequency_it_is_anchored_at_its_own_start_clamped_and_the_first_is_never_cut() -> None:
    book = Book().contract().credit(30, "2026-01-31", frequency="MONTHLY")
    assert access(book, horizon="2026-03-31") == [
        ("rc@2026-01-31", "2026-01-31", "2026-02-28", "30"),
        ("rc@2026-02-28", "2026-02-28", "2026-03-31", "30"),
        ("rc@2026-03-31", "2026-03-31", "2026-04-30", "30"),
    ]


def test_with_a_frequency_the_last_is_cut() -> None:
    book = Book().contract(end="2026-02-10").credit(31, "2026-01-20", frequency="MONTHLY")
    # Jan 20 to Feb 20 has 31 days; 21 of them until Feb 10.
    assert access(book) == [("rc@2026-01-20", "2026-01-20", "2026-02-10", "21")]


def test_weeks_and_hours() -> None:
    book = Book().contract().credit(7, "2026-01-02T07:00", frequency="WEEKLY")
    assert access(book, horizon="2026-01-09T07:00") == [
        ("rc@2026-01-02T07", "2026-01-02T07", "2026-01-09T07", "7"),
        ("rc@2026-01-09T07", "2026-01-09T07", "2026-01-16T07", "7"),
    ]


def test_without_a_frequency_it_follows_the_usage_invoices() -> None:
    book = Book().contract(start="2026-02-15", frequency="QUARTERLY").credit(89)
    # The quarter Feb 1 to May 1 has 89 days, 75 of them from Feb 15.
    assert access(book, horizon="2026-05-01") == [
        ("rc@2026-02-15", "2026-02-15", "2026-05-01", "75"),
        ("rc@2026-05-01", "2026-05-01", "2026-08-01", "89"),
    ]


def test_the_amount_is_unit_price_times_quantity_rounded_once() -> None:
    book = Book().contract(start="2026-01-21").credit("0.000000000003", "2026-01-21", quantity="0.5")
    # 0.0000000000015 is 0.000000000002, half to even; then 11/31 of it
    assert amounts(book, "2026-01-31") == ["0.000000000001"]


def test_a_recurrence_is_charged_at_its_start_with_the_same_proration() -> None:
    book = Book().contract().credit(31, "2026-01-21", end="2026-02-15", invoice=62)
    assert purchases(book, "placed_at", "amount", "quantity", "balance_id", "line_type", "product_id") == [
        ("2026-01-21", "22", "1", "rc@2026-01-21", "commit_purchase", "fee"),
        ("2026-02-01", "31", "1", "rc@2026-02-01", "commit_purchase", "fee"),
    ]
    assert access(book, "cost") == [("22",), ("31",)]


def test_a_recurrence_is_not_charged_again_while_it_can_still_be_drawn() -> None:
    book = Book().contract().credit(30, duration=3, invoice=20)
    assert len(access(book, since="2026-02-01", horizon="2026-02-28")) == 2
    assert purchases(book, since="2026-02-01", horizon="2026-02-28") == [("2026-02-01", "20")]


def test_what_nobody_pays_for_has_no_purchase() -> None:
    assert purchases(Book().contract().credit(30)) == []


def test_purchases_by_schedule_are_shown_as_written_and_told_apart() -> None:
    book = Book().contract(bills_charges_on_usage_invoices=True)
    for position, (amount, quantity, price) in enumerate(((8000, 1, 8000), (30, 3, 10))):
        book.add("commit_charges", balance_id="pre", commit_id="pre", contract_id="c", charged_at=at("2026-01-01"),
                 amount=amount, quantity=quantity, unit_price=price, product_id="fee", name="Prepaid",
                 position=position)  # fmt: skip
    columns = ("placement", "amount", "quantity", "unit_price", "balance_id", "charge_number", "name", "product_type")
    assert sorted(purchases(book, *columns)) == [
        ("ON_DATE", "30", "3", "10", "pre", 1, "Prepaid", "FIXED"),
        ("ON_DATE", "8000", "1", "8000", "pre", 0, "Prepaid", "FIXED"),
    ]


POOLED = {"subscription_id": "sub", "allocation": "POOLED", "is_prorated": True}


def test_a_pool_grants_the_seats_at_its_start_and_what_an_increase_adds() -> None:
    book = Book().contract().subscription(10, changes=[("2026-01-17", 12), ("2026-02-01", 4)]).credit(31, **POOLED)
    columns = ("segment_id", "grant_type", "starting_at", "ending_before", "amount")
    assert access(book, *columns, horizon="2026-02-28") == [
        ("rc@2026-01-01/1", "GRANT", "2026-01-01", "2026-02-01", "310"),
        ("rc@2026-01-01/2026-01-17", "SEAT_ADJUSTMENT", "2026-01-17", "2026-02-01", "30"),  # 2 x 31 x 15/31
        ("rc@2026-02-01/1", "GRANT", "2026-02-01", "2026-03-01", "124"),
    ]


def test_an_increase_that_is_not_prorated_grants_all_of_it() -> None:
    book = Book().contract().subscription(10, changes=[("2026-01-17", 12)])
    book.credit(31, **(POOLED | {"is_prorated": False}))
    assert amounts(book, "2026-01-31") == ["310", "62"]


def test_only_what_is_over_the_highest_number_of_seats_is_an_increase() -> None:
    changes = [("2026-01-05", 4), ("2026-01-10", 9), ("2026-01-17", 12)]
    book = Book().contract().subscription(10, changes=changes).credit(31, **POOLED)
    assert amounts(book, "2026-01-31") == ["310", "30"]


def test_seats_after_the_horizon_are_not_granted_yet() -> None:
    book = Book().contract().subscription(10, changes=[("2026-01-17", 12)]).credit(31, **POOLED)
    assert amounts(book, "2026-01-16") == ["310"]


def test_no_seats_no_grant_and_none_after_the_subscription() -> None:
    book = Book().contract().subscription(0, changes=[("2026-01-17", 1)], end="2026-02-01").credit(31, **POOLED)
    assert access(book, "segment_id", "grant_type", "amount") == [
        ("rc@2026-01-01/2026-01-17", "SEAT_ADJUSTMENT", "15"),
    ]


def test_a_cut_recurrence_grants_its_part_per_seat() -> None:
    book = Book().contract(end="2026-01-21").subscription(2, changes=[("2026-01-11", 3)]).credit(31, **POOLED)
    # 20 of 31 days for two seats, 10 of 31 for the third
    assert amounts(book) == ["40", "10"]


INDIVIDUAL = {"subscription_id": "sub", "allocation": "INDIVIDUAL", "is_prorated": True, "seat_key": "user"}


def test_one_balance_per_seat_id() -> None:
    book = Book().contract().subscription(3).seat("ann").seat("bob", end="2026-01-10").seat("cyd", "2026-01-17")
    book.credit(31, **INDIVIDUAL)
    columns = ("segment_id", "seat_key", "seat_value", "grant_type", "starting_at", "ending_before", "amount")
    assert access(book, *columns, horizon="2026-02-28") == [
        ("rc@2026-01-01/ann", "user", "ann", "GRANT", "2026-01-01", "2026-02-01", "31"),
        ("rc@2026-01-01/bob", "user", "bob", "GRANT", "2026-01-01", "2026-02-01", "31"),
        ("rc@2026-01-01/cyd", "user", "cyd", "SEAT_ADJUSTMENT", "2026-01-17", "2026-02-01", "15"),
        ("rc@2026-02-01/ann", "user", "ann", "GRANT", "2026-02-01", "2026-03-01", "31"),
        ("rc@2026-02-01/cyd", "user", "cyd", "GRANT", "2026-02-01", "2026-03-01", "31"),
    ]


def test_a_seat_that_goes_and_comes_back_is_granted_once_in_a_recurrence() -> None:
    book = Book().contract().subscription(1).seat("ann", end="2026-01-10").seat("ann", "2026-01-17")
    assert access(book.credit(31, **INDIVIDUAL), "seat_value", "amount", horizon="2026-01-31") == [("ann", "31")]


def test_seats_are_charged_once_a_recurrence_as_it_is_written() -> None:
    book = Book().contract().subscription(2, changes=[("2026-01-17", 3)]).seat("ann").seat("bob")
    book.credit(31, invoice=5, **INDIVIDUAL)
    assert purchases(book, horizon="2026-01-31") == [("2026-01-01", "5")]


def test_a_recurrence_can_begin_at_any_time_of_a_long_contract() -> None:
    book = Book().contract(start="2016-01-31", anchor="2016-01-31").credit(30, "2016-01-31")
    [row] = access(book, "balance_id", "ending_before", since="2026-02-01", horizon="2026-02-15")
    assert row == ("rc@2026-01-31", "2026-02-28")
