"""The worked figures of drawdown, as the cases of docs/semantics.md give them."""

from __future__ import annotations

from decimal import Decimal

from billing_assets_tests.commitments.book import (
    FEBRUARY,
    JANUARY,
    Book,
    balance,
    day,
    fixed,
    line,
    own_price,
    percentage,
    selector_row,
    shown,
)  # fmt: skip

COVERED = ("line_key", "segment_id", "drawn", "covered_quantity", "covered_amount", "closes")


def test_a_line_is_split_into_covered_part_and_remainder() -> None:
    """10 @ 3, balance 10: covered 3.333333333333 for 10 (case 10)."""
    draws = Book([line(1, 10, 3)], [balance("a", 10)]).draws()
    assert shown(draws, *COVERED) == [(1, "a/1", "10", "3.333333333333", "10", False)]


def test_the_next_balance_starts_from_what_is_left() -> None:
    draws = Book([line(1, 10, 3)], [balance("a", 10), balance("b", 50, balance_position=1)]).draws()
    assert shown(draws, *COVERED)[1] == (1, "b/1", "20", "6.666666666667", "20", True)


def test_a_discounted_line_is_covered_for_its_net() -> None:
    """100 @ 1, 10 % off: 1,000 draws 90; a balance of 45 covers 50 of the 100 (case 1)."""
    discounted = line(1, 100, 1, net=Decimal(90))
    assert shown(Book([discounted], [balance("a", 1000)]).draws(), *COVERED) == [(1, "a/1", "90", "100", "100", True)]
    assert shown(Book([discounted], [balance("a", 45)]).draws(), *COVERED) == [(1, "a/1", "45", "50", "50", False)]


def test_a_capped_line_is_covered_for_its_net() -> None:
    """Usage 200 @ 1, maximum 100, balance 1,000: the application is 100 (case 1)."""
    draws = Book([line(1, 200, 1, net=Decimal(100))], [balance("a", 1000)]).draws()
    assert shown(draws, "paid", "covered_amount") == [("100", "200")]


def test_a_negative_atom_is_never_drawn_and_frees_nothing() -> None:
    """Atoms +40 of 120 and -10: 100 of the 120 is covered (case 2)."""
    draws = Book([line(1, 40, 3), line(2, -10, 3, incurred_from=day(20))], [balance("a", 100)]).draws()
    assert shown(draws, "line_key", "drawn") == [(1, "100")]


def test_a_higher_tier_is_covered_first_at_the_price_of_the_commit() -> None:
    """10 @ 1, then 10 @ 2; commit rate 1.5, balance 15: the ten units of tier 2 (case 4)."""
    tiers = [line(1, 10, 2, draw_order=1), line(2, 10, 1, draw_order=2)]
    prices = [own_price(key, "a", "1.5") for key in (1, 2)]
    draws = Book(tiers, [balance("a", 15)], prices=prices).draws()
    assert shown(draws, *COVERED) == [(1, "a/1", "15", "10", "15", True)]


def test_a_fee_is_drawn_at_face_value() -> None:
    """Tier line 10 @ 1 with fee 5, balance 6: fee 5 and 1 unit covered (case 7)."""
    lines = [line(1, 1, 5, is_fee=True), line(2, 10, 1)]
    assert shown(Book(lines, [balance("a", 6)]).draws(), *COVERED) == [
        (1, "a/1", "5", "1", "5", True), (2, "a/1", "1", "1", "1", False),
    ]  # fmt: skip


def test_a_part_at_a_price_of_the_commit_is_discounted_by_itself() -> None:
    """20 @ 1 with commit price 0.5, 10 % off, balance 4.5: 10 units for 5 (case 19)."""
    book = Book([line(1, 20, 1, net=Decimal(18))], [balance("a", "4.5"), balance("b", 100, balance_position=1)],
                prices=[own_price(1, "a", "0.5")], discounts=[percentage(1, "0.1")])  # fmt: skip
    assert shown(book.draws(), *COVERED, "price_lane") == [
        (1, "a/1", "4.5", "10", "5", False, "COMMIT"), (1, "b/1", "9", "10", "10", True, "LIST"),
    ]  # fmt: skip


def test_a_part_carries_a_fixed_discount_by_its_quantity() -> None:
    """20 @ 2 less 8, commit price 1, balance 6: with 8 x q / 20 off, 10 units cost 10 - 4; the rest is 20 - 4."""
    book = Book([line(1, 20, 2, net=Decimal(32))], [balance("a", 6), balance("b", 100, balance_position=1)],
                prices=[own_price(1, "a", 1)], discounts=[fixed(1, "8")])  # fmt: skip
    assert shown(book.draws(), *COVERED) == [(1, "a/1", "6", "10", "10", False), (1, "b/1", "16", "10", "20", True)]


def test_no_price_of_the_commit_where_a_maximum_binds() -> None:
    book = Book([line(1, 10, 2, caps_lanes=True)], [balance("a", 5)], prices=[own_price(1, "a", 1)])
    assert shown(book.draws(), *COVERED) == [(1, "a/1", "5", "2.5", "5", False)]


def test_a_price_of_zero_covers_all_while_the_balance_has_anything() -> None:
    """Case 26: nothing is drawn for it; and once the balance is used up, nothing is covered."""
    lines = [line(1, 10, 2), line(2, 5, 3), line(3, 5, 1), line(4, 7, 1)]
    prices = [own_price(1, "a", 0), own_price(3, "a", 0), own_price(4, "a", 0)]
    assert shown(Book(lines[:3], [balance("a", 20)], prices=prices).draws(), *COVERED) == [
        (1, "a/1", "0", "10", "0", True), (2, "a/1", "15", "5", "15", True), (3, "a/1", "0", "5", "0", True),
    ]  # fmt: skip
    assert shown(Book(lines, [balance("a", 15)], prices=prices).draws(), *COVERED) == [
        (1, "a/1", "0", "10", "0", True), (2, "a/1", "15", "5", "15", True),
    ]  # fmt: skip


