"""The same charges by plain counting: one contract at a time, in exact fractions, sharing nothing with the engine."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

HOUR = timedelta(hours=1)
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}
E12 = 10**12


def round12(value: Fraction) -> Fraction:
    return Fraction(round(value * E12), E12)


def step(anchor: datetime, frequency: str, count: int) -> datetime:
    if frequency == "WEEKLY":
        return anchor + timedelta(days=7 * count)
    month = anchor.year * 12 + anchor.month - 1 + count * MONTHS[frequency]
    year, month = divmod(month, 12)
    day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day)


def hours(start: datetime, end: datetime) -> int:
    return (end - start) // HOUR


def earliest(*instants: datetime | None) -> datetime | None:
    known = [one for one in instants if one is not None]
    return min(known) if known else None


def intervals(anchor: datetime, frequency: str, start: datetime, end: datetime | None, until: datetime
              ) -> Iterator[tuple[datetime, datetime, datetime, datetime, int]]:  # fmt: skip
    """(cut start, cut end, full start, full end, number) of the steps from `anchor` that meet [start, end) by until."""
    number = -200
    while (full_start := step(anchor, frequency, number)) <= until:
        full_end = step(anchor, frequency, number + 1)
        cut_start, cut_end = max(full_start, start), min(full_end, end or full_end)
        if cut_start < cut_end:
            yield cut_start, cut_end, full_start, full_end, number
        number += 1


@dataclass(frozen=True)
class Contract:
    start: datetime
    end: datetime | None
    frequency: str
    anchor: datetime
    beside_usage: bool


@dataclass(frozen=True)
class Subscription:
    start: datetime
    end: datetime | None
    frequency: str
    quantities: dict[datetime, int]
    prices: dict[datetime, Fraction]
    """From then on; of the frequency of the subscription."""
    advance: bool
    prorated: bool
    at_once: bool

    def quantity(self, at: datetime) -> int:
        return next((self.quantities[since] for since in sorted(self.quantities, reverse=True) if since <= at), 0)

    def steps(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
        """(instant, seats that it adds) of a span: hour by hour, over the highest number so far."""
        highest = 0
        for at in sorted({start, *(since for since in self.quantities if start < since < end)}):
            if self.quantity(at) > highest:
                yield at, self.quantity(at) - highest
                highest = self.quantity(at)

    def price(self, at: datetime) -> Fraction | None:
        return next((self.prices[since] for since in sorted(self.prices, reverse=True) if since <= at), None)


Line = tuple[datetime, str, datetime, Fraction, Fraction, Fraction]
"""placed at, placement, starting at, quantity, unit price, amount."""


def subscription_lines(contract: Contract, of: Subscription, since: datetime, horizon: datetime) -> Iterator[Line]:
    end = earliest(of.end, contract.end)
    for start, stop, full_start, full_end, _ in intervals(contract.anchor, of.frequency, of.start, end, horizon):
        price = of.price(start)
        for at, seats in of.steps(start, stop) if price is not None else ():
            each = price
            if of.prorated:
                each = round12(price * hours(at, stop) / hours(full_start, full_end))
            now = of.advance and (at == start or of.at_once)
            placed = at if now else stop
            if since <= placed <= horizon:
                yield placed, "AT" if of.advance else "WITHIN", at, Fraction(seats), each, round12(seats * each)


@dataclass(frozen=True)
class Recurring:
    start: datetime
    end: datetime | None
    frequency: str | None
    proration: str
    duration: int
    unit: Fraction
    quantity: Fraction
    invoice: Fraction | None
    by_seats: bool
    prorated_seats: bool


Balance = tuple[datetime, datetime, str, Fraction]
"""starting at, ending before, granted as, amount."""


def balances(contract: Contract, of: Recurring, subscription: Subscription, since: datetime, horizon: datetime
             ) -> tuple[list[Balance], list[tuple[datetime, Fraction]]]:  # fmt: skip
    """Balances and purchases."""
    start = max(of.start, contract.start)
    anchor, frequency = (start, of.frequency) if of.frequency else (contract.anchor, contract.frequency)
    found: list[Balance] = []
    bought: list[tuple[datetime, Fraction]] = []
    for cut, stop, full_start, full_end, number in intervals(anchor, frequency, start, earliest(of.end, contract.end),
                                                             horizon):  # fmt: skip
        access_end = earliest(step(anchor, frequency, number + of.duration), contract.end)
        assert access_end is not None
        whole = hours(full_start, full_end)
        head = hours(full_start, cut) if "FIRST" in of.proration else 0
        tail = hours(stop, full_end) if "LAST" in of.proration else 0
        if cut > horizon or (access_end < since and cut < since):
            continue
        if of.invoice is not None and since <= cut <= horizon:
            bought.append((cut, round12(of.invoice * (whole - head - tail) / whole)))
        if not of.by_seats:
            grant = round12(round12(of.unit * of.quantity) * (whole - head - tail) / whole)
            found.append((cut, access_end, "GRANT", grant))
            continue
        for at, seats in subscription.steps(cut, stop):
            if at > horizon or (subscription.end is not None and (at >= subscription.end)):
                continue
            part = Fraction(whole - head - tail, whole)
            if at > cut:
                part = Fraction(hours(at, full_end) - tail, whole) if of.prorated_seats else Fraction(1)
            kind = "GRANT" if at == cut else "SEAT_ADJUSTMENT"
            found.append((at, access_end, kind, round12(of.unit * seats * part)))
    return [one for one in found if one[3]], [one for one in bought if one[1]]


@dataclass(frozen=True)
class Charge:
    start: datetime
    end: datetime | None
    frequency: str
    distribution: str
    amount: Fraction


def minor(value: Fraction) -> Fraction:
    """Half away from zero, to cents."""
    cents = (abs(value) * 100 * 2 + 1) // 2
    return Fraction(cents, 100) * (1 if value >= 0 else -1)


def occurrences(contract: Contract, of: Charge, since: datetime, horizon: datetime) -> list[tuple[datetime, Fraction]]:
    end = earliest(of.end, contract.end)
    until = end if of.distribution != "EACH" and end is not None else horizon
    dates = [cut for cut, *_ in intervals(of.start, of.frequency, of.start, end, until)]
    amounts = [of.amount] * len(dates)
    if of.distribution != "EACH" and dates:
        each = round12(of.amount / len(dates)) if of.distribution == "DIVIDED" else minor(of.amount / len(dates))
        amounts = [each] * (len(dates) - 1) + [of.amount - each * (len(dates) - 1)]
    return [(at, amount) for at, amount in zip(dates, amounts, strict=True) if since <= at <= horizon]


def usage_invoice(contract: Contract, at: datetime, placement: str, since: datetime, until: datetime
                  ) -> tuple[datetime, datetime] | None:  # fmt: skip
    """The usage period of which the invoice takes the charge; those that end in (since, until] are open."""
    spans = intervals(contract.anchor, contract.frequency, contract.start, contract.end, until)
    for start, end in sorted((start, end) for start, end, *_ in spans if since < end <= until):
        match placement:
            case "AT" if end == at:
                return start, end
            case "WITHIN" if start < at <= end:
                return start, end
            case "ON_DATE" if end.date() == at.date():
                return start, end
    return None
