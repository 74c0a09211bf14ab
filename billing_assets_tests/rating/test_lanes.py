"""Prices that commits and credits pay, where these are not the list prices; and where access cuts lines."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets_tests.rating.book import Bill, Book, Usage, bill, day, january, plain, used
from billing_assets_tests.rating.reference import times

RELAXED = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
HALF = {"rate_type": "FLAT", "price": "0.5"}


def own(made: Bill, *columns: str) -> list[tuple[Any, ...]]:
    rows = made.own_prices.sort("starting_at", "tier_lower", "commit_id", nulls_last=False).select(columns).rows()
    return [tuple(plain(value) for value in row) for row in rows]


class TestLanes:
    def test_a_commit_rate_is_paid_by_balances_that_ask_for_it(self) -> None:
        book = january(rate_type="FLAT", price=1, commit_rate=HALF).balance("a").balance("b", "LIST")
        assert own(bill(book, used(day(3), 20)), "commit_id", "unit_price", "own_price", "own_override_id") == [
            ("a", "1", "0.5", None)
        ]  # fmt: skip

    def test_without_a_commit_rate_the_list_price_holds(self) -> None:
        book = january(rate_type="FLAT", price=1).override("MULTIPLIER", "0.5").balance("a")
        assert own(bill(book, used(day(3), 20)), "own_price") == []

    def test_only_overrides_of_the_commit_rate_change_it(self) -> None:
        """The list side is multiplied by 0.9, the commit side by 0.5 (case 27)."""
        book = january(rate_type="FLAT", price=1, commit_rate=HALF).balance("a")
        book.override("MULTIPLIER", "0.1").override("MULTIPLIER", "0.9", lane="COMMIT")
        made = bill(book, used(day(3), 20))
        assert own(made, "unit_price", "own_price", "own_override_id") == [("0.1", "0.45", "c/overrides/1")]

    def test_an_override_of_the_commits_own_comes_first(self) -> None:
        """A MULTIPLIER of single commits wins over the contract's OVERWRITE, and multiplies the card's rate."""
        book = january(rate_type="FLAT", price=1).balance("a", "LIST").balance("b", "LIST")
        book.override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 7})
        book.override("MULTIPLIER", "0.25", specific=True, specifiers=({"commits": ("a",)},))
        made = bill(book, used(day(3), 20))
        assert own(made, "commit_id", "unit_price", "own_price") == [("a", "7", "0.25")]

    def test_without_ids_it_is_for_any_commit(self) -> None:
        book = january(rate_type="FLAT", price=1).balance("a", "LIST").balance("b", "COMMIT")
        book.override("OVERWRITE", overwrite={"rate_type": "FLAT", "price": 0}, specific=True)
        assert own(bill(book, used(day(3), 20)), "commit_id", "own_price") == [("a", "0"), ("b", "0")]

    def test_ids_belong_to_the_specifier_that_matches(self) -> None:
        """For `a` on the large model, for `b` on any other: `b` has no price of its own on large."""
        book = Book().product(pricing=("model",)).contract().balance("a", "LIST").balance("b", "LIST")
        for model in ("large", "small"):
            book.rate("FLAT", 1, pricing={"model": model})
        specifiers = tuple(
            {"pricing": {"model": model}, "commits": (name,)} for model, name in (("large", "a"), ("small", "b"))
        )
        book.override("MULTIPLIER", "0.5", specific=True, specifiers=specifiers)
        made = bill(book, *(used(day(3), 20, pricing={"model": model}) for model in ("large", "small")))
        assert sorted(own(made, "pricing_group_values", "commit_id")) == [
            ('{"model":"large"}', "a"), ('{"model":"small"}', "b")
        ]  # fmt: skip

    def test_a_price_of_commits_changes_no_list_price_and_no_entitlement(self) -> None:
        book = january(rate_type="FLAT", price=1).balance("a", "LIST")
        book.override("MULTIPLIER", "0.5", lane="COMMIT").override("MULTIPLIER", "0.5", specific=True, entitled=False)
        assert bill(book, used(day(3), 20)).total == 20

    def test_the_line_is_cut_where_the_price_changes(self) -> None:
        book = january(rate_type="FLAT", price=1, commit_rate=HALF).balance("a", starts=day(5))
        book.override("MULTIPLIER", "0.5", lane="COMMIT", starts=day(10), ends=day(20))
        made = bill(book, used(day(3), 1), used(day(7), 1), used(day(12), 1), used(day(25), 1))
        assert made.read("starting_at", "amount") == [(day(at), "1") for at in (1, 5, 10, 20)]
        assert own(made, "starting_at", "own_price") == [(day(5), "0.5"), (day(10), "0.25"), (day(20), "0.5")]

    def test_the_axis_is_cut_at_the_bounds_of_both_sides(self) -> None:
        """Tiers 10 @ 1, then @ 2; the commit side 4 @ 0.5, then @ 0.25: 4, 6, and the rest."""
        tiers = [{"size": 10, "price": 1}, {"price": 2}]
        inner = {"rate_type": "TIERED", "tiers": [{"size": 4, "price": "0.5"}, {"price": "0.25"}]}
        book = january(rate_type="TIERED", tiers=tiers, commit_rate=inner).balance("a")
        made = bill(book, used(day(3), 20))
        assert own(made, "tier_level", "tier_lower", "tier_upper", "quantity", "unit_price", "own_price") == [
            (1, None, "4", "4", "1", "0.5"), (1, "4", "10", "6", "1", "0.25"), (2, "10", None, "10", "2", "0.25")
        ]  # fmt: skip

    def test_a_flat_commit_rate_cuts_no_tier(self) -> None:
        """Case 4: tier 2 is 10 units @ 2, for 1.5 each."""
        flat, tiers = {"rate_type": "FLAT", "price": "1.5"}, [{"size": 10, "price": 1}, {"price": 2}]
        book = january(rate_type="TIERED", tiers=tiers, commit_rate=flat).balance("a")
        made = bill(book, used(day(3), 20))
        assert own(made, "quantity", "unit_price", "own_price") == [("10", "1", "1.5"), ("10", "2", "1.5")]

    def test_the_position_runs_through_the_period(self) -> None:
        inner = {"rate_type": "TIERED", "tiers": [{"size": 10, "price": "0.5"}, {"price": "0.25"}]}
        book = january(rate_type="FLAT", price=1, commit_rate=inner).balance("a", starts=day(10))
        made = bill(book, used(day(3), 8), used(day(12), 8))
        assert own(made, "quantity", "own_price", "amount") == [("2", "0.5", "2"), ("6", "0.25", "6")]

    def test_a_falling_atom_is_not_cut(self) -> None:
        inner = {"rate_type": "TIERED", "tiers": [{"size": 10, "price": "0.5"}, {"price": "0.25"}]}
        book = january(rate_type="FLAT", price=1, commit_rate=inner).balance("a", starts=day(10))
        assert bill(book, used(day(3), 18), used(day(12), -16)).read("quantity") == [("18",), ("-16",)]

    def test_volume_takes_the_tier_of_the_periods_quantity_on_both_sides(self) -> None:
        inner = {"rate_type": "VOLUME", "tiers": [{"size": 5, "price": 3}, {"price": 2}]}
        tiers = [{"size": 10, "price": 5}, {"price": 4}]
        book = january(rate_type="VOLUME", tiers=tiers, commit_rate=inner).balance("a")
        made = bill(book, used(day(3), 8))
        assert own(made, "quantity", "unit_price", "own_price") == [("8", "5", "2")]

    def test_packages_have_the_price_of_the_commit_side(self) -> None:
        inner = {"rate_type": "PACKAGE", "price": 9, "package_size": 10}
        book = january(rate_type="PACKAGE", price=15, package_size=10, commit_rate=inner).balance("a")
        assert own(bill(book, used(day(3), 25)), "quantity", "unit_price", "own_price") == [("3", "15", "9")]

    def test_an_override_by_billing_frequency_is_not_of_usage(self) -> None:
        book = january(rate_type="FLAT", price=1).balance("a", "LIST")
        for specific in (True, False):
            book.override("MULTIPLIER", "0.5", specific=specific, specifiers=({"frequency": "MONTHLY"},))
        made = bill(book, used(day(3), 8))
        assert (made.total, own(made, "own_price")) == (8, [])

    def test_fees_are_paid_at_face_value(self) -> None:
        tiers = [{"price": 1, "flat_fee": 5}]
        book = january(rate_type="TIERED", tiers=tiers, commit_rate=HALF).balance("a")
        assert own(bill(book, used(day(3), 8)), "is_fee", "own_price") == [(False, "0.5")]

    def test_a_range_of_a_tiered_override_cuts_a_package_line(self) -> None:
        book = Book().product().contract(prioritization="EXPLICIT").rate("PACKAGE", 10, package_size=10)
        book.balance("a", "LIST")
        book.override("TIERED", ranges=[{"size": 20, "multiplier": "0.5"}], specific=True, priority=1)
        assert own(bill(book, used(day(3), 35)), "quantity", "own_price") == [("2", "5"), ("2", "10")]


class TestAccess:
    def test_access_cuts_lines_that_it_reaches(self) -> None:
        book = Book().product().product("q").contract(products=("p", "q")).rate("FLAT", 1).rate("FLAT", 1, product="q")
        book.balance("a", "LIST", starts=day(5), ends=day(15))
        made = bill(book, used(day(7), 1), used(day(7), 1, "q"))
        assert made.read("product_id", "starting_at", "incurred_to") == [
            ("p", day(1), day(5)), ("p", day(5), day(15)), ("p", day(15), day(32)), ("q", day(1), day(32))
        ]  # fmt: skip

    def test_it_must_reach_the_group_values_and_not_exclude_them(self) -> None:
        book = Book().product(pricing=("model",)).contract()
        for model in "abc":
            book.rate("FLAT", 1, pricing={"model": model})
        book.balance("x", "LIST", starts=day(5), pricing={"model": "a"})
        book.balance("y", "LIST", starts=day(9), excluding={"model": "b"})
        made = bill(book, *(used(at, 1, pricing={"model": m}) for m in "abc" for at in (day(3), day(7), day(12))))
        starts = made.read("pricing_group_values", "starting_at")
        assert sorted((values[10], at.day) for values, at in starts) == [
            ("a", 1), ("a", 5), ("a", 9), ("b", 1), ("c", 1), ("c", 9)
        ]  # fmt: skip

    def test_a_seats_balance_cuts_its_seat_alone(self) -> None:
        book = Book().product(presentation=("user",)).contract().rate("FLAT", 1)
        book.balance("a", "LIST", starts=day(5), seat=("user", 'an"na'))
        usage = (used(at, 1, presentation={"user": who}) for who in ('an"na', "bo") for at in (day(3), day(7)))
        assert sorted(row[0].day for row in bill(book, *usage).read("starting_at")) == [1, 1, 5]


amounts = st.decimals(0, 9, places=1)
bounded = st.integers(1, 9).map(Decimal)
HOURS = 24


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"rate_type": "FLAT", "price": draw(amounts)}
    sizes = draw(st.lists(bounded, min_size=1, max_size=2))
    return {"rate_type": "TIERED", "tiers": [{"size": size, "price": draw(amounts)} for size in [*sizes, None]]}


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.integers(0, HOURS - 1))
    return {"starts": start, "ends": draw(st.none() | st.integers(start + 1, HOURS + 2))}


@st.composite
def overrides(draw: st.DrawFn) -> dict[str, Any]:
    term = draw(spans()) | {"lane": draw(st.sampled_from(["LIST", "COMMIT"])), "specific": draw(st.booleans())}
    term["commits"] = draw(st.sampled_from([(), ("a",), ("b",)])) if term["specific"] else ()
    kind = draw(st.sampled_from(["OVERWRITE", "MULTIPLIER"]))
    return term | ({"overwrite": draw(prices())} if kind == "OVERWRITE" else {"multiplier": draw(amounts)})


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "price": draw(prices()),
        "commit_rate": draw(st.none() | prices()),
        "rate_ends": draw(st.none() | st.integers(1, HOURS - 1)),
        "overrides": draw(st.lists(overrides(), max_size=4)),
        "access": {name: draw(spans()) | {"lane": draw(st.sampled_from(["LIST", "COMMIT"]))} for name in "ab"},
        "usage": draw(st.lists(st.tuples(st.integers(0, HOURS - 1), st.decimals(-3, 12, places=1)), max_size=5)),
    }


def at_hour(number: int | None) -> Any:
    return None if number is None else day(1, number)


def built(world: dict[str, Any], number: int, book: Book) -> list[Usage]:
    name = f"c{number}"
    book.contract(name, day(1), day(1, HOURS), card=name)
    cut = world["rate_ends"]
    book.rate(**world["price"], card=name, commit_rate=world["commit_rate"], ends=at_hour(cut))
    if cut is not None:
        book.rate("FLAT", 4, card=name, starts=at_hour(cut))
    for term in world["overrides"]:
        kind = "OVERWRITE" if "overwrite" in term else "MULTIPLIER"
        book.override(
            kind, term.get("multiplier"), contract=name, starts=at_hour(term["starts"]), ends=at_hour(term["ends"]),
            overwrite=term.get("overwrite"), lane=term["lane"], specific=term["specific"],
            specifiers=({"commits": term["commits"]},),
        )  # fmt: skip
    for commit, term in world["access"].items():
        book.balance(commit, term["lane"], contract=name, starts=at_hour(term["starts"]), ends=at_hour(term["ends"]))
    return [used(day(1, at), quantity, contract=name) for at, quantity in world["usage"]]


def active(term: dict[str, Any], hour: int) -> bool:
    return bool(term["starts"] <= hour and (term["ends"] is None or hour < term["ends"]))


def expected_price(world: dict[str, Any], commit: str, hour: int, at: Decimal) -> Decimal | None:
    """What `commit` pays of its own for the next small bit above `at` in an hour; None: the list price."""
    access = world["access"][commit]
    if not active(access, hour):
        return None
    listed = world["price"] if world["rate_ends"] is None or hour < world["rate_ends"] else HALF | {"price": 4}
    committed = world["commit_rate"] if listed is world["price"] else None
    lane = "COMMIT" if access["lane"] == "COMMIT" and committed else "LIST"
    matching = [
        term for term in world["overrides"]
        if active(term, hour) and term["lane"] == lane
        and (not term["specific"] or not term["commits"] or commit in term["commits"])
    ]  # fmt: skip
    own_terms = [term for term in matching if term["specific"]]
    if lane == "LIST" and not own_terms:
        return None
    for candidates in (own_terms, matching):
        overwrites = [term for term in candidates if "overwrite" in term]
        if overwrites:
            return price_at(overwrites[-1]["overwrite"], at)
        multipliers = [term["multiplier"] for term in candidates if "multiplier" in term]
        if multipliers:
            return times(price_at(committed or listed if lane == "COMMIT" else listed, at), min(multipliers))
    return price_at(committed or listed, at)


def price_at(price: dict[str, Any], at: Decimal) -> Decimal:
    if price["rate_type"] == "FLAT":
        return Decimal(price["price"])
    lower = Decimal(0)
    for tier in price["tiers"]:
        if tier["size"] is None or at < lower + tier["size"]:
            return Decimal(tier["price"])
        lower += tier["size"]
    raise AssertionError(price)


def bits(world: dict[str, Any], made: Bill, contract: str) -> Iterator[tuple[Any, ...]]:
    """Every rising line as tenths of a unit: (hour in which its atom starts, position)."""
    atoms = {row["segment_start"]: row for row in made.segments.filter(contract_id=contract).iter_rows(named=True)}
    for row in made.lines.filter(contract_id=contract, line_type="usage").iter_rows(named=True):
        if row["quantity"] > 0:
            atom = atoms[row["starting_at"]]
            lower = Decimal(-(10**9)) if row["tier_lower"] is None else row["tier_lower"]
            start = max(atom["running_start"], lower)
            for tenth in range(int(row["quantity"] * 10)):
                yield row, int((row["starting_at"] - day(1)).total_seconds()) // 3600, start + Decimal(tenth) / 10


@RELAXED
@given(st.lists(worlds(), min_size=1, max_size=6))
def test_every_tenth_of_a_unit_has_the_price_that_a_walk_through_the_hours_finds(drawn: list[dict[str, Any]]) -> None:
    book, usage = Book().product(), []
    for number, world in enumerate(drawn):
        usage += built(world, number, book)
    made = bill(book, *usage)
    place = ("contract_id", "commit_id", "starting_at", "tier_level", "tier_lower")
    found = {tuple(row[name] for name in place): row["own_price"] for row in made.own_prices.iter_rows(named=True)}
    for number, world in enumerate(drawn):
        for row, hour, at in bits(world, made, f"c{number}"):
            for commit in "ab":
                key = (f"c{number}", commit, row["starting_at"], row["tier_level"], row["tier_lower"])
                assert found.get(key) == expected_price(world, commit, hour, at), (world, key, at)
