"""Subscriptions: periods, prices, increases, and where their lines go (cases 0.2, 0.9, 0.20, 11, 34, 62)."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.charges import FEE, subscription_lines, subscription_periods, unrated_subscriptions
from billing_assets.rating.subscriptions import subscription_prices
from billing_assets_tests.charges.book import Book, read

DATA = Path(__file__).parents[1] / "data" / "vectors"
VECTORS = json.loads((DATA / "aggregation_and_adjustments.json").read_text())["vectors"]
EXAMPLES = {one["id"]: one for one in json.loads((DATA / "worked_examples.json").read_text())["examples"]}

NO_FEES = pl.LazyFrame(schema=FEE)


def charged(
    book: Book, since: str = "2020-01-01", horizon: str = "2026-03-01", fees: pl.LazyFrame = NO_FEES
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    frames = book.frames()
    periods = subscription_periods(frames, book.spans(since, horizon), fees)
    prices = subscription_prices(periods, frames.charge_rates, frames)
    return subscription_lines(periods, prices, frames, fees), unrated_subscriptions(periods, prices, frames, fees)


def lines(book: Book, *columns: str, since: str = "2020-01-01", horizon: str = "2026-03-01") -> list[tuple[Any, ...]]:
    shown = columns or ("placed_at", "quantity", "unit_price", "amount")
    return read(charged(book, since, horizon)[0], *shown, by=("starting_at", "tier_level"))


def january(book: Book, *columns: str) -> list[tuple[Any, ...]]:
    return lines(book, *(columns or ("placed_at", "quantity", "unit_price", "amount")), horizon="2026-01-31")


SEATS = [("2026-01-17", 12)]


def test_ten_seats_at_twenty_and_two_more_on_the_seventeenth() -> None:
    book = Book().contract().rate().subscription(10, changes=SEATS)
    # 2 x 20 x 15/31: one seat is 9.677419354839
    assert january(book) == [
        ("2026-01-01", "10", "20", "200"),
        ("2026-01-17", "2", "9.677419354839", "19.354838709678"),
    ]


def test_an_increase_that_is_not_prorated_costs_the_full_price() -> None:
    book = Book().contract().rate().subscription(10, changes=SEATS, is_prorated=False)
    assert january(book) == [("2026-01-01", "10", "20", "200"), ("2026-01-17", "2", "20", "40")]


def test_an_increase_on_the_next_collection_date() -> None:
    book = Book().contract().rate().subscription(10, changes=SEATS, bill_immediately=False)
    found = lines(book, "placed_at", "placement", "quantity", "starting_at", horizon="2026-02-01")
    assert found == [
        ("2026-01-01", "AT", "10", "2026-01-01"),
        ("2026-02-01", "AT", "2", "2026-01-17"),
        ("2026-02-01", "AT", "12", "2026-02-01"),
    ]


def test_arrears_has_the_same_lines_all_at_the_end() -> None:
    book = Book().contract().rate().subscription(10, changes=SEATS, collection="ARREARS")
    found = lines(book, "placed_at", "placement", "quantity", "unit_price", "starting_at", horizon="2026-02-01")
    assert found == [
        ("2026-02-01", "WITHIN", "10", "20", "2026-01-01"),
        ("2026-02-01", "WITHIN", "2", "9.677419354839", "2026-01-17"),
    ]


def test_a_line_is_incurred_in_the_hour_in_which_it_starts() -> None:
    for collection in ("ADVANCE", "ARREARS"):
        book = Book().contract().rate().subscription(10, changes=SEATS, collection=collection)
        found = lines(book, "starting_at", "ending_before", "incurred_from", "incurred_to", horizon="2026-02-01")
        assert found[:2] == [
            ("2026-01-01", "2026-02-01", "2026-01-01", "2026-01-01T01"),
            ("2026-01-17", "2026-02-01", "2026-01-17", "2026-01-17T01"),
        ]


def test_a_decrease_lowers_the_next_period_only() -> None:
    book = Book().contract().rate().subscription(10, changes=[("2026-01-10", 6)])
    assert lines(book, "placed_at", "quantity", horizon="2026-02-01") == [("2026-01-01", "10"), ("2026-02-01", "6")]


def test_an_increase_counts_over_the_highest_quantity_billed_in_the_period() -> None:
    changes = [("2026-01-05", 6), ("2026-01-10", 9), ("2026-01-15", 11), ("2026-01-20", 3), ("2026-01-25", 12)]
    book = Book().contract().rate().subscription(10, changes=changes, is_prorated=False)
    assert lines(book, "placed_at", "quantity", horizon="2026-02-01") == [
        ("2026-01-01", "10"),
        ("2026-01-15", "1"),
        ("2026-01-25", "1"),
        ("2026-02-01", "12"),
    ]


def test_a_quantity_of_zero_has_no_line() -> None:
    book = Book().contract().rate().subscription(0, changes=[("2026-01-17", 5), ("2026-01-20", 0)])
    assert lines(book, "placed_at", "quantity", horizon="2026-02-01") == [("2026-01-17", "5")]


def test_a_change_at_a_period_s_start_is_that_period_s() -> None:
    book = Book().contract().rate().subscription(10, changes=[("2026-02-01", 4)])
    assert lines(book, "placed_at", "quantity", horizon="2026-02-01") == [("2026-01-01", "10"), ("2026-02-01", "4")]


@pytest.mark.parametrize(("prorated", "price"), [(True, "10.322580645161"), (False, "20")])
def test_cut_periods(prorated: bool, price: str) -> None:
    # 16 of 31 days: Jan 16 to Feb 1.
    book = Book().contract(start="2026-01-16").rate().subscription(1, is_prorated=prorated)
    assert january(book, "placed_at", "unit_price") == [("2026-01-16", price)]


def test_its_own_dates_cut_its_periods() -> None:
    book = Book().contract().rate().subscription(1, start="2026-01-16", end="2026-02-15", collection="ARREARS")
    # 20 x 16/31, then 20 x 14/28
    assert lines(book, "placed_at", "unit_price") == [("2026-02-01", "10.322580645161"), ("2026-02-15", "10")]


def test_the_contract_ends_it() -> None:
    book = Book().contract(end="2026-02-15").rate().subscription(1)
    assert lines(book, "placed_at", "unit_price") == [("2026-01-01", "20"), ("2026-02-01", "10")]


def test_the_price_is_that_of_the_period_s_start() -> None:
    book = Book().contract().rate(20, end="2026-01-15").rate(30, "2026-01-15")
    book.subscription(1, changes=[("2026-01-17", 2)], is_prorated=False)
    assert lines(book, "placed_at", "unit_price", horizon="2026-02-01") == [
        ("2026-01-01", "20"),
        ("2026-01-17", "20"),
        ("2026-02-01", "30"),
    ]


def test_in_its_first_period_the_price_is_that_of_its_own_start() -> None:
    book = Book().contract().rate(20, end="2026-01-15").rate(30, "2026-01-15")
    book.subscription(1, start="2026-01-16", is_prorated=False)
    assert january(book, "placed_at", "unit_price", "rate_id") == [
        ("2026-01-16", "30", "card/seats/MONTHLY/2026-01-15")
    ]


def test_a_frequency_has_its_own_rate() -> None:
    book = Book().contract().rate(20).rate(200, frequency="ANNUAL").rate(6, frequency="WEEKLY")
    book.subscription(1, frequency="ANNUAL").subscription(1, frequency="WEEKLY", subscription="weekly")
    found = lines(book, "subscription_id", "placed_at", "unit_price", horizon="2026-01-08")
    assert sorted(found) == [
        ("sub", "2026-01-01", "200"),
        ("weekly", "2026-01-01", "6"),
        ("weekly", "2026-01-08", "6"),
    ]


def test_periods_follow_the_usage_anchor_with_their_own_frequency() -> None:
    book = Book().contract(start="2026-01-20", anchor="2026-01-10").rate(90, frequency="QUARTERLY")
    book.subscription(1, frequency="QUARTERLY")
    found = lines(book, "placed_at", "ending_before", "unit_price", horizon="2026-04-10")
    # Jan 10 to Apr 10 is 90 days, Jan 20 to Apr 10 is 80: 90 x 80/90
    assert found == [("2026-01-20", "2026-04-10", "80"), ("2026-04-10", "2026-07-10", "90")]


def test_lines_before_since_are_left_out_and_both_ends_are_in() -> None:
    book = Book().contract().rate().subscription(1, changes=[("2026-02-10", 2)])
    found = lines(book, "placed_at", since="2026-02-01", horizon="2026-03-01")
    assert found == [("2026-02-01",), ("2026-02-10",), ("2026-03-01",)]
    arrears = Book().contract().rate().subscription(1, collection="ARREARS")
    assert lines(arrears, "placed_at", since="2026-02-01", horizon="2026-03-01") == [("2026-02-01",), ("2026-03-01",)]


def test_in_arrears_it_ends_with_the_contract() -> None:
    book = Book().contract(end="2026-01-16").rate().subscription(1, collection="ARREARS")
    assert lines(book, "placed_at", "unit_price", since="2026-01-16") == [("2026-01-16", "9.677419354839")]


def test_a_multiplier_and_the_frequency_that_it_is_for() -> None:
    book = Book().contract().rate(20).rate(200, frequency="ANNUAL").override("MULTIPLIER", "0.9", frequency="ANNUAL")
    book.subscription(1).subscription(1, frequency="ANNUAL", subscription="yearly")
    found = sorted(january(book, "subscription_id", "unit_price", "list_unit_price", "override_id"))
    assert found == [("sub", "20", "20", None), ("yearly", "180", "180", "c/overrides/0")]


def test_weekly_is_no_other_frequency() -> None:
    book = Book().contract().rate(6, frequency="WEEKLY").rate(20).subscription(1, frequency="WEEKLY")
    book.override("MULTIPLIER", "0.5", frequency="WEEKLY").override("MULTIPLIER", "0.1", frequency="MONTHLY")
    assert lines(book, "unit_price", horizon="2026-01-01") == [("3",)]


def test_the_winner_at_the_period_s_start() -> None:
    book = Book().contract().rate(20).subscription(1)
    book.override("MULTIPLIER", "0.5", start="2026-01-02").override("MULTIPLIER", "0.8")
    book.override("OVERWRITE", price=7, start="2026-03-01")
    assert lines(book, "placed_at", "unit_price") == [("2026-01-01", "16"), ("2026-02-01", "10"), ("2026-03-01", "7")]


def test_overrides_of_commits_of_the_commit_rate_and_of_group_values_do_not_reach_it() -> None:
    book = Book().contract().rate(20).subscription(1)
    book.override("MULTIPLIER", "0.1", is_commit_specific=True).override("MULTIPLIER", "0.1", lane="COMMIT")
    book.override("MULTIPLIER", "0.1", target={"pricing_group_values": '{"model":"x"}'})
    book.override("MULTIPLIER", "0.1", target={"product_id": "api"})
    assert january(book, "unit_price") == [("20",)]


def test_a_tiered_override_multiplies_per_range_of_the_period_s_quantity() -> None:
    book = Book().contract(multiplier_override_prioritization="EXPLICIT").rate(10)
    book.subscription(8, changes=[("2026-01-17", 12), ("2026-01-20", 25)], is_prorated=False)
    book.override("TIERED", priority=1, ranges=[(None, 10, "0.8"), (10, 20, "0.7")])
    assert january(book, "placed_at", "tier_level", "quantity", "unit_price") == [
        ("2026-01-01", 1, "8", "8"),
        ("2026-01-17", 1, "2", "8"),
        ("2026-01-17", 2, "2", "7"),
        ("2026-01-20", 2, "8", "7"),
        ("2026-01-20", 3, "5", "10"),
    ]


def test_not_entitled_has_no_line_and_is_not_unrated() -> None:
    book = Book().contract().rate(20).subscription(1).override(None, entitled=False, end="2026-02-01")
    found, unrated = charged(book, horizon="2026-02-01")
    assert read(found, "placed_at") == [("2026-02-01",)]
    assert read(unrated, "placed_at") == []
    refused = Book().contract().rate(20, entitled=False).subscription(1)
    assert january(refused) == []
    assert len(january(refused.override(None, entitled=True))) == 1


def test_without_a_rate_it_is_unrated_and_never_a_silent_zero() -> None:
    book = Book().contract().rate(20, "2026-02-01").subscription(10, changes=SEATS)
    found, unrated = charged(book, horizon="2026-02-01")
    assert read(found, "placed_at") == [("2026-02-01",)]
    columns = ("subscription_id", "placed_at", "placement", "quantity", "amount")
    assert read(unrated, *columns) == [("sub", "2026-01-01", "AT", "10", None), ("sub", "2026-01-17", "AT", "2", None)]


def test_a_multiplier_of_no_rate_is_no_rate_and_an_overwrite_is_one() -> None:
    book = Book().contract().subscription(1).override("MULTIPLIER", "0.5")
    assert january(book) == []
    assert january(book.override("OVERWRITE", price=5), "unit_price") == [("5",)]


def test_a_price_in_a_custom_unit_keeps_its_unit() -> None:
    book = Book().contract().rate(20, pricing_unit="ai-credits").subscription(1)
    assert january(book, "amount_unit", "currency") == [("ai-credits", "USD")]


def placed(book: Book, horizon: str = "2026-04-01", since: str = "2020-01-01") -> list[tuple[Any, ...]]:
    """(what it is on, quantity): the usage invoice by its period's end, or the SCHEDULED one by its instant."""
    found = book.placed(charged(book, horizon=horizon)[0], book.usage(since, "2026-12-31"))
    names = {row[0]: row[1] for row in read(found.scheduled, "invoice_id", "charged_at")}
    rows = read(found.charges, "placed_at", "starting_at", "invoice_id", "period_end", "quantity")
    return [(f"SCHEDULED {names[row[2]]}" if row[2] in names else f"USAGE to {row[3]}", row[4]) for row in rows]


