"""Discounts, and what a maximum leaves to pay: the worked numbers, and a brute-force reckoning."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.rating import discount, nothing_used
from billing_assets.rating.lines import RATED_LINE, as_rated_lines
from billing_assets_tests.rating.book import Bill, Book, bill, day, january, plain, used
from billing_assets_tests.rating.reference import round12, times

RELAXED = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
SHOWN = ("line_type", "amount", "net")


def nets(made: Bill) -> dict[str, list[str]]:
    """Amounts by line type."""
    by_type: dict[str, list[str]] = {}
    for line_type, amount in made.lines.sort("starting_at", "amount").select("line_type", "amount").rows():
        by_type.setdefault(line_type, []).append(plain(amount))
    return by_type


class TestChain:
    def test_a_maximum_compares_after_the_discount(self) -> None:
        """200 @ 1, 10 % off, maximum 100: -20, -80, 100 (case 0.1)."""
        made = bill(january(rate_type="FLAT", price=1, maximum=100).discount("PERCENTAGE", "0.1"), used(day(3), 200))
        assert nets(made) == {"usage": ["200"], "discount": ["-20"], "maximum_adjustment": ["-80"]}
        assert made.total == 100

    def test_a_minimum_compares_after_the_discount(self) -> None:
        """20 @ 1, 10 % off, minimum 100: -2, 82, 100 (case 0.1)."""
        made = bill(january(rate_type="FLAT", price=1, minimum=100).discount("PERCENTAGE", "0.1"), used(day(3), 20))
        assert nets(made) == {"usage": ["20"], "discount": ["-2"], "minimum_adjustment": ["82"]}

    def test_what_is_left_to_pay(self) -> None:
        """200 @ 1, maximum 100: the line pays 100, and takes no price of a commit's own (case 1)."""
        made = bill(january(rate_type="FLAT", price=1, maximum=100), used(day(3), 200))
        assert made.read(*SHOWN, "caps_lanes") == [
            ("usage", "200", "100", True), ("maximum_adjustment", "-100", "0", False)
        ]  # fmt: skip

    def test_a_maximum_that_is_just_reached_does_not_bind(self) -> None:
        made = bill(january(rate_type="FLAT", price=1, maximum=100), used(day(3), 100))
        assert made.read(*SHOWN, "caps_lanes") == [("usage", "100", "100", False)]

    def test_a_minimum_may_be_paid_in_the_last_hour(self) -> None:
        made = bill(january(rate_type="FLAT", price=1, minimum=100), used(day(3), 20))
        assert made.read("line_type", "net", "incurred_from", "incurred_to")[1:] == [
            ("minimum_adjustment", "80", day(31, 23), day(32))
        ]

    def test_a_cap_is_shared_in_the_order_of_lines_and_the_last_takes_the_rest(self) -> None:
        """Three lines of 1, 1 and 1 under a maximum of 2: a third each, the digits as the cumulative rounds."""
        book = Book().product(presentation=("org",)).contract().rate("FLAT", 1, maximum=2)
        made = bill(book, *(used(day(3), 1, presentation={"org": org}) for org in "cab"))
        found = made.lines.filter(line_type="usage").sort("presentation_group_values")["net"].to_list()
        third = Decimal("0.333333333333")
        assert found == [1 - third, 1 - (Decimal("0.666666666667") - third), 1 - (1 - Decimal("0.666666666667"))]

    def test_a_negative_line_takes_no_part_of_the_cap(self) -> None:
        book = january(rate_type="FLAT", price=1, maximum=10).rate("FLAT", 1, starts=day(10), maximum=10)
        made = bill(book, used(day(3), 40), used(day(20), -10))
        assert made.read(*SHOWN) == [("usage", "40", "20"), ("usage", "-10", "-10"), ("maximum_adjustment", "-20", "0")]


