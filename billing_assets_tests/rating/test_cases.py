"""The worked numbers of the decided cases, each as a bill of one contract for January 2026."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.columns import DECIMAL
from billing_assets.rating import adjust, limits, quantify, rate, segments, standing_groups
from billing_assets_tests.rating.book import Bill, Book, bill, cumulatives, day, january, used

QUANTITY = ("quantity", "unit_price", "amount")
TEN_AT_TWO = [{"size": 10, "price": 2}, {"price": 1}]


class TestConversionAndRounding:
    def test_the_cumulative_is_converted_not_the_increments(self) -> None:
        """1/3 + 1/3 + 1/3 of converted increments would be 0.999999999999."""
        book = Book().product(conversion=("DIVIDE", 3)).contract()
        book.rate("FLAT", 1, ends=day(2)).rate("FLAT", 1, starts=day(2), ends=day(3)).rate("FLAT", 1, starts=day(3))
        made = bill(book, used(day(1), 1), used(day(2), 1), used(day(3), 1))
        assert made.total == 1
        assert made.lines["quantity"].sort().to_list() == [
            Decimal("0.333333333333"), Decimal("0.333333333333"), Decimal("0.333333333334")
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("method", "quantity", "billed"),
        [("ROUND_UP", "-1.2", "-2"), ("ROUND_DOWN", "-1.2", "-1"), ("ROUND_HALF_UP", "-1.5", "-2"),
         ("ROUND_UP", "1.000000000001", "2"), ("ROUND_HALF_UP", "1.499999999999", "1")],
    )  # fmt: skip
    def test_rounding_is_symmetric(self, method: str, quantity: str, billed: str) -> None:
        book = Book().product(rounding=(method, 0)).contract().rate("FLAT", 1)
        assert bill(book, used(day(1), quantity)).read("quantity") == [(billed,)]

    def test_windows_add_up_to_the_rounded_total(self) -> None:
        """0.4 rounds up to 1, 0.8 to 1: the second window has nothing left to bill."""
        book = Book().product(rounding=("ROUND_UP", 0)).contract().rate("FLAT", 1).rate("FLAT", 5, starts=day(15))
        assert bill(book, used(day(1), "0.4"), used(day(20), "0.4")).read(*QUANTITY) == [
            ("1", "1", "1"), ("0", "5", "0")
        ]  # fmt: skip


class TestPackages:
    def test_a_package_begun_before_a_change_of_price_is_not_charged_again(self) -> None:
        book = january(rate_type="PACKAGE", price=15, package_size=10)
        book.rate("PACKAGE", 20, package_size=10, starts=day(15))
        made = bill(book, used(day(3), 5), used(day(20), 5))
        assert made.read(*QUANTITY) == [("1", "15", "15"), ("0", "20", "0")]

    def test_free_units_and_the_last_digit(self) -> None:
        book = january(rate_type="PACKAGE", price=100, package_size=10, free_units=10)
        assert bill(book, used(day(3), "20.000000000001")).total == 200
        assert bill(book, used(day(3), "10")).read(*QUANTITY) == [("0", "100", "0")]
        assert bill(book, used(day(3), "-3")).read(*QUANTITY) == [("0", "100", "0")]


class TestTiers:
    def test_a_falling_quantity_gives_negative_tier_lines(self) -> None:
        """R goes 0 -> 12 -> 8: the second window gives back 2 @ 1 and 2 @ 2."""
        book = january(rate_type="TIERED", tiers=TEN_AT_TWO).rate("TIERED", tiers=TEN_AT_TWO, starts=day(15))
        assert bill(book, used(day(3), 12), used(day(20), -4)).read("tier_level", *QUANTITY) == [
            (1, "10", "2", "20"), (2, "2", "1", "2"), (1, "-2", "2", "-4"), (2, "-2", "1", "-2")
        ]  # fmt: skip

    def test_the_counter_runs_on_across_rate_types(self) -> None:
        """8 rated under FLAT; the tiers begin at 8: 2 @ 2, then 3 @ 1."""
        book = january(rate_type="FLAT", price=5).rate("TIERED", tiers=TEN_AT_TWO, starts=day(15))
        assert bill(book, used(day(3), 8), used(day(20), 5)).read(*QUANTITY) == [
            ("8", "5", "40"), ("2", "2", "4"), ("3", "1", "3")
        ]  # fmt: skip

    def test_hours_that_are_not_entitled_do_not_move_the_tiers(self) -> None:
        """1,000 free; 1,000 used while not entitled, 1,100 after: 100."""
        book = january(rate_type="TIERED", tiers=[{"size": 1000, "price": 0}, {"price": 1}])
        book.override(None, entitled=False, ends=day(10))
        made = bill(book, used(day(3), 1000), used(day(20), 1100))
        assert made.total == 100
        assert made.read("starting_at")[0] == (day(10),)

    def test_rounding_runs_over_hours_that_are_not_entitled(self) -> None:
        """0.6 of a unit rounds up to 1 while not entitled; what follows up to 1.0 adds nothing."""
        book = Book().product(rounding=("ROUND_UP", 0)).contract().rate("FLAT", 1)
        book.override(None, entitled=False, ends=day(10))
        assert bill(book, used(day(3), "0.6"), used(day(20), "0.4")).read("quantity") == [("0",)]

    def test_bounds_are_exclusive_below_and_inclusive_above(self) -> None:
        book = january(rate_type="TIERED", tiers=[{"size": 5, "price": 0}, {"size": 5, "price": 1}, {"price": "1.5"}])
        assert bill(book, used(day(3), 12)).read("tier_lower", "tier_upper", *QUANTITY) == [
            (None, "5", "5", "0", "0"), ("5", "10", "5", "1", "5"), ("10", None, "2", "1.5", "3")
        ]  # fmt: skip

    def test_tiers_run_per_presentation_group(self) -> None:
        book = Book().product(presentation=("org",)).contract().rate("TIERED", tiers=TEN_AT_TWO)
        made = bill(book, used(day(1), 8, presentation={"org": "a"}), used(day(1), 8, presentation={"org": None}))
        assert made.read("presentation_group_values", *QUANTITY) == [
            ('{"org":"a"}', "8", "2", "16"), ('{"org":null}', "8", "2", "16")
        ]  # fmt: skip

    def test_tiered_percentage_is_the_same_bands(self) -> None:
        book = january(rate_type="TIERED_PERCENTAGE", tiers=[{"size": 100, "price": "0.1"}, {"price": "0.05"}])
        assert bill(book, used(day(1), 300)).total == 20


class TestVolume:
    FIRST = ({"size": 10, "price": 5}, {"price": 4})
    SECOND = ({"size": 10, "price": 3}, {"price": 2})

    def test_the_tier_is_that_of_the_periods_total_in_each_segments_own_table(self) -> None:
        book = january(rate_type="VOLUME", tiers=self.FIRST).rate("VOLUME", tiers=self.SECOND, starts=day(15))
        made = bill(book, used(day(3), 8), used(day(20), 8))
        assert made.read(*QUANTITY) == [("8", "4", "32"), ("8", "2", "16")]
        assert made.total == 48

    def test_below_zero_it_is_the_first_tier_without_a_fee(self) -> None:
        book = january(rate_type="VOLUME", tiers=[{"size": 10, "price": 5, "flat_fee": 7}, {"price": 4}])
        assert bill(book, used(day(3), -2)).read("is_fee", *QUANTITY) == [(False, "-2", "5", "-10")]

    def test_the_fee_is_that_of_the_first_atoms_table(self) -> None:
        tables = [[{"size": 10, "price": 1, "flat_fee": fee}, {"price": 1, "flat_fee": fee + 1}] for fee in (5, 50)]
        book = january(rate_type="VOLUME", tiers=tables[0]).rate("VOLUME", tiers=tables[1], starts=day(15))
        made = bill(book, used(day(3), 8), used(day(20), 8))
        assert made.read("is_fee", "tier_level", *QUANTITY) == [
            (False, 2, "8", "1", "8"), (True, 2, "1", "6", "6"), (False, 2, "8", "1", "8")
        ]  # fmt: skip


class TestFlatFees:
    TIERS = ({"size": 10, "price": 1, "flat_fee": 2}, {"price": 1, "flat_fee": 3})

    def fees(self, made: Bill) -> list[tuple[Any, ...]]:
        rows = made.read("is_fee", "starting_at", "tier_level", "quantity", "amount")
        return [row[1:] for row in rows if row[0]]

    def two_months_halves(self) -> Book:
        return january(rate_type="TIERED", tiers=self.TIERS).rate("TIERED", tiers=self.TIERS, starts=day(15))

    def test_a_fee_is_a_line_of_its_own_after_its_tier(self) -> None:
        made = bill(january(rate_type="TIERED", tiers=self.TIERS), used(day(3), 12))
        assert made.read("tier_level", "is_fee", *QUANTITY) == [
            (1, False, "10", "1", "10"), (1, True, "1", "2", "2"), (2, False, "2", "1", "2"), (2, True, "1", "3", "3")
        ]  # fmt: skip

    def test_the_second_tiers_fee_waits_until_the_tier_is_entered(self) -> None:
        assert self.fees(bill(self.two_months_halves(), used(day(3), 10), used(day(20), 1))) == [
            (day(1), 1, "1", "2"), (day(15), 2, "1", "3")
        ]  # fmt: skip

    def test_it_is_given_back_when_the_quantity_falls_to_the_bound(self) -> None:
        assert self.fees(bill(self.two_months_halves(), used(day(3), 12), used(day(20), -2))) == [
            (day(1), 1, "1", "2"), (day(1), 2, "1", "3"), (day(15), 2, "-1", "-3")
        ]  # fmt: skip

    def test_the_first_tiers_fee_is_due_at_zero_and_below_and_never_given_back(self) -> None:
        tiers = self.TIERS
        assert self.fees(bill(january(rate_type="TIERED", tiers=tiers))) == [(day(1), 1, "1", "2")]
        assert self.fees(bill(january(rate_type="TIERED", tiers=tiers), used(day(3), -4))) == [(day(1), 1, "1", "2")]
        assert self.fees(bill(self.two_months_halves(), used(day(3), 4), used(day(20), -4))) == [(day(1), 1, "1", "2")]

    def test_without_usage_a_dimensional_product_has_no_fee_before_its_first_line(self) -> None:
        book = Book().product(pricing=("m",)).contract()
        book.rate("TIERED", pricing={"m": "a"}, tiers=self.TIERS)
        book.rate("TIERED", pricing={"m": "a"}, tiers=self.TIERS, starts=day(15))
        assert self.fees(bill(book, used(day(20), 1, pricing={"m": "a"}))) == [(day(15), 1, "1", "2")]

    def test_there_is_none_if_the_first_atom_is_flat(self) -> None:
        book = january(rate_type="FLAT", price=1).rate("TIERED", tiers=self.TIERS, starts=day(15))
        assert self.fees(bill(book, used(day(3), 1), used(day(20), 1))) == []

    def test_an_upper_fee_is_due_whatever_the_first_atom_was(self) -> None:
        book = january(rate_type="FLAT", price=1).rate("TIERED", tiers=self.TIERS, starts=day(15))
        assert self.fees(bill(book, used(day(3), 1), used(day(20), 10))) == [(day(15), 2, "1", "3")]


class TestPercentage:
    def test_a_fraction_above_the_free_amount_and_a_fee_per_event_above_the_free_events(self) -> None:
        book = january(rate_type="PERCENTAGE", price="0.1", free_amount=100, fixed_fee="0.25", free_events=2)
        made = bill(book, used(day(3), 150, events=3), used(day(4), 50, events=2))
        assert made.read("is_fee", *QUANTITY) == [(False, "100", "0.1", "10"), (True, "3", "0.25", "0.75")]

    def test_below_the_free_amount_the_line_is_zero(self) -> None:
        made = bill(january(rate_type="PERCENTAGE", price="0.1", free_amount=100), used(day(3), -50))
        assert made.read(*QUANTITY) == [("0", "0.1", "0")]

    def test_without_a_free_amount_a_negative_amount_is_given_back(self) -> None:
        assert bill(january(rate_type="PERCENTAGE", price="0.1"), used(day(3), -50)).total == -5

    def test_free_events_run_over_rated_events_only(self) -> None:
        book = january(rate_type="PERCENTAGE", price=0, fixed_fee=1, free_events=2)
        book.override(None, entitled=False, ends=day(10))
        assert bill(book, used(day(3), 1, events=9), used(day(20), 1, events=3)).total == 1

    def test_the_free_part_runs_through_a_change_of_price(self) -> None:
        terms = {"free_amount": 100, "fixed_fee": 1, "free_events": 2}
        book = january(rate_type="PERCENTAGE", price="0.1", **terms).rate("PERCENTAGE", "0.2", starts=day(15), **terms)
        made = bill(book, used(day(3), 60, events=1), used(day(20), 60, events=3))
        assert made.read("is_fee", *QUANTITY) == [
            (False, "0", "0.1", "0"), (False, "20", "0.2", "4"), (True, "2", "1", "2")
        ]  # fmt: skip


class TestZeroLines:
    def test_a_product_without_keys_has_a_line_per_rated_segment(self) -> None:
        book = january(rate_type="FLAT", price=1).rate("FLAT", 2, starts=day(15))
        assert bill(book).read("starting_at", "ending_before", "quantity") == [
            (day(1), day(15), "0"), (day(15), day(32), "0")
        ]  # fmt: skip

    def test_a_keyed_product_has_one_only_where_there_is_an_event(self) -> None:
        book = Book().product(presentation=("org",)).contract().rate("FLAT", 1).rate("FLAT", 2, starts=day(15))
        made = bill(book, used(day(3), 5, presentation={"org": "a"}), used(day(4), -5, presentation={"org": "a"}))
        assert made.read("starting_at", "quantity", "event_count") == [(day(1), "0", 2)]
        assert bill(book).lines.is_empty()

    def test_tiered_at_zero_is_one_line_of_tier_one(self) -> None:
        book = january(rate_type="TIERED", tiers=TEN_AT_TWO).rate("TIERED", tiers=TEN_AT_TWO, starts=day(15))
        made = bill(book, used(day(3), 12))
        assert made.read("starting_at", "tier_level", "quantity") == [
            (day(1), 1, "10"), (day(1), 2, "2"), (day(15), 1, "0")
        ]  # fmt: skip

    def test_the_entitled_part_has_its_zero_line_and_a_prorated_minimum(self) -> None:
        book = january(rate_type="FLAT", price=1, minimum=310).override(None, entitled=False, starts=day(11))
        assert bill(book).read("line_type", "starting_at", "ending_before", "amount") == [
            ("usage", day(1), day(11), "0"), ("minimum_adjustment", day(1), day(32), "100")
        ]  # fmt: skip


class TestMinimumAndMaximum:
    def test_a_stub_is_prorated_and_divided_once(self) -> None:
        """310 from Jan 16 (16 of 31 days) with 20 @ 1: 160 in all."""
        book = Book().product().contract(starts=day(16)).rate("FLAT", 1, minimum=310)
        made = bill(book, used(day(20), 20))
        assert made.read("line_type", "quantity", "unit_price", "amount", "starting_at", "ending_before") == [
            ("usage", "20", "1", "20", day(16), day(32)),
            ("minimum_adjustment", "1", "140", "140", day(16), day(32)),
        ]  # fmt: skip
        assert made.total == 160

    def test_numerators_are_summed_before_the_one_division(self) -> None:
        """Three prices of 10 hours each in a full month of 744 with minimum 1: 30/744, not three times 10/744."""
        book = Book().product().contract(starts=day(1), ends=day(1, 30))
        for start in (0, 10, 20):
            book.rate("FLAT", 1, starts=day(1, start), minimum=1)
        assert bill(book).total == Decimal("0.040322580645")

    def test_a_segment_without_a_minimum_counts_nothing(self) -> None:
        book = january(rate_type="FLAT", price=1, minimum=310).rate("FLAT", 1, starts=day(11))
        assert bill(book).total == 100

    def test_a_cap_needs_every_segment_to_state_one(self) -> None:
        book = january(rate_type="FLAT", price=1, maximum=31).rate("FLAT", 1, starts=day(11))
        assert bill(book, used(day(3), 1000)).total == 1000

    def test_a_cap_is_weighted_by_time(self) -> None:
        book = january(rate_type="FLAT", price=1, maximum=31).rate("FLAT", 1, starts=day(11), maximum=62)
        made = bill(book, used(day(3), 1000))
        assert made.read("line_type", "amount") == [("usage", "1000"), ("usage", "0"), ("maximum_adjustment", "-948")]

    def test_maximum_first_then_minimum(self) -> None:
        made = bill(january(rate_type="FLAT", price=1, minimum=50, maximum=100), used(day(3), 200))
        assert made.read("line_type", "amount") == [("usage", "200"), ("maximum_adjustment", "-100")]

    @pytest.mark.parametrize(
        ("terms", "quantity", "adjustment", "amount", "total"),
        [
            ({"maximum": 100}, 200, "maximum_adjustment", -80, 100),
            ({"minimum": 100}, 20, "minimum_adjustment", 82, 100),
        ],
    )
    def test_limits_compare_after_discounts(
        self, terms: dict[str, int], quantity: int, adjustment: str, amount: int, total: int
    ) -> None:
        """200 @ 1 less 10 %, maximum 100: -20, -80. 20 @ 1 less 10 %, minimum 100: -2, 82."""
        book, usage = january(rate_type="FLAT", price=1, **terms), [used(day(3), quantity)]
        frames, periods = book.frames(), book.periods()
        groups = standing_groups(periods, frames)
        lines = rate(quantify(cumulatives(segments(groups, periods, frames), usage), frames), frames)
        tenth = (-(pl.col("amount") * pl.lit(Decimal("0.1"), dtype=DECIMAL))).alias("amount")
        discounts = lines.with_columns(tenth, line_type=pl.lit("discount"))
        made = adjust(pl.concat([lines, discounts]), limits(groups, periods, frames), frames).collect()
        assert made.filter(pl.col("line_type") == adjustment)["amount"].to_list() == [amount]
        assert made["amount"].sum() == total

    def test_fees_count_and_a_multiplier_does_not_scale_the_limit(self) -> None:
        book = january(rate_type="TIERED", tiers=[{"price": 1, "flat_fee": 10}], minimum=50).override(
            "MULTIPLIER", "0.5"
        )
        assert bill(book, used(day(3), 20)).read("line_type", "amount") == [
            ("usage", "10"), ("usage", "5"), ("minimum_adjustment", "35")
        ]  # fmt: skip

    def test_an_overwrite_replaces_the_limit_by_its_own(self) -> None:
        book = january(rate_type="FLAT", price=1, minimum=50)
        book.override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 2}, starts=day(1))
        assert bill(book, used(day(3), 5)).total == 10
        book = january(rate_type="FLAT", price=1)
        book.override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 2, "minimum": 40})
        assert bill(book, used(day(3), 5)).total == 40

    def test_a_presentation_key_alone_is_due_without_usage(self) -> None:
        book = Book().product(presentation=("org",)).contract().rate("FLAT", 1, minimum=50)
        assert bill(book).read("line_type", "presentation_group_values", "amount") == [
            ("minimum_adjustment", None, "50")
        ]  # fmt: skip
        made = bill(book, *(used(day(3), 20, presentation={"org": org}) for org in "ab"))
        assert made.read("line_type", "amount") == [("usage", "20"), ("usage", "20"), ("minimum_adjustment", "10")]

    def test_a_pricing_key_is_due_only_with_a_usage_line(self) -> None:
        book = Book().product(pricing=("m",)).contract()
        book.rate("FLAT", 1, pricing={"m": "a"}, minimum=50).rate("FLAT", 1, pricing={"m": "b"}, minimum=50)
        assert bill(book, used(day(3), 20, pricing={"m": "a"})).total == 50
        assert bill(book).lines.is_empty()

    def test_overrides_by_presentation_value_do_not_reach_it(self) -> None:
        book = Book().product(presentation=("org",)).contract().rate("FLAT", 1, minimum=50)
        book.override(
            "OVERWRITE", overwrite={"rate_type": "FLAT", "price": 2}, specifiers=({"presentation": {"org": "a"}},)
        )
        assert bill(book, used(day(3), 20, presentation={"org": "a"})).total == 50

    def test_a_negative_charge_is_not_raised_to_a_minimum_that_nobody_stated(self) -> None:
        assert bill(january(rate_type="FLAT", price=1, maximum=50), used(day(3), -5)).total == -5

    def test_a_contract_that_starts_and_ends_inside_a_period_is_cut_on_both_sides(self) -> None:
        book = Book().product().contract(starts=day(11), ends=day(21)).rate("FLAT", 1, minimum=310)
        assert bill(book).total == 100


class TestUnrated:
    def test_a_combination_without_a_rate_is_never_a_silent_zero(self) -> None:
        book = Book().product(pricing=("m",)).contract().rate("FLAT", 1, pricing={"m": None})
        made = bill(book, used(day(3), 5, pricing={"m": "x"}), used(day(3), 2, pricing={"m": None}))
        assert made.total == 2
        assert made.unrated.select("pricing_group_values", "reason", "quantity", "event_count").rows() == [
            ('{"m":"x"}', "no_rate", Decimal(5), 1)
        ]

    def test_the_running_quantity_skips_unrated_hours(self) -> None:
        """Nothing rates the first nine days: 100 are held, and the tiers begin at 0 after them."""
        book = Book().product().contract().rate("TIERED", tiers=TEN_AT_TWO, starts=day(10))
        made = bill(book, used(day(3), 100), used(day(20), 5))
        assert made.total == 10
        spans = made.unrated.select("starting_at", "ending_before", "reason", "quantity").rows()
        assert spans == [(day(1), day(10), "no_rate", Decimal(100))]

    def test_a_span_that_nets_to_zero_holds_nothing(self) -> None:
        book = Book().product().contract().rate("FLAT", 1, starts=day(10), ends=day(20))
        assert bill(book, used(day(3), 5), used(day(4), -5)).unrated.is_empty()
        made = bill(book, used(day(3), 5), used(day(25), -5)).unrated
        assert sorted(made["quantity"].to_list()) == [-5, 5]

    def test_an_overwrite_prices_what_the_card_does_not_and_a_multiplier_does_not(self) -> None:
        book = Book().product().contract().override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 2})
        made = bill(book, used(day(3), 5))
        assert made.read("rate_id", "override_id", "amount") == [(None, "c/overrides/0", "10")]
        assert bill(Book().product().contract().override("MULTIPLIER", "0.5"), used(day(3), 5)).unrated.height == 1

    def test_beyond_a_last_tier_with_a_size_only_the_excess_of_tiered_is_unrated(self) -> None:
        made = bill(january(rate_type="TIERED", tiers=[{"size": 10, "price": 2}]), used(day(3), 12))
        assert made.total == 20
        assert made.unrated.select("reason", "quantity").rows() == [("beyond_last_tier", Decimal(2))]

    def test_an_excess_that_falls_back_nets_out(self) -> None:
        tiers = [{"size": 10, "price": 2}]
        book = january(rate_type="TIERED", tiers=tiers)
        book.rate("TIERED", tiers=tiers, starts=day(10)).rate("TIERED", tiers=tiers, starts=day(20))
        made = bill(book, used(day(3), 12), used(day(25), -4))
        assert made.read("quantity") == [("10",), ("0",), ("-2",)]
        assert made.unrated.is_empty()

    def test_volume_beyond_its_last_tier_is_unrated_as_a_whole(self) -> None:
        made = bill(january(rate_type="VOLUME", tiers=[{"size": 10, "price": 2}]), used(day(3), 12))
        assert made.lines.is_empty()
        assert made.segments["segment_status"].to_list() == ["unrated"]
        assert made.unrated.select("reason", "quantity").rows() == [("beyond_last_tier", Decimal(12))]
