"""Composites and the minimum spend of a contract: the worked numbers."""

from __future__ import annotations

from typing import Any

import pytest

from billing_assets_tests.rating.book import Bill, Book, bill, day, january, plain, used

COMPOSITE = ("line_type", "quantity", "unit_price", "amount")


def of(made: Bill, product: str | None) -> list[tuple[Any, ...]]:
    """Lines of one product, adjustments last."""
    mine = made.lines.filter(product_id=product) if product else made.lines.filter(made.lines["product_id"].is_null())
    rows = mine.sort("line_type", "tier_level", "is_fee", descending=[True, False, False]).select(COMPOSITE).rows()
    return sorted((tuple(plain(value) for value in row) for row in rows), key=lambda row: "adjustment" in row[0])


def supported(price: Any = "0.1", **terms: Any) -> Book:
    return january(rate_type="FLAT", price=1).composite("PERCENTAGE", price, **terms)


class TestComposites:
    def test_the_minimum_of_a_composite(self) -> None:
        """10 % of 30, minimum 8: 3 + 5 (case 43)."""
        made = bill(supported(minimum=8), used(day(3), 30))
        assert of(made, "support") == [("composite", "30", "0.1", "3"), ("minimum_adjustment", "1", "5", "5")]
        line = made.lines.filter(line_type="composite").row(0, named=True)
        assert (line["starting_at"], line["ending_before"]) == (day(1), day(32))
        assert (line["incurred_from"], line["incurred_to"], plain(line["net"])) == (day(31, 23), day(32), "3")

    def test_the_minimum_is_not_prorated(self) -> None:
        book = Book().product().contract(starts=day(17)).rate("FLAT", 1).composite("PERCENTAGE", "0.1", minimum=8)
        assert of(bill(book, used(day(20), 30)), "support")[1] == ("minimum_adjustment", "1", "5", "5")

    def test_the_base_is_net_of_discounts_and_caps_and_without_minimums(self) -> None:
        """200 less 10 %, capped at 100; and of q 5, with a minimum of 50: 105."""
        book = Book().product("p").product("q").contract(products=("p", "q")).rate("FLAT", 1, maximum=100)
        book.rate("FLAT", 1, product="q", minimum=50).discount("PERCENTAGE", "0.1")
        book.composite("PERCENTAGE", "0.1", base=("p", "q"))
        made = bill(book, used(day(3), 200), used(day(3), 5, "q"))
        assert of(made, "support") == [("composite", "105", "0.1", "10.5")]

    def test_a_negative_base_counts_nothing_and_shows_a_line(self) -> None:
        assert of(bill(supported(), used(day(3), -30)), "support") == [("composite", "0", "0.1", "0")]

    def test_fees_of_tiers_are_in_the_base(self) -> None:
        book = january(rate_type="TIERED", tiers=[{"price": 1, "flat_fee": 7}]).composite("PERCENTAGE", 2)
        assert of(bill(book, used(day(3), 10)), "support") == [("composite", "17", "2", "34")]

    def test_tiers_of_a_composite_are_graduated_on_the_spend(self) -> None:
        tiers = [{"size": 100, "price": "0.1", "flat_fee": 4}, {"price": "0.05", "flat_fee": 1}]
        book = january(rate_type="FLAT", price=1).composite("TIERED_PERCENTAGE", tiers=tiers)
        assert of(bill(book, used(day(3), 300)), "support") == [
            ("composite", "100", "0.1", "10"), ("composite", "1", "4", "4"),
            ("composite", "200", "0.05", "10"), ("composite", "1", "1", "1"),
        ]  # fmt: skip

    def test_spend_beyond_the_last_tier_is_unrated(self) -> None:
        book = january(rate_type="FLAT", price=1).composite("TIERED_PERCENTAGE", tiers=[{"size": 100, "price": "0.1"}])
        made = bill(book, used(day(3), 130))
        assert made.unrated.select("product_id", "quantity").rows() == [("support", 30)]

    def test_its_discounts_apply_to_its_own_line_before_its_minimum(self) -> None:
        """10 % of 100, half off: 5; minimum 8: 3 more."""
        made = bill(supported(minimum=8).discount("PERCENTAGE", "0.5", products=("support",)), used(day(3), 100))
        assert of(made, "support") == [
            ("discount", "1", "-5", "-5"), ("composite", "100", "0.1", "10"), ("minimum_adjustment", "1", "3", "3")
        ]  # fmt: skip

    def test_a_discount_that_ended_before_the_last_hour_does_not_apply(self) -> None:
        book = supported().discount("PERCENTAGE", "0.5", products=("support",), ends=day(31, 23))
        assert of(bill(book, used(day(3), 100)), "support") == [("composite", "100", "0.1", "10")]

    def test_the_rate_is_that_of_the_periods_start(self) -> None:
        book = supported(ends=day(10)).composite("PERCENTAGE", "0.9", starts=day(10))
        assert of(bill(book, used(day(20), 100)), "support") == [("composite", "100", "0.1", "10")]

    def test_an_override_reaches_it(self) -> None:
        book = supported(minimum=8).override("MULTIPLIER", "0.5", products=("support",))
        assert of(bill(book, used(day(3), 100)), "support") == [
            ("composite", "100", "0.05", "5"), ("minimum_adjustment", "1", "3", "3")
        ]  # fmt: skip

    def test_a_composite_that_is_not_entitled_has_no_line(self) -> None:
        book = supported(minimum=8).override(None, entitled=False, products=("support",))
        assert of(bill(book, used(day(3), 100)), "support") == []

    @pytest.mark.parametrize(("excluded", "minimum"), [(True, []), (False, [("minimum_adjustment", "1", "8", "8")])])
    def test_free_usage_alone_owes_no_minimum_where_it_is_excluded(self, excluded: bool, minimum: list[Any]) -> None:
        """Case 0.18."""
        book = january(rate_type="FLAT", price=0)
        book.composite("PERCENTAGE", "0.1", minimum=8, exclude_free_usage=excluded)
        assert of(bill(book, used(day(3), 100)), "support") == [("composite", "0", "0.1", "0"), *minimum]

    def test_over_a_customer_every_period_counts_in_the_one_in_which_it_ends(self) -> None:
        """The second contract's period ends on the 20th; what another customer spends is not in the base."""
        book = Book().product().rate("FLAT", 1).rate("FLAT", 1, card="plain")
        book.composite("PERCENTAGE", "0.1", scope="CUSTOMER")
        book.contract("a", customer="u").contract("b", customer="u", ends=day(20), card="plain")
        book.contract("z", customer="v", card="plain")
        usage = (used(day(3), 100, contract="a"), used(day(3), 40, contract="b"), used(day(3), 7, contract="z"))
        made = bill(book, *usage)
        assert made.lines.filter(line_type="composite").select("contract_id", "quantity").rows() == [("a", 140)]


