"""Overrides: exactly one wins, in one order; entitlement is a lane of its own."""

from __future__ import annotations

import polars as pl
import pytest

from billing_assets.group_values import is_part_of
from billing_assets_tests.rating.book import Book, bill, day, january, used

HALF = {"rate_type": "FLAT", "price": "0.5"}


def charge(book: Book, quantity: int = 100) -> str:
    return f"{bill(book, used(day(3), quantity)).total.normalize():f}"


@pytest.mark.parametrize(
    ("selector", "values", "part"),
    [
        ("{}", '{"m":"x"}', True),
        ('{"m":"x"}', '{"m":"x","r":"y"}', True),
        ('{"m":"x","r":"y"}', '{"m":"x"}', False),
        ('{"r":null}', '{"m":"x","r":null}', True),
        ('{"r":null}', '{"m":"x","r":"null"}', False),
        ('{"r":"a\\",\\"m\\":\\"b"}', '{"m":"b","r":"a"}', False),
    ],
)
def test_a_selector_is_part_of_the_values_that_have_all_its_entries(selector: str, values: str, part: bool) -> None:
    frame = pl.LazyFrame({"selector": [selector], "values": [values]})
    assert frame.select(is_part_of(pl.col("selector"), pl.col("values"))).collect().item() is part


class TestPrecedence:
    def test_the_smallest_multiplier_wins_and_they_do_not_stack(self) -> None:
        book = january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.9").override("MULTIPLIER", "0.8")
        assert charge(book.override("MULTIPLIER", "0.95")) == "80"

    def test_of_equal_multipliers_the_first_in_the_catalog(self) -> None:
        book = january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.9").override("MULTIPLIER", "0.9")
        assert bill(book).read("override_id") == [("c/overrides/0",)]

    def test_an_overwrite_beats_multipliers_and_the_last_one_wins(self) -> None:
        book = january(rate_type="FLAT", price=1).override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 7})
        book.override("OVERWRITE", overwrite=HALF).override("MULTIPLIER", "0.1")
        assert charge(book) == "50"

    def test_explicit_goes_by_priority_then_by_the_last_in_the_catalog(self) -> None:
        book = Book().product().contract(prioritization="EXPLICIT").rate("FLAT", 1)
        book.override("MULTIPLIER", "0.9", priority=1).override("MULTIPLIER", "0.8", priority=1)
        assert charge(book.override("MULTIPLIER", "0.1", priority=2)) == "80"

    def test_another_contract_has_its_own_prices(self) -> None:
        book = january(rate_type="FLAT", price=1).contract("d").override("MULTIPLIER", "0.5", contract="d")
        made = bill(book, used(day(3), 10), used(day(3), 10, contract="d"))
        assert made.read("contract_id", "amount") == [("c", "10"), ("d", "5")]


class TestSpecifiers:
    def dimensional(self) -> Book:
        book = Book().product(pricing=("model", "tier")).contract()
        for model in "ab":
            book.rate("FLAT", 1, pricing={"model": model, "tier": "x"})
        return book

    def amounts(self, book: Book) -> list[tuple[str, ...]]:
        return bill(book, *(used(day(3), 10, pricing={"model": model, "tier": "x"}) for model in "ab")).read("amount")

    def test_fields_are_anded_and_pricing_values_match_as_a_subset(self) -> None:
        book = self.dimensional().override("MULTIPLIER", "0.5", specifiers=({"pricing": {"model": "a"}},))
        assert self.amounts(book) == [("5",), ("10",)]
        book = self.dimensional().override("MULTIPLIER", "0.5", specifiers=({"pricing": {"model": "a", "tier": "y"}},))
        assert self.amounts(book) == [("10",), ("10",)]

    def test_specifiers_are_ored_and_a_double_match_counts_once(self) -> None:
        specifiers = ({"pricing": {"model": "b"}}, {"pricing": {"tier": "x", "model": "a"}}, {"pricing": {"tier": "x"}})
        assert self.amounts(self.dimensional().override("MULTIPLIER", "0.5", specifiers=specifiers)) == [("5",), ("5",)]

    def test_presentation_values_select_groups_of_one_price(self) -> None:
        book = Book().product(presentation=("org",)).contract().rate("FLAT", 1)
        book.override("MULTIPLIER", "0.5", specifiers=({"presentation": {"org": "a"}},))
        made = bill(book, *(used(day(3), 10, presentation={"org": org}) for org in ("a", "b", None)))
        assert made.read("presentation_group_values", "amount") == [
            ('{"org":"a"}', "5"), ('{"org":"b"}', "10"), ('{"org":null}', "10")
        ]  # fmt: skip


class TestDates:
    def test_dates_cut_only_where_the_winner_changes(self) -> None:
        book = january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.5", starts=day(10), ends=day(20))
        book.override("MULTIPLIER", "0.9", starts=day(12), ends=day(18)).override(None, entitled=True, starts=day(5))
        assert bill(book).read("starting_at", "ending_before", "override_id") == [
            (day(1), day(10), None), (day(10), day(20), "c/overrides/0"), (day(20), day(32), None)
        ]  # fmt: skip

    def test_neighbours_of_the_same_price_stay_two_lines(self) -> None:
        book = january(rate_type="FLAT", price=1).rate("FLAT", 1, starts=day(15))
        assert bill(book).read("starting_at") == [(day(1),), (day(15),)]

    def test_a_loser_that_runs_on_takes_over(self) -> None:
        book = (
            january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.5", ends=day(15)).override("MULTIPLIER", "0.9")
        )
        made = bill(book, used(day(14, 23), 10), used(day(15), 10))
        assert made.read("amount") == [("5",), ("9",)]


