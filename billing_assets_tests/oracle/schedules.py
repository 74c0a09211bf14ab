"""What is charged at an instant: purchases of commits, scheduled charges, subscriptions (cases 11, 34 to 37)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from .balances import HOUR, boundary, index_at, recurrences, recurring_terms, span, windows, worth
from .exact import MINOR_DIGITS, exact, half_away, round12
from .ingest import instant
from .terms import Obj, Period, anchor_of, covers, override_matches, winner


@dataclass(frozen=True)
class Due:
    """One charge. `rule` says how it finds its invoice: SCHEDULE, INSTANT (ends at it) or CONTAINS (start, end]."""

    line_type: str
    product_id: str
    at: datetime
    rule: str
    quantity: Fraction
    unit_price: Fraction
    start: datetime
    end: datetime | None = None


def flat(line_type: str, product_id: str, at: datetime, amount: Fraction) -> Due:
    """A line of quantity 1; case 74."""
    return Due(line_type, product_id, at, "SCHEDULE", Fraction(1), amount, at)


def purchases(contract: Obj, customer: Obj, contracts: list[Obj], until: datetime) -> Iterator[Due]:
    """What commits cost: prepaid ones by their schedule, recurring ones at each start; cases 37 and 58."""
    shared = [
        one
        for one in customer.get("commits") or []
        if (one.get("invoice_contract_id") or (one.get("applicable_contract_ids") or [contracts[0]["id"]])[0])
        == contract["id"]
    ]
    for term in [*(contract.get("commits") or []), *shared]:
        for one in (term.get("invoice_schedule") or []) if term["type"] == "PREPAID" else []:
            yield flat("commit_purchase", term["product_id"], instant(one["timestamp"]), worth(one))
    for kind, term in recurring_terms(contract):
        if kind == "CREDIT" or "invoice_amount" not in term:
            continue
        price = term["invoice_amount"]
        for one in recurrences(contract, term, until):
            amount = round12(exact(price["unit_price"]) * exact(price["quantity"]) * one.share)
            yield flat("commit_purchase", term["product_id"], one.start, amount)


def scheduled(contract: Obj, currency: str) -> Iterator[Due]:
    """Explicit items, and recurring charges whole or divided, the last taking the rest; case 36."""
    for term in contract.get("scheduled_charges") or []:
        for one in term["schedule"].get("schedule_items") or []:
            yield flat("scheduled", term["product_id"], instant(one["timestamp"]), worth(one))
        recurring = term["schedule"].get("recurring_schedule")
        if recurring:
            yield from repeated(contract, term, recurring, currency)


def repeated(contract: Obj, term: Obj, recurring: Obj, currency: str) -> Iterator[Due]:
    """Occurrences at starting_at + k x frequency before its own end or the contract's."""
    start = instant(recurring["starting_at"])
    ends = [instant(one["ending_before"]) for one in (recurring, contract) if one.get("ending_before")]
    horizon = min(ends) if ends else datetime(2027, 1, 1, tzinfo=start.tzinfo)
    times, k = [], 0
    while boundary(start, recurring["frequency"], k) < horizon:
        times.append(boundary(start, recurring["frequency"], k))
        k += 1
    whole, kind = worth(recurring), recurring.get("amount_distribution") or "EACH"
    places = MINOR_DIGITS.get(currency, 2)
    share = whole
    if kind != "EACH" and times:
        share = whole / len(times)
        share = round12(share) if kind == "DIVIDED" else half_away(share, places)
    for number, at in enumerate(times):
        rest = kind != "EACH" and number == len(times) - 1
        yield flat("scheduled", term["product_id"], at, whole - share * number if rest else share)


def quantity_at(subscription: Obj, at: datetime) -> Fraction:
    """The quantity after all updates up to and including an instant; never below 0; case 34."""
    quantity = exact(subscription["initial_quantity"])
    for one in sorted(subscription.get("quantity_updates") or [], key=lambda one: instant(one["starting_at"])):
        if instant(one["starting_at"]) <= at:
            quantity = exact(one["quantity"]) if "quantity" in one else quantity + exact(one["quantity_delta"])
            quantity = max(quantity, Fraction(0))
    return quantity


def seat_price(contract: Obj, card: Obj, product: Obj, frequency: str, at: datetime) -> Fraction | None:
    """The price of a seat at the period's start, None where it is not entitled; section 4, cases 22 and 23."""
    rows = [
        dict(one)
        for one in card["rates"]
        if one["product_id"] == product["id"] and one.get("billing_frequency") == frequency
    ]
    rows.sort(key=lambda one: instant(one["starting_at"]))
    rate = [one for one in rows if instant(one["starting_at"]) <= at][-1]
    live = [
        one
        for one in enumerate(contract.get("overrides") or [])
        if override_matches(one[1], product, {}, {}) and covers(one[1], at) and not one[1].get("is_commit_specific")
    ]
    stated = [one["entitled"] for _, one in live if one.get("entitled") is not None]
    if not (stated[-1] if stated else rate.get("entitled") is not False):
        return None
    _, override = winner(contract, live)
    if override and override["type"] == "OVERWRITE":
        return exact(override["overwrite_rate"]["price"])
    return exact(rate["price"]) if not override else round12(exact(rate["price"]) * exact(override["multiplier"]))


def subscribed(contract: Obj, card: Obj, products: dict[str, Obj], until: datetime) -> Iterator[Due]:
    """The first line of each period and its increases, in advance or in arrears; cases 11 and 34."""
    for subscription in contract.get("subscriptions") or []:
        frequency, product = subscription["billing_frequency"], products[subscription["product_id"]]
        start, end = span(subscription, contract)
        for period in windows(anchor_of(contract)[1], frequency, start, end, until):
            price = seat_price(contract, card, product, frequency, period.start)
            if price is not None:
                yield from period_lines(subscription, period, price)


def period_lines(subscription: Obj, period: Period, price: Fraction) -> Iterator[Due]:
    """The period's first quantity, then each increase over the highest billed; case 34."""
    proration = subscription.get("proration") or {}
    arrears = subscription.get("collection_schedule") == "ARREARS"
    later = proration.get("invoice_behavior") == "BILL_ON_NEXT_COLLECTION_DATE"
    turns = sorted({instant(one["starting_at"]) for one in subscription.get("quantity_updates") or []})
    highest = Fraction(0)
    for at in [period.start, *(one for one in turns if period.start < one < period.end)]:
        quantity = quantity_at(subscription, at)
        if quantity <= highest:
            continue
        full = Fraction((period.full_end - period.full_start) // HOUR)
        hours = Fraction((period.end - at) // HOUR)
        unit = round12(price * hours / full) if proration.get("is_prorated") else price
        placed, rule = (period.end, "CONTAINS") if arrears else (at, "INSTANT")
        if not arrears and at > period.start and later:
            placed = period.end
        yield Due(
            "subscription", subscription["product_id"], placed, rule, quantity - highest, unit, at, period.end
        )  # fmt: skip
        highest = quantity


__all__ = ["Due", "index_at", "purchases", "scheduled", "subscribed"]
