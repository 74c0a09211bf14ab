"""Contracts with a subscription, recurring balances and scheduled charges, by Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import strategies as st

from billing_assets_tests.charges.reckoning import Charge, Contract, Recurring, Subscription

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
FREQUENCIES = ("WEEKLY", "MONTHLY", "QUARTERLY", "SEMI_ANNUAL", "ANNUAL")
AMOUNTS = tuple(Fraction(text) for text in ("20", "0.01", "9.99", "0.000000000007", "1234567.891", "-3.5", "100"))
DAY = timedelta(days=1)


def instants(earliest: int, latest: int) -> st.SearchStrategy[datetime]:
    """Whole hours by their distance from the new year in days; often midnight, often an end of a month."""
    days = st.one_of(st.integers(earliest, latest), st.sampled_from([earliest, latest, 30, 31, 58, 59, 89, 90, 119]))
    return st.builds(
        lambda day, hour: NEW_YEAR + timedelta(days=max(earliest, min(latest, day)), hours=hour),
        days,
        st.sampled_from([0, 0, 0, 7, 13]),
    )


@dataclass(frozen=True)
class Case:
    contract: Contract
    subscription: Subscription
    recurring: Recurring
    charge: Charge


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    start = draw(instants(0, 60))
    length = draw(st.sampled_from([None, None, 1, 10, 31, 45, 59, 90, 120, 200]))
    end = None if length is None else start + length * DAY
    anchor = draw(st.sampled_from([start.replace(day=1, hour=0), start, start - 17 * DAY, start + 9 * DAY]))
    return Contract(start, end, draw(st.sampled_from(FREQUENCIES)), anchor, draw(st.booleans()))


@st.composite
def spans(draw: st.DrawFn, contract: Contract, earliest: int = 0) -> tuple[datetime, datetime | None]:
    """A start from `earliest` days after the contract's on, and an end, both inside the contract if it ends."""
    last = contract.end or contract.start + 200 * DAY
    start = min(contract.start + draw(st.integers(earliest, 70)) * DAY, last - timedelta(hours=1))
    end = draw(st.sampled_from([None, None, 1, 20, 31, 75]))
    return start, None if end is None else min(start + end * DAY, last)


@st.composite
def subscriptions(draw: st.DrawFn, contract: Contract) -> Subscription:
    start, end = draw(spans(contract))
    counts = st.integers(0, 6)
    changes = {start + draw(st.integers(0, 24 * 90)) * timedelta(hours=1): draw(counts) for _ in range(draw(counts))}
    prices = {NEW_YEAR - 400 * DAY: draw(st.sampled_from(AMOUNTS))}
    if draw(st.booleans()):
        prices[draw(instants(0, 90))] = draw(st.sampled_from(AMOUNTS))
    if draw(st.sampled_from([False, False, False, True])):
        del prices[NEW_YEAR - 400 * DAY]
    flags = [draw(st.booleans()) for _ in range(3)]
    frequency = draw(st.sampled_from(FREQUENCIES))
    return Subscription(start, end, frequency, {start: draw(counts)} | changes, prices, *flags)


@st.composite
def recurrings(draw: st.DrawFn, contract: Contract) -> Recurring:
    start, end = draw(spans(contract, -40))
    if end is not None and end <= contract.start:
        end = None
    return Recurring(
        start,
        end,
        draw(st.sampled_from([None, None, *FREQUENCIES])),
        draw(st.sampled_from(["NONE", "FIRST", "LAST", "FIRST_AND_LAST"])),
        draw(st.integers(1, 3)),
        draw(st.sampled_from(AMOUNTS)),
        draw(st.sampled_from([Fraction(1), Fraction("0.5"), Fraction(3)])),
        draw(st.sampled_from([None, *AMOUNTS])),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@st.composite
def scheduled(draw: st.DrawFn, contract: Contract) -> Charge:
    start, end = draw(spans(contract))
    kinds = ["EACH"] if (end or contract.end) is None else ["EACH", "DIVIDED", "DIVIDED_ROUNDED"]
    frequency, amount = draw(st.sampled_from(FREQUENCIES)), draw(st.sampled_from(AMOUNTS))
    return Charge(start, end, frequency, draw(st.sampled_from(kinds)), amount)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    contract = draw(contracts())
    return Case(contract, draw(subscriptions(contract)), draw(recurrings(contract)), draw(scheduled(contract)))