class TestEntitlement:
    def test_the_last_in_the_catalog_that_states_it_decides(self) -> None:
        book = january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.5", entitled=False)
        book.override(None, entitled=True, starts=day(10)).override("MULTIPLIER", "0.9")
        assert bill(book, used(day(3), 10), used(day(12), 10)).read("starting_at", "amount") == [(day(10), "5")]

    def test_an_overwrite_that_does_not_state_it_leaves_the_rates_own(self) -> None:
        book = january(rate_type="FLAT", price=1, entitled=False).override("OVERWRITE", overwrite=HALF)
        made = bill(book, used(day(3), 10))
        assert (made.lines.height, made.unrated.height) == (0, 0)

    def test_a_rate_that_is_not_entitled_can_be_entitled_by_contract(self) -> None:
        book = january(rate_type="FLAT", price=1, entitled=False).override(None, entitled=True)
        assert charge(book) == "100"

    def test_hours_denied_are_not_unrated_even_without_a_rate(self) -> None:
        made = bill(Book().product().contract().override(None, entitled=False), used(day(3), 5))
        assert made.unrated.is_empty()
        assert made.segments["segment_status"].to_list() == ["not_entitled"]


class TestMultipliers:
    def test_the_effective_price_is_rounded_once_and_shown(self) -> None:
        book = january(rate_type="FLAT", price="0.000000000005").override("MULTIPLIER", "0.5")
        assert bill(book, used(day(3), 3)).read("unit_price", "amount") == [("0.000000000002", "0.000000000006")]

    def test_tier_prices_package_prices_and_fees_are_scaled_sizes_are_not(self) -> None:
        book = january(rate_type="TIERED", tiers=[{"size": 10, "price": 2, "flat_fee": 4}, {"price": 1, "flat_fee": 6}])
        assert bill(book.override("MULTIPLIER", "0.5"), used(day(3), 12)).read("quantity", "unit_price") == [
            ("10", "1"), ("1", "2"), ("2", "0.5"), ("1", "3")
        ]  # fmt: skip
        book = january(rate_type="PACKAGE", price=10, package_size=10, free_units=5).override("MULTIPLIER", "0.5")
        assert bill(book, used(day(3), 16)).read("quantity", "unit_price") == [("2", "5")]


class TestTieredOverrides:
    RANGES = ({"size": 10, "multiplier": "0.8"}, {"size": 10, "multiplier": "0.7"})

    def explicit(self) -> Book:
        return Book().product().contract(prioritization="EXPLICIT")

    def test_ranges_multiply_and_beyond_the_last_the_list_price_holds(self) -> None:
        book = self.explicit().rate("FLAT", 1).override("TIERED", ranges=self.RANGES, priority=1)
        columns = ("tier_level", "tier_lower", "tier_upper", "quantity", "unit_price")
        assert bill(book, used(day(3), 25)).read(*columns) == [
            (1, None, "10", "10", "0.8"), (2, "10", "20", "10", "0.7"), (3, "20", None, "5", "1")
        ]  # fmt: skip

    def test_tiers_are_cut_at_the_ranges(self) -> None:
        book = self.explicit().rate(
            "TIERED", tiers=[{"size": 15, "price": 10, "flat_fee": 1}, {"price": 5, "flat_fee": 2}]
        )
        book.override("TIERED", ranges=self.RANGES, priority=1)
        assert bill(book, used(day(3), 22)).read("tier_level", "is_fee", "tier_lower", "quantity", "unit_price") == [
            (1, False, None, "10", "8"), (1, False, "10", "5", "7"), (1, True, None, "1", "0.8"),
            (2, False, "15", "5", "3.5"), (2, False, "20", "2", "5"), (2, True, "15", "1", "1.4"),
        ]  # fmt: skip

    def test_packages_begun_in_a_range_have_its_price(self) -> None:
        book = self.explicit().rate("PACKAGE", 10, package_size=8).override("TIERED", ranges=self.RANGES, priority=1)
        assert bill(book, used(day(3), 17)).read("quantity", "unit_price") == [("2", "8"), ("1", "7")]

    def test_volume_keeps_its_tier_and_is_cut_at_the_ranges(self) -> None:
        book = self.explicit().rate("VOLUME", tiers=[{"size": 5, "price": 10}, {"price": 5}])
        book.override("TIERED", ranges=self.RANGES, priority=1)
        assert bill(book, used(day(3), 12)).read("tier_level", "tier_lower", "quantity", "unit_price") == [
            (2, None, "10", "4"), (2, "10", "2", "3.5")
        ]  # fmt: skip

    def test_at_zero_there_is_one_line(self) -> None:
        book = self.explicit().rate("FLAT", 1).override("TIERED", ranges=self.RANGES, priority=1)
        assert bill(book).read("tier_level", "quantity", "unit_price") == [(1, "0", "0.8")]

    def test_a_fee_per_event_stands_outside_the_ranges(self) -> None:
        book = self.explicit().rate("PERCENTAGE", "0.1", fixed_fee=1).override("TIERED", ranges=self.RANGES, priority=1)
        assert bill(book, used(day(3), 15, events=3)).read("is_fee", "quantity", "unit_price") == [
            (True, "3", "1"), (False, "10", "0.08"), (False, "5", "0.07")
        ]  # fmt: skip