class TestDiscounts:
    def test_percentages_apply_to_what_the_former_left(self) -> None:
        """100 @ 1 less 10 %, then 20 %: -10, -18 (case 19)."""
        book = january(rate_type="FLAT", price=1).discount("PERCENTAGE", "0.1").discount("PERCENTAGE", "0.2")
        made = bill(book, used(day(3), 100))
        assert made.read("line_type", "discount_id", "amount", "net", "quantity") == [
            ("usage", None, "100", "72", "100"),
            ("discount", "c/d0", "-10", "0", "1"),
            ("discount", "c/d1", "-18", "0", "1"),
        ]

    def test_percentages_come_before_fixed_amounts(self) -> None:
        book = january(rate_type="FLAT", price=1).discount("FIXED", 50).discount("PERCENTAGE", "0.1")
        assert nets(bill(book, used(day(3), 100)))["discount"] == ["-50", "-10"]

    def test_a_discount_cuts_the_line_at_its_dates(self) -> None:
        book = january(rate_type="FLAT", price=1).discount("PERCENTAGE", "0.5", starts=day(10), ends=day(20))
        made = bill(book, used(day(3), 10), used(day(12), 10), used(day(25), 10))
        assert made.read("line_type", "starting_at", "ending_before", "amount") == [
            ("usage", day(1), day(10), "10"), ("usage", day(10), day(20), "10"), ("usage", day(20), day(32), "10"),
            ("discount", day(10), day(20), "-5"),
        ]  # fmt: skip

    def test_only_groups_of_its_products_are_cut(self) -> None:
        book = Book().product("p").product("q").contract(products=("p", "q")).rate("FLAT", 1).rate(
            "FLAT", 1, product="q")  # fmt: skip
        book.discount("PERCENTAGE", "0.5", starts=day(10), products=("q",))
        made = bill(book, used(day(3), 10), used(day(3), 10, "q"))
        assert made.read("product_id", "starting_at", "amount") == [
            ("p", day(1), "10"), ("q", day(1), "10"), ("q", day(10), "0")
        ]  # fmt: skip

    def test_a_fixed_amount_is_taken_in_the_order_of_lines_until_it_is_used_up(self) -> None:
        """Tier 2 has the higher price, so it comes first; 5 of the 25 are left for tier 1."""
        book = january(rate_type="TIERED", tiers=[{"size": 10, "price": 1}, {"price": 2}]).discount("FIXED", 25)
        made = bill(book, used(day(3), 20))
        assert made.read("line_type", "tier_level", "amount", "net") == [
            ("usage", 1, "10", "5"), ("usage", 2, "20", "0"), ("discount", 1, "-5", "0"), ("discount", 2, "-20", "0")
        ]  # fmt: skip

    def test_a_fixed_amount_is_prorated_for_a_stub(self) -> None:
        book = Book().product().contract(starts=day(17)).rate("FLAT", 1).discount("FIXED", 31)
        assert nets(bill(book, used(day(20), 100)))["discount"] == ["-15"]

    def test_a_negative_line_gives_a_percentage_back_and_takes_no_fixed_amount(self) -> None:
        book = january(rate_type="FLAT", price=1).discount("PERCENTAGE", "0.1").discount("FIXED", 5)
        assert nets(bill(book, used(day(3), -20))) == {"usage": ["-20"], "discount": ["2"]}

    def test_adjustments_are_not_discounted(self) -> None:
        book = january(rate_type="FLAT", price=1, minimum=100).discount("PERCENTAGE", "0.5")
        assert nets(bill(book)) == {"usage": ["0"], "minimum_adjustment": ["100"]}

    def test_what_usage_left_goes_to_subscriptions_and_then_to_composites(self) -> None:
        """30 a month: 10 of usage, 15 of a subscription, 5 of a composite; nothing on a SCHEDULED invoice."""
        book = january(rate_type="FLAT", price=1).discount("FIXED", 30, products=("p", "seats", "support"))
        frames, periods = book.frames(), book.periods()
        state, taken = nothing_used(), []
        for line_type, product, amount in (
            ("usage", "p", 10),
            ("subscription", "seats", 15),
            ("composite", "support", 8),
        ):
            made = discount(one_line(line_type, product, amount), periods, frames, state, 1)
            taken.append(plain(made.discounts.collect()["amount"].sum()))
            state = made.used
        assert taken == ["-10", "-15", "-5"]
        scheduled = one_line("subscription", "seats", 7).with_columns(period_start=pl.lit(None, dtype=TIMESTAMP))
        assert discount(scheduled, periods, frames, nothing_used(), 1).discounts.collect().is_empty()

    def test_without_discounts_nothing_is_planned(self) -> None:
        lines = one_line("usage", "p", 10)
        made = discount(lines, Book().periods(), Book().frames(), nothing_used(), 0)
        assert made.lines is lines
        assert made.discounts.collect().is_empty()


