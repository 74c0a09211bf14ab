"""Generated contracts are charged as plain counting charges them, to the last digit."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets import charges
from billing_assets.columns import TIMESTAMP
from billing_assets.rating.subscriptions import subscription_prices
from billing_assets_tests.charges import reckoning
from billing_assets_tests.charges.book import Book, steps
from billing_assets_tests.charges.strategies import Case, cases, instants

NO_FEES = pl.LazyFrame(schema=charges.FEE)
THOROUGH = settings(max_examples=35, suppress_health_check=[HealthCheck.too_slow])
GROUPS = st.lists(cases(), min_size=1, max_size=6)


def text(value: Fraction) -> Decimal:
    scaled = value * 10**12
    assert scaled.denominator == 1
    return Decimal(scaled.numerator).scaleb(-12)


def iso(instant: datetime) -> str:
    return instant.replace(tzinfo=None).isoformat()


def book_of(group: list[Case]) -> Book:
    """Contract `c<n>`, with subscription `s<n>`, recurring balance `b<n>` and charge `q<n>`; a card of its own."""
    book = Book()
    for number, case in enumerate(group):
        _contract(book, f"c{number}", case)
        _subscription(book, number, case.subscription)
        _recurring(book, number, case.recurring)
        charge = case.charge
        book.recurring(
            iso(charge.start), text(charge.amount), iso(charge.end) if charge.end else None,
            frequency=charge.frequency, distribution=charge.distribution, charge=f"q{number}",
            contract_id=f"c{number}",
        )  # fmt: skip
    return book


def _contract(book: Book, name: str, case: Case) -> None:
    of = case.contract
    book.contract(
        name, iso(of.start), iso(of.end) if of.end else None, frequency=of.frequency, anchor=iso(of.anchor),
        rate_card_id=name, bills_charges_on_usage_invoices=of.beside_usage,
    )  # fmt: skip


def _subscription(book: Book, number: int, of: reckoning.Subscription) -> None:
    changes = [(iso(at), count) for at, count in of.quantities.items() if at != of.start]
    book.subscription(
        of.quantities[of.start], changes=changes, frequency=of.frequency, start=iso(of.start),
        end=iso(of.end) if of.end else None, contract=f"c{number}", subscription=f"s{number}",
        collection="ADVANCE" if of.advance else "ARREARS", is_prorated=of.prorated, bill_immediately=of.at_once,
    )  # fmt: skip
    ordered = sorted(of.prices)
    for position, start in enumerate(ordered):
        rate = f"c{number}/{position}"
        book.add("prices", price_id=rate, rate_type="FLAT", price=text(of.prices[start]))
        book.add(
            "charge_rates", rate_id=rate, rate_card_id=f"c{number}", product_id="seats", starting_at=start,
            ending_before=ordered[position + 1] if position + 1 < len(ordered) else None, entitled=True, price_id=rate,
            **steps(of.frequency),
        )  # fmt: skip


def _recurring(book: Book, number: int, of: reckoning.Recurring) -> None:
    seats: dict[str, Any] = {"subscription_id": f"s{number}", "allocation": "POOLED", "is_prorated": of.prorated_seats}
    invoice = None if of.invoice is None else text(of.invoice)
    book.credit(
        text(of.unit), iso(of.start), iso(of.end) if of.end else None, proration=of.proration, frequency=of.frequency,
        duration=of.duration, quantity=text(of.quantity), invoice=invoice, credit=f"b{number}",
        contract_id=f"c{number}", invoice_contract_id=f"c{number}", **(seats if of.by_seats else {}),
    )  # fmt: skip


def rows(frame: pl.LazyFrame, number: int, *columns: str, key: str = "contract_id") -> Counter[tuple[Any, ...]]:
    mine = frame.filter(pl.col(key) == f"c{number}").select(columns).collect()
    return Counter(mine.rows())


def exact(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(text(value) if isinstance(value, Fraction) else value for value in row)


@THOROUGH
@given(group=GROUPS, since=instants(0, 120), length=st.integers(0, 120))
def test_subscriptions(group: list[Case], since: datetime, length: int) -> None:
    book, horizon = book_of(group), since + timedelta(days=length)
    frames = book.frames()
    periods = charges.subscription_periods(frames, book.spans(iso(since), iso(horizon)), NO_FEES)
    prices = subscription_prices(periods, frames.charge_rates, frames)
    found = charges.subscription_lines(periods, prices, frames, NO_FEES).collect().lazy()
    shown = ("placed_at", "placement", "starting_at", "quantity", "unit_price", "amount")
    for number, case in enumerate(group):
        expected = reckoning.subscription_lines(case.contract, case.subscription, since, horizon)
        assert rows(found, number, *shown) == Counter(map(exact, expected))


@THOROUGH
@given(group=GROUPS, since=instants(0, 120), length=st.integers(0, 120))
def test_recurrences(group: list[Case], since: datetime, length: int) -> None:
    book, horizon = book_of(group), since + timedelta(days=length)
    frames, span = book.frames(), book.spans(iso(since), iso(horizon))
    found = charges.recurrences(frames, span).collect().lazy()
    seats = charges.seat_access(found, frames)
    access = pl.concat([charges.recurring_access(found), seats], how="diagonal").collect()
    assert access.get_column("segment_id").n_unique() == access.height
    bought = charges.purchase_lines(frames, found, span)
    for number, case in enumerate(group):
        balances, purchases = reckoning.balances(case.contract, case.recurring, case.subscription, since, horizon)
        shown = ("starting_at", "ending_before", "grant_type", "amount")
        assert rows(access.lazy(), number, *shown) == Counter(map(exact, balances))
        assert rows(bought, number, "placed_at", "amount") == Counter(map(exact, purchases))


@THOROUGH
@given(group=GROUPS, since=instants(0, 120), length=st.integers(0, 120))
def test_scheduled_charges(group: list[Case], since: datetime, length: int) -> None:
    book, horizon = book_of(group), since + timedelta(days=length)
    found = charges.scheduled_lines(book.frames(), book.spans(iso(since), iso(horizon)))
    for number, case in enumerate(group):
        expected = reckoning.occurrences(case.contract, case.charge, since, horizon)
        assert rows(found, number, "placed_at", "amount") == Counter(map(exact, expected))


PLACES = st.lists(st.tuples(instants(0, 150), st.sampled_from(["AT", "WITHIN", "ON_DATE", "ALONE"])), max_size=8)


@THOROUGH
@given(group=GROUPS, wanted=st.lists(PLACES, min_size=6, max_size=6), since=instants(0, 60), until=instants(61, 150))
def test_placement(
    group: list[Case], wanted: list[list[tuple[datetime, str]]], since: datetime, until: datetime
) -> None:
    book = book_of(group)
    ends = [
        [end for _, end, *_ in reckoning.intervals(one.contract.anchor, one.contract.frequency, one.contract.start,
                                                   one.contract.end, until)]
        for one in group
    ]  # fmt: skip
    asked = [
        (f"c{number}", f"c{number}", at, placement)
        for number, dates in enumerate(ends)
        for at, placement in [*wanted[number], *((end, "AT") for end in dates), *((end, "WITHIN") for end in dates)]
    ]
    schema = {
        "contract_id": pl.String(), "payer_contract_id": pl.String(), "placed_at": TIMESTAMP, "placement": pl.String(),
    }  # fmt: skip
    lines = pl.LazyFrame(asked, schema=schema, orient="row")
    placed = book.placed(lines, book.usage(iso(since), iso(until)))
    scheduled = placed.scheduled.select("invoice_id", charged_at="charged_at")
    found = placed.charges.join(scheduled, on="invoice_id", how="left").collect()
    assert found.height == len(asked)
    for name, _, at, placement in asked:
        case = group[int(name[1:])]
        expected = reckoning.usage_invoice(case.contract, at, placement, since, until)
        mine = found.filter(contract_id=name, placed_at=at, placement=placement)
        got = mine.select("period_start", "period_end", "charged_at").unique().rows()
        assert got == [(*expected, None) if expected else (None, None, at)]