def test_january_in_advance_on_a_scheduled_invoice_and_february_on_january_s() -> None:
    book = Book().contract().rate(20).subscription(1)
    assert placed(book, "2026-02-01") == [("SCHEDULED 2026-01-01", "1"), ("USAGE to 2026-02-01", "1")]


def test_an_increase_at_once_is_on_a_scheduled_invoice_of_its_instant() -> None:
    book = Book().contract().rate(20).subscription(10, changes=SEATS)
    assert placed(book, "2026-02-01")[1:] == [("SCHEDULED 2026-01-17", "2"), ("USAGE to 2026-02-01", "12")]


def test_an_increase_at_a_usage_period_s_end_is_on_that_invoice() -> None:
    book = Book().contract().rate(60, frequency="QUARTERLY")
    book.subscription(10, changes=[("2026-02-01", 11)], frequency="QUARTERLY")
    assert placed(book, "2026-03-01") == [("SCHEDULED 2026-01-01", "10"), ("USAGE to 2026-02-01", "1")]


def test_advance_under_a_longer_usage_period() -> None:
    book = Book().contract(frequency="QUARTERLY").rate(20).subscription(1)
    assert placed(book) == [
        ("SCHEDULED 2026-01-01", "1"),
        ("SCHEDULED 2026-02-01", "1"),
        ("SCHEDULED 2026-03-01", "1"),
        ("USAGE to 2026-04-01", "1"),
    ]