def test_units_are_drawn_of_a_quantity() -> None:
    """30 units against 100 @ 3 less 10 %: the units' net is 81 (case 45)."""
    held = balance("a", 30, access_type="QUANTITY", unit="quantity:api")
    draws = Book([line(1, 100, 3, net=Decimal(270))], [held, balance("b", 1000, balance_position=1)]).draws()
    assert shown(draws, *COVERED, "paid") == [
        (1, "a/1", "30", "30", "90", False, "81"), (1, "b/1", "189", "70", "210", True, "189"),
    ]  # fmt: skip


def test_fees_and_adjustments_have_no_units() -> None:
    lines = [line(1, 1, 5, is_fee=True), line(2, 1, 9, line_type="minimum_adjustment"),
             line(3, 4, 20, line_type="subscription", product_id="seats")]  # fmt: skip
    held = balance("a", 3, access_type="QUANTITY", unit="quantity:seats")
    assert shown(Book(lines, [held]).draws(), *COVERED, "paid") == [(3, "a/1", "3", "3", "60", False, "60")]


def test_only_hours_inside_the_segment_draw() -> None:
    held = [balance("a", 5, ending_before=day(15)), balance("b", 5, starting_at=day(15), balance_position=1)]
    lines = [line(1, 9, 1, incurred_to=day(10)), line(2, 9, 1, incurred_from=day(10), incurred_to=day(16)),
             line(3, 9, 1, incurred_from=day(20))]  # fmt: skip
    assert shown(Book(lines, held).draws(), "line_key", "segment_id") == [(1, "a/1"), (3, "b/1")]


def test_units_of_account_are_not_mixed() -> None:
    lines = [line(1, 9, 1, amount_unit="ai-credits"), line(2, 9, 1)]
    draws = Book(lines, [balance("a", 100, unit="ai-credits"), balance("b", 100)]).draws()
    assert shown(draws, "line_key", "segment_id") == [(1, "a/1"), (2, "b/1")]


def test_group_values_and_exclusions_decide() -> None:
    selectors = [selector_row(1, "api", '{"model":"large"}'), selector_row(1, "storage"),
                 selector_row(1, "storage", "{}", '{"region":"us"}', exclude=True)]  # fmt: skip
    lines = [
        line(1, 1, 1, pricing_group_values='{"model":"large","size":"8"}'),
        line(2, 1, 1, pricing_group_values='{"model":"small"}'),
        line(3, 1, 1, product_id="storage", presentation_group_values='{"region":"eu"}'),
        line(4, 1, 1, product_id="storage", presentation_group_values='{"region":"us"}'),
        line(5, 1, 1, product_id="storage", line_type="minimum_adjustment", presentation_group_values=None),
        line(6, 1, 1, product_id="seats"),
    ]
    draws = Book(lines, [balance("a", 100, selector=1)], selectors).draws()
    assert draws["line_key"].to_list() == [1, 3, 5]


def test_a_seats_balance_pays_for_its_seat() -> None:
    held = [balance(f"s@{seat}", 5, seat_key="user", seat_value=seat) for seat in ('an"na', "bo")]
    lines = [line(1, 9, 1, presentation_group_values='{"user":"bo"}'),
             line(2, 9, 1, pricing_group_values='{"user":"an\\"na"}'), line(3, 9, 1)]  # fmt: skip
    assert shown(Book(lines, held).draws(), "line_key", "segment_id") == [(1, "s@bo/1"), (2, 's@an"na/1')]


def test_a_customers_balance_is_drawn_by_the_contracts_it_applies_to() -> None:
    lines = [line(1, 9, 1, contract_id="c"), line(2, 9, 1, contract_id="d"), line(3, 9, 1, contract_id="e")]
    shared = balance("a", 15, contract_id=None, contract_count=2)
    shares = [{"commit_id": "a", "contract_id": name} for name in ("c", "e")]
    draws = Book(lines, [shared], shares=shares).draws()
    assert shown(draws, "line_key", "drawn") == [(1, "9"), (3, "6")]


def test_pools_do_not_meet() -> None:
    lines = [line(1, 9, 1), line(2, 9, 1, pool="d", contract_id="d"), line(3, 9, 1, pool="d", contract_id="d")]
    held = [balance("a", 4), balance("b", 12, pool="d", contract_id="d")]
    assert shown(Book(lines, held).draws(), "line_key", "drawn") == [(1, "4"), (2, "9"), (3, "3")]


def test_a_charge_that_is_no_usage_is_not_drawn() -> None:
    kinds = ("scheduled", "commit_purchase", "trueup", "discount", "maximum_adjustment", "rounding")
    lines = [line(key, 9, 1, line_type=kind) for key, kind in enumerate(kinds)]
    short = line(9, 9, 1, line_type="minimum_adjustment", product_id=None)
    assert Book([*lines, short], [balance("a", 100)]).draws().is_empty()


def test_access_may_stay_open() -> None:
    held = balance("a", 100, starting_at=JANUARY, ending_before=None)
    assert Book([line(1, 9, 1, incurred_from=FEBRUARY, incurred_to=day(60))], [held]).draws().height == 1
