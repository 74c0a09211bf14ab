"""Rating against a plain Decimal reference, and what must hold whatever the terms are."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets_tests.rating.book import Bill, Book, Usage, bill, day, used
from billing_assets_tests.rating.reference import reference_holds, reference_lines, round12

HOURS = 30
RELAXED = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])

amounts = st.decimals(0, 20, places=2) | st.sampled_from([Decimal("0.000000000007"), Decimal("0.333333333333")])
sizes = st.integers(1, 15).map(Decimal) | st.sampled_from([Decimal("0.5"), Decimal("2.25")])
multipliers = st.sampled_from([Decimal(text) for text in ("0", "0.5", "0.333333333333", "0.9", "1.2")])
hours = st.integers(0, HOURS - 1)


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    closed = draw(st.lists(sizes, max_size=3))
    ends = [*closed, None] if draw(st.integers(0, 4)) or not closed else closed
    fee = st.none() | amounts
    return [{"size": size, "price": draw(amounts), "flat_fee": draw(fee)} for size in ends]


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["FLAT", "TIERED", "VOLUME", "PACKAGE", "PERCENTAGE", "TIERED_PERCENTAGE"]))
    match kind:
        case "FLAT":
            return {"rate_type": kind, "price": draw(amounts)}
        case "PACKAGE":
            free = draw(st.none() | sizes)
            return {"rate_type": kind, "price": draw(amounts), "package_size": draw(sizes), "free_units": free}
        case "PERCENTAGE":
            fixed = {"fixed_fee": draw(amounts), "free_events": draw(st.none() | st.integers(0, 4))}
            free = draw(st.none() | sizes)
            terms = {"rate_type": kind, "price": draw(amounts), "free_amount": free}
            return terms | (fixed if draw(st.booleans()) else {})
        case _:
            return {"rate_type": kind, "tiers": draw(tiers())}


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """Terms and usage of one contract over HOURS hours."""
    explicit = draw(st.booleans())
    rate_starts = draw(st.lists(st.integers(-1, HOURS - 1), max_size=3, unique=True))
    kinds = ["OVERWRITE", "MULTIPLIER", None] + (["TIERED"] if explicit else [])
    overrides = []
    for _ in range(draw(st.integers(0, 3))):
        kind, start = draw(st.sampled_from(kinds)), draw(hours)
        ends = draw(st.none() | st.integers(start + 1, HOURS + 2))
        term: dict[str, Any] = {"override_type": kind, "starts": start, "ends": ends}
        term["entitled"] = draw(st.booleans()) if kind is None else draw(st.sampled_from([None, None, True]))
        term["priority"] = draw(st.integers(1, 3)) if explicit else None
        if kind == "OVERWRITE":
            term["overwrite"] = draw(prices())
        elif kind == "MULTIPLIER":
            term["multiplier"] = draw(multipliers)
        elif kind == "TIERED":
            closed = draw(st.lists(sizes, min_size=1, max_size=2))
            term["ranges"] = [{"size": size, "multiplier": draw(multipliers)} for size in closed]
        overrides.append(term)
    quantities = st.decimals(-6, 15, places=1)
    return {
        "explicit": explicit,
        "rates": [(start, draw(prices()), draw(st.integers(0, 5)) > 0) for start in sorted(rate_starts)],
        "overrides": overrides,
        "usage": draw(st.lists(st.tuples(hours, quantities, st.integers(1, 3)), max_size=6)),
        "keyed": draw(st.booleans()),
    }


def hour(number: int | None) -> Any:
    return None if number is None else day(1, number)


def build(terms: list[dict[str, Any]]) -> tuple[Book, list[Usage]]:
    book, usage = Book(), []
    book.product("plain").product("keyed", presentation=("org",))
    for number, term in enumerate(terms):
        contract, product = f"c{number}", "keyed" if term["keyed"] else "plain"
        ranking = "EXPLICIT" if term["explicit"] else "LOWEST_MULTIPLIER"
        book.contract(contract, day(1), day(1, HOURS), prioritization=ranking, products=(product,), card=contract)
        starts = [start for start, _, _ in term["rates"]]
        for (start, price, entitled), ends in zip(term["rates"], [*starts[1:], None], strict=False):
            book.rate(**price, product=product, card=contract, starts=hour(start), ends=hour(ends), entitled=entitled)
        for override in term["overrides"]:
            dates = {"starts": hour(override["starts"]), "ends": hour(override["ends"])}
            book.override(**{**override, **dates}, contract=contract, products=(product,))
        presentation = {"org": "a"} if term["keyed"] else None
        usage += [
            used(hour(at), quantity, product, contract=contract, presentation=presentation, events=events)
            for at, quantity, events in term["usage"]
        ]
    return book, usage


def summed(rows: Any) -> dict[Any, tuple[Decimal, Decimal]]:
    """Quantity and amount by everything else: two pieces of one tier at one price are one in the reference."""
    totals: dict[Any, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for start, end, level, is_fee, quantity, unit, amount in rows:
        old = totals[start, end, level, is_fee, unit]
        totals[start, end, level, is_fee, unit] = (old[0] + quantity, old[1] + amount)
    return dict(totals)


def shown_level(book: Book, row: dict[str, Any]) -> int | None:
    """The engine numbers the ranges of an untiered price; the reference leaves them without a level."""
    tiered = row["rate_type"] in ("TIERED", "TIERED_PERCENTAGE", "VOLUME")
    return row["tier_level"] if tiered else None


@RELAXED
@given(st.lists(contracts(), min_size=1, max_size=12))
def test_the_engine_agrees_with_a_walk_through_the_hours(terms: list[dict[str, Any]]) -> None:
    book, usage = build(terms)
    made = bill(book, *usage)
    for period, term in zip(book.periods_, terms, strict=True):
        contract = period["contract_id"]
        mine = [one for one in usage if one.contract == contract]
        expected = summed(reference_lines(book, period, mine, always_shown=not term["keyed"]))
        found = summed(
            (row["starting_at"], row["ending_before"], shown_level(book, row), row["is_fee"], row["quantity"],
             row["unit_price"], row["amount"])
            for row in made.lines.iter_rows(named=True) if row["contract_id"] == contract
        )  # fmt: skip
        assert close(found) == close(expected), term
        held = made.unrated.filter(contract_id=contract, reason="no_rate").sort("starting_at")
        spans = held.select("starting_at", "ending_before", "quantity").rows()
        assert spans == reference_holds(book, period, mine)


def close(totals: dict[Any, tuple[Decimal, Decimal]]) -> dict[Any, Decimal]:
    return {key: quantity.normalize() + 0 for key, (quantity, _) in totals.items()}


@RELAXED
@given(st.lists(contracts(), min_size=1, max_size=12))
def test_the_order_of_rows_changes_nothing(terms: list[dict[str, Any]]) -> None:
    book, usage = build(terms)
    made = bill(book, *usage)
    for rows in book.rows.values():
        rows.reverse()
    book.periods_.reverse()
    again = bill(book, *reversed(usage))
    key = made.lines.columns
    assert made.lines.sort(key).equals(again.lines.sort(key))


def checked(made: Bill) -> None:
    for row in made.lines.iter_rows(named=True):
        assert row["amount"] == round12(row["quantity"] * row["unit_price"])


@RELAXED
@given(st.lists(contracts(), min_size=1, max_size=12))
def test_every_line_is_quantity_times_unit_price(terms: list[dict[str, Any]]) -> None:
    book, usage = build(terms)
    checked(bill(book, *usage))


@RELAXED
@given(st.lists(st.tuples(contracts(), hours), min_size=1, max_size=12))
def test_a_cut_at_any_hour_under_one_price_changes_no_charge(drawn: list[tuple[dict[str, Any], int]]) -> None:
    """One price, written as two rates that meet at some hour. Roundings of lines at the 12th place may differ."""
    whole, halves = [], []
    for term, cut in drawn:
        price = {"rate_type": "FLAT", "price": Decimal(2)} if not term["rates"] else term["rates"][0][1]
        whole.append(term | {"rates": [(-1, price, True)], "overrides": []})
        halves.append(term | {"rates": [(-1, price, True), (cut, price, True)], "overrides": []})
    left, right = (bill(*unpack(build(terms))) for terms in (whole, halves))
    for number in range(len(drawn)):
        mine = [made.lines.filter(contract_id=f"c{number}")["amount"].sum() for made in (left, right)]
        assert abs(mine[0] - mine[1]) <= Decimal("0.00000000001")


def unpack(built: tuple[Book, list[Usage]]) -> tuple[Any, ...]:
    book, usage = built
    return (book, *usage)


@RELAXED
@given(st.lists(contracts(), min_size=1, max_size=12))
def test_segments_cover_each_period_once(terms: list[dict[str, Any]]) -> None:
    book, usage = build(terms)
    covered: dict[str, timedelta] = defaultdict(timedelta)
    for row in bill(book, *usage).segments.iter_rows(named=True):
        covered[row["contract_id"]] += row["segment_end"] - row["segment_start"]
    assert set(covered.values()) <= {timedelta(hours=HOURS)}
