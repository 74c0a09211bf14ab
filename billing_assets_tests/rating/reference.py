"""Rating one contract hour by hour in plain Decimal: slow, direct, and sharing nothing with the engine.

It reads the rows of a `Book` and one group's usage, and gives the lines as tuples
(starting_at, ending_before, tier_level, is_fee, quantity, unit_price, amount).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Any

from billing_assets_tests.rating.book import Book, Usage

WIDE = Context(prec=90)
ZERO, ONE = Decimal(0), Decimal(1)
HOUR = timedelta(hours=1)
Row = dict[str, Any]
Line = tuple[datetime, datetime, int | None, bool, Decimal, Decimal, Decimal]


def round12(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1e-12"), ROUND_HALF_EVEN, WIDE)


def times(left: Decimal, right: Decimal) -> Decimal:
    return round12(WIDE.multiply(left, right))


def active(row: Row, at: datetime) -> bool:
    return row["starting_at"] <= at and (row["ending_before"] is None or at < row["ending_before"])


@dataclass
class Span:
    """A segment: who priced it, and the running quantity at its ends."""

    start: datetime
    end: datetime
    status: str
    rate: Row | None
    override: Row | None
    before: Decimal = ZERO
    after: Decimal = ZERO
    events_before: int = 0
    events_after: int = 0
    used: Decimal = ZERO


def decide(book: Book, contract: Row, at: datetime) -> tuple[str, Row | None, Row | None]:
    rate = next((row for row in book.rows["rates"]
                 if row["rate_card_id"] == contract["rate_card_id"] and active(row, at)), None)  # fmt: skip
    mine = [row for row in book.rows["overrides"] if row["contract_id"] == contract["contract_id"] and active(row, at)]
    overwrites = [row for row in mine if row["override_type"] == "OVERWRITE"]
    multipliers = [row for row in mine if row["override_type"] in ("MULTIPLIER", "TIERED")]
    winner = None
    if overwrites:
        winner = overwrites[-1]
    elif multipliers and contract["multiplier_override_prioritization"] == "EXPLICIT":
        best = min(row["priority"] for row in multipliers)
        winner = [row for row in multipliers if row["priority"] == best][-1]
    elif multipliers:
        winner = min(multipliers, key=lambda row: row["multiplier"])
    stated = [row["entitled"] for row in mine if row["entitled"] is not None]
    entitled = stated[-1] if stated else rate["entitled"] if rate else True
    if not entitled:
        return "not_entitled", None, None
    if rate is None and not overwrites:
        return "unrated", None, None
    return "rated", rate, winner


def spans(book: Book, contract: Row, usage: list[Usage]) -> list[Span]:
    found: list[Span] = []
    at, running, events = contract["period_start"], ZERO, 0
    while at < contract["period_end"]:
        status, rate, winner = decide(book, contract, at)
        if not found or (found[-1].status, found[-1].rate, found[-1].override) != (status, rate, winner):
            found.append(Span(at, at, status, rate, winner, running, running, events, events))
        hour = [one for one in usage if at <= one.at < at + HOUR]
        found[-1].used += sum((one.quantity for one in hour), ZERO)
        if status == "rated":
            running += sum((one.quantity for one in hour), ZERO)
            events += sum(one.events for one in hour)
        found[-1].end, found[-1].after, found[-1].events_after = at + HOUR, running, events
        at += HOUR
    return found


def price_of(book: Book, span: Span) -> tuple[Row, list[Row]]:
    overwrites = span.override is not None and span.override["override_type"] == "OVERWRITE"
    price_id = span.override["override_id"] if overwrites and span.override else (span.rate or {})["price_id"]
    price = next(row for row in book.rows["prices"] if row["price_id"] == price_id)
    return price, [row for row in book.rows["price_tiers"] if row["price_id"] == price_id]


def multiplier_at(book: Book, span: Span, quantity: Decimal) -> Decimal:
    """The multiplier for the next small bit above `quantity`."""
    override = span.override
    if override is None or override["override_type"] == "OVERWRITE":
        return ONE
    if override["override_type"] == "MULTIPLIER":
        return Decimal(override["multiplier"])
    for row in book.rows["override_tiers"]:
        if row["override_id"] == override["override_id"] and (
            row["range_upper"] is None or quantity < row["range_upper"]
        ):
            return Decimal(row["multiplier"])
    return ONE


def stops(book: Book, span: Span, tiers: list[Row]) -> list[Decimal]:
    """Every bound of tiers and ranges, where the price of the next bit may change."""
    ranges = [
        row for row in book.rows["override_tiers"]
        if span.override is not None and row["override_id"] == span.override["override_id"]
    ]  # fmt: skip
    return sorted(({row["tier_upper"] for row in tiers} | {row["range_upper"] for row in ranges}) - {None})


def pieces(low: Decimal, high: Decimal, bounds: list[Decimal]) -> Iterator[tuple[Decimal, Decimal]]:
    edges = [low, *(bound for bound in bounds if low < bound < high), high]
    yield from pairwise(edges)


def tier_holding(tiers: list[Row], quantity: Decimal) -> Row | None:
    """The tier (lower, upper] of a quantity; the first one for what is not above 0."""
    return next((row for row in tiers if row["tier_upper"] is None or quantity <= row["tier_upper"]), None)


def quantities(price: Row, low: Decimal, high: Decimal) -> Decimal:
    """How many units the price charges between two running quantities."""
    match price["rate_type"]:
        case "PACKAGE":
            free, size = price["free_units"] or ZERO, price["package_size"]
            begun = [max(0, math.ceil(WIDE.divide(at - free, size))) for at in (low, high)]
            return Decimal(begun[1] - begun[0])
        case "PERCENTAGE" if price["free_amount"] is not None:
            return max(ZERO, high - price["free_amount"]) - max(ZERO, low - price["free_amount"])
        case _:
            return high - low


def span_lines(book: Book, span: Span, total: Decimal, opens: bool) -> list[Line]:
    price, tiers = price_of(book, span)
    graduated = price["rate_type"] in ("TIERED", "TIERED_PERCENTAGE")
    chosen = tier_holding(tiers, total) if price["rate_type"] == "VOLUME" else None
    sign = 1 if span.after >= span.before else -1
    low, high = min(span.before, span.after), max(span.before, span.after)
    sums: dict[tuple[int | None, Decimal], Decimal] = {}
    for start, end in pieces(low, high, stops(book, span, tiers)):
        tier = tier_holding(tiers, end) if graduated else chosen
        if tiers and tier is None:
            continue
        unit = times(tier["price"] if tier else price["price"], multiplier_at(book, span, start))
        key = (tier["tier_level"] if tier else None, unit)
        sums[key] = sums.get(key, ZERO) + sign * quantities(price, start, end)
    shown = {key: quantity for key, quantity in sums.items() if quantity != 0}
    lines = [(level, False, quantity, unit) for (level, unit), quantity in shown.items()]
    if not lines and not (price["rate_type"] == "VOLUME" and chosen is None):
        first = tiers[0] if graduated else chosen
        least = times(first["price"] if first else price["price"], multiplier_at(book, span, Decimal(-(10**9))))
        lines = [(first["tier_level"] if first else None, False, ZERO, least)]
    return [
        (span.start, span.end, level, is_fee, quantity, unit, times(quantity, unit))
        for level, is_fee, quantity, unit in lines + fees(book, span, total, opens)
    ]


def fees(book: Book, span: Span, total: Decimal, opens: bool) -> list[tuple[int | None, bool, Decimal, Decimal]]:
    price, tiers = price_of(book, span)
    made: list[tuple[int | None, bool, Decimal, Decimal]] = []

    def add(tier: Row, quantity: int) -> None:
        if quantity and tier["flat_fee"] is not None:
            factor = multiplier_at(book, span, tier["tier_lower"] or ZERO)
            made.append((tier["tier_level"], True, Decimal(quantity), times(tier["flat_fee"], factor)))

    if price["rate_type"] in ("TIERED", "TIERED_PERCENTAGE"):
        if opens:
            add(tiers[0], 1)
        for tier in tiers[1:]:
            add(tier, int(span.before <= tier["tier_lower"] < span.after))
            add(tier, -int(span.after <= tier["tier_lower"] < span.before))
    chosen = tier_holding(tiers, total)
    if price["rate_type"] == "VOLUME" and opens and chosen and total >= 0:
        add(chosen, 1)
    if price["fixed_fee"] is not None:
        free = price["free_events"] or 0
        charged = max(0, span.events_after - free) - max(0, span.events_before - free)
        ranged = span.override is not None and span.override["override_type"] == "TIERED"
        factor = ONE if ranged else multiplier_at(book, span, ZERO)
        if charged:
            made.append((None, True, Decimal(charged), times(price["fixed_fee"], factor)))
    return made


def reference_lines(book: Book, contract: Row, usage: list[Usage], *, always_shown: bool) -> list[Line]:
    rated = [span for span in spans(book, contract, usage) if span.status == "rated"]
    total = rated[-1].after if rated else ZERO
    shown = [span for span in rated if always_shown or span.events_after > span.events_before]
    return [line for span in shown for line in span_lines(book, span, total, span is shown[0])]


def reference_holds(book: Book, contract: Row, usage: list[Usage]) -> list[tuple[datetime, datetime, Decimal]]:
    """Spans without a rate whose usage does not net to 0."""
    return [
        (span.start, span.end, span.used)
        for span in spans(book, contract, usage) if span.status == "unrated" and span.used != 0
    ]  # fmt: skip