class TestMinimumSpend:
    def contract(self, **terms: Any) -> Book:
        return Book().product().contract(minimum_spend=100, **terms).rate("FLAT", 1)

    def test_a_shortfall_is_due(self) -> None:
        made = bill(self.contract(), used(day(3), 30))
        assert of(made, None) == [("minimum_adjustment", "1", "70", "70")]
        line = made.lines.filter(made.lines["product_id"].is_null()).row(0, named=True)
        assert (line["name"], plain(line["net"]), line["starting_at"]) == ("Minimum spend", "0", day(1))

    def test_it_is_prorated_and_due_without_usage(self) -> None:
        assert of(bill(self.contract(starts=day(1), ends=day(17))), None)[0][3] == "51.612903225806"

    def test_a_period_that_reaches_it_owes_nothing(self) -> None:
        assert of(bill(self.contract(), used(day(3), 100)), None) == []

    def test_discounts_adjustments_and_composites_count(self) -> None:
        """50 less 10 % = 45; minimum 60: 15; 10 % of 45 = 4.5; 100 - 64.5."""
        book = Book().product().contract(minimum_spend=100).rate("FLAT", 1, minimum=60)
        book.discount("PERCENTAGE", "0.1").composite("PERCENTAGE", "0.1")
        assert of(bill(book, used(day(3), 50)), None) == [("minimum_adjustment", "1", "35.5", "35.5")]