def test_arrears_under_a_longer_usage_period() -> None:
    book = Book().contract(frequency="QUARTERLY").rate(20).subscription(1, collection="ARREARS")
    assert placed(book) == [("USAGE to 2026-04-01", "1")] * 3


def test_arrears_under_a_shorter_usage_period() -> None:
    book = Book().contract().rate(60, frequency="QUARTERLY")
    book.subscription(1, frequency="QUARTERLY", collection="ARREARS")
    assert placed(book) == [("USAGE to 2026-04-01", "1")]


def test_arrears_of_weeks_in_months() -> None:
    book = Book().contract().rate(7, frequency="WEEKLY")
    book.subscription(1, frequency="WEEKLY", collection="ARREARS")
    ends = [found for found, _ in placed(book, "2026-03-01")]
    # Weeks from Jan 1 end on Jan 8, 15, 22, 29, Feb 5, 12, 19, 26.
    assert ends == ["USAGE to 2026-02-01"] * 4 + ["USAGE to 2026-03-01"] * 4


def test_what_comes_after_its_usage_invoice_is_final_is_on_a_scheduled_one() -> None:
    book = Book().contract().rate(20).subscription(1, collection="ARREARS")
    assert placed(book, "2026-03-01", since="2026-02-01") == [
        ("SCHEDULED 2026-02-01", "1"),
        ("USAGE to 2026-03-01", "1"),
    ]