def one_line(line_type: str, product: str, amount: Any) -> pl.LazyFrame:
    value = Decimal(str(amount))
    row = {
        "contract_id": "c", "currency": "USD", "amount_unit": "USD", "period_start": day(1), "period_end": day(32),
        "line_type": line_type, "product_id": product, "name": product, "amount": value, "net": value,
        "list_unit_price": value, "starting_at": day(1), "incurred_from": day(1),
    }  # fmt: skip
    return as_rated_lines(pl.LazyFrame([row], schema_overrides={"amount": DECIMAL, "net": DECIMAL}))


money = st.decimals(-20, 60, places=2) | st.sampled_from([Decimal("0.000000000007"), Decimal("33.333333333333")])
terms = st.one_of(
    st.tuples(st.just("PERCENTAGE"), st.sampled_from([Decimal(text) for text in ("0", "0.1", "0.333333333333", "1")])),
    st.tuples(st.just("FIXED"), st.decimals(0, 50, places=2)),
)


def reckoned(amounts: list[Decimal], discounts: list[tuple[str, Decimal]], cap: Decimal | None) -> list[Decimal]:
    """Nets of lines in their order, one after the other."""
    left = list(amounts)
    for kind, value in sorted(discounts, key=lambda one: one[0] == "FIXED"):
        room = value
        for place, amount in enumerate(left):
            taken = times(amount, value) if kind == "PERCENTAGE" else min(room, max(amount, Decimal(0)))
            room -= taken
            left[place] = amount - taken
    if cap is None or sum(left) <= cap:
        return left
    off, total, shared, to_date = sum(left) - cap, sum(one for one in left if one > 0), Decimal(0), Decimal(0)
    for place, amount in enumerate(left):
        if amount > 0:
            to_date += amount
            exact = Fraction(off) * Fraction(to_date) / Fraction(total)
            share = round12(Decimal(exact.numerator * 10**40 // exact.denominator).scaleb(-40)) - shared
            shared += share
            left[place] = amount - share
    return left


@RELAXED
@given(st.lists(st.tuples(st.lists(money, min_size=1, max_size=5), st.lists(terms, max_size=3),
                          st.none() | st.decimals(0, 30, places=1)), min_size=1, max_size=6))  # fmt: skip
def test_nets_agree_with_a_walk_through_the_lines(drawn: list[Any]) -> None:
    """Days of one product at a price that falls from day to day, so that the order of lines is that of the days."""
    book, usage = Book().product("p"), []
    for number, (amounts, discounts, cap) in enumerate(drawn):
        contract = f"c{number}"
        book.contract(contract, card=contract)
        for at in range(len(amounts)):
            ends = day(at + 2) if at + 1 < len(amounts) else None
            starts = day(at + 1)
            book.rate("FLAT", 1, starts=starts, ends=ends, card=contract, **({} if cap is None else {"maximum": cap}))
        for kind, value in discounts:
            book.discount(kind, value, contract=contract)
        usage += [used(day(at + 1), amount, contract=contract) for at, amount in enumerate(amounts)]
    made = bill(book, *usage)
    for number, (amounts, discounts, cap) in enumerate(drawn):
        mine = made.lines.filter(contract_id=f"c{number}", line_type="usage").sort("starting_at")
        assert mine["net"].to_list() == reckoned(amounts, discounts, cap)
        assert made.lines.filter(contract_id=f"c{number}")["amount"].sum() == mine["net"].sum()


def test_lines_keep_their_columns() -> None:
    assert bill(january(rate_type="FLAT", price=1).discount("FIXED", 1), used(day(1), 2)).lines.columns == [*RATED_LINE]


@pytest.mark.parametrize("at", [day(1), day(32)])
def test_a_bound_at_the_end_of_a_period_cuts_nothing(at: Any) -> None:
    book = january(rate_type="FLAT", price=1).discount("PERCENTAGE", "0.5", starts=at)
    assert len(bill(book, used(day(3), 10)).segments) == 1