PRORATIONS = [one for one in VECTORS if one["kind"] == "proration"]


@pytest.mark.parametrize("vector", PRORATIONS, ids=lambda one: one["id"])
def test_a_cut_period_costs_what_its_source_expects(vector: dict[str, Any]) -> None:
    """Their ends include the last day, ours do not; taxes are not ours."""
    given, params, expected = vector["input"], vector["params"], vector["expected"]
    quarterly = params.get("interval") == "quarterly"
    frequency = "QUARTERLY" if quarterly else "MONTHLY"
    book = Book().contract(start=given["start"], anchor=given["period"][0], frequency=frequency)
    book.rate(Decimal(params["plan_fee_cents"]), frequency=frequency)
    end = "2024-06-21" if "terminated" in given else None
    book.subscription(1, frequency=frequency, end=end, collection="ARREARS" if quarterly else "ADVANCE")
    found = charged(book, horizon=end or given["start"])[0].sort("placed_at").collect()
    fee = found.get_column("amount")[-1].quantize(Decimal(1), ROUND_HALF_UP)
    tax = (fee * Decimal(params.get("tax_rate", 0)) / 100).quantize(Decimal(1), ROUND_HALF_UP)
    assert fee + tax == expected.get("fee_cents", expected.get("total_cents"))


def test_the_public_example_of_a_subscription_beside_usage() -> None:
    fee = EXAMPLES["openai_like"]["given"]["subscription_usd"]
    book = Book().contract().rate(fee).subscription(1)
    assert january(book, "amount") == [(str(EXAMPLES["openai_like"]["expected"]["lines"][0]),)]
