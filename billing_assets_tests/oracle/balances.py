"""What contracts may draw on: every access segment, with its place in the order (cases 12, 37, 44, 46, 57)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from .exact import exact, round12
from .ingest import instant
from .terms import MONTHS, Obj, Period, Values, anchor_of, map_text, months_later

HOUR = timedelta(hours=1)
FAR = datetime.max.replace(tzinfo=instant("2026-01-01").tzinfo)
RANKS = {"PREPAID": 1, "CREDIT": 1, "POSTPAID": 2}


@dataclass
class Balance:
    """One access segment. `left` falls as it is drawn by `contracts`; `order` is its place in the queue."""

    balance_id: str
    segment_id: str
    kind: str
    terms: Obj
    contracts: tuple[str, ...]
    unit: str
    start: datetime
    end: datetime | None
    granted: Fraction
    left: Fraction
    order: tuple[Any, ...]
    after: datetime | None = None  # of what rolled over: the old contract's end

    @property
    def shared(self) -> bool:
        """Whether it is the customer's, and not a contract's."""
        return bool(self.order[8])

    def applies(self, product: Obj, pricing: Values, presentation: Values) -> bool:
        """Whether it may pay for a product and its group values; semantics.md section 5, case 59."""
        if self.terms.get("applicable_product_ids"):
            return product["id"] in self.terms["applicable_product_ids"]
        if self.terms.get("applicable_product_tags"):
            return bool(set(self.terms["applicable_product_tags"]) & set(product.get("tags") or []))
        named = self.terms.get("specifiers") or []
        if not named:
            return True
        hits = [one for one in named if specifies(one, product, pricing, presentation)]
        return bool(hits) and not any(one.get("exclude") for one in hits)

    def contains(self, start: datetime, end: datetime) -> bool:
        """Whether hours lie inside the access; case 0.2."""
        return self.start <= start and (self.end is None or end <= self.end)


def specifies(one: Obj, product: Obj, pricing: Values, presentation: Values) -> bool:
    """All written fields of a specifier match."""
    return (
        one.get("product_id") in (None, product["id"])
        and set(one.get("product_tags") or []) <= set(product.get("tags") or [])
        and map_text(one.get("pricing_group_values")).items() <= dict(pricing).items()
        and map_text(one.get("presentation_group_values")).items() <= dict(presentation).items()
    )


def boundary(anchor: datetime, frequency: str, k: int) -> datetime:
    """The k-th boundary, counted from the anchor; case 15."""
    return anchor + k * timedelta(days=7) if frequency == "WEEKLY" else months_later(anchor, k * MONTHS[frequency])


def index_at(anchor: datetime, frequency: str, at: datetime) -> int:
    """The k whose period contains an instant."""
    k = 0
    while boundary(anchor, frequency, k) > at:
        k -= 1
    while boundary(anchor, frequency, k + 1) <= at:
        k += 1
    return k


def windows(anchor: datetime, frequency: str, start: datetime, end: datetime | None, until: datetime) -> list[Period]:
    """The anchored periods of a frequency that begin at or before `until`, cut to [start, end); case 15."""
    k, found = index_at(anchor, frequency, start), []
    while (low := max(boundary(anchor, frequency, k), start)) <= until and (end is None or low < end):
        full_start, full_end = boundary(anchor, frequency, k), boundary(anchor, frequency, k + 1)
        found.append(Period(low, full_end if end is None else min(full_end, end), full_start, full_end))
        k += 1
    return found


def span(term: Obj, contract: Obj) -> tuple[datetime, datetime | None]:
    """A term's own dates, inside those of its contract."""
    start = max(instant(term.get("starting_at") or contract["starting_at"]), instant(contract["starting_at"]))
    ends = [instant(one["ending_before"]) for one in (term, contract) if one.get("ending_before")]
    return start, min(ends) if ends else None


def part(period: Period, first: bool, last: bool) -> Fraction:
    """1 - hours cut at the head / full - hours cut at the tail / full; case 12."""
    full = Fraction((period.full_end - period.full_start) // HOUR)
    head = Fraction((period.start - period.full_start) // HOUR) if first else Fraction(0)
    tail = Fraction((period.full_end - period.end) // HOUR) if last else Fraction(0)
    return 1 - head / full - tail / full


@dataclass(frozen=True)
class Recurrence:
    """One recurrence of a recurring commit or credit: when it can be drawn, and which part of a full one it is."""

    balance_id: str
    start: datetime
    end: datetime | None
    share: Fraction


def recurrences(contract: Obj, term: Obj, until: datetime) -> list[Recurrence]:
    """Every recurrence that begins at or before `until`; cases 12 and 37."""
    start, end = span(term, contract)
    own = term.get("recurrence_frequency")
    frequency, anchor = (own, start) if own else anchor_of(contract)
    proration, found = term.get("proration") or "FIRST_AND_LAST", []
    duration = int((term.get("commit_duration") or {}).get("value", 1))
    for index, period in enumerate(windows(anchor, frequency, start, end, until)):
        first = index == 0 and proration in ("FIRST", "FIRST_AND_LAST")
        last = period.end < period.full_end and proration in ("LAST", "FIRST_AND_LAST")
        closing = boundary(anchor, frequency, index_at(anchor, frequency, period.start) + duration)
        if contract.get("ending_before"):
            closing = min(closing, instant(contract["ending_before"]))
        at = period.start.strftime("%Y-%m-%d" if period.start.hour == 0 else "%Y-%m-%dT%H")
        found.append(Recurrence(f"{term['id']}@{at}", period.start, closing, part(period, first, last)))
    return found


def worth(amount: Obj) -> Fraction:
    """unit_price x quantity, or an amount as it is written."""
    return (
        exact(amount["amount"])
        if "amount" in amount
        else round12(exact(amount["unit_price"]) * exact(amount["quantity"]))
    )


class Terms:
    """A customer's commits and credits, with the cards that count their products."""

    def __init__(self, catalog: Obj, customer: Obj, contracts: list[Obj], cards: Mapping[str, Obj]):
        self.catalog, self.customer, self.contracts, self.cards = catalog, customer, contracts, cards
        self.products = {one["id"]: one for one in catalog.get("products") or []}

    def counts(self, term: Obj, contracts: tuple[str, ...]) -> tuple[float, int]:
        """Distinct products that it names (none: infinite), and specifiers of group values only; cases 44 and 0.10."""
        sold = {rate["product_id"] for one in contracts for rate in self.cards[one].get("rates") or []}
        named = set(term.get("applicable_product_ids") or [])
        wide = 0
        tagged = [set(term["applicable_product_tags"])] if term.get("applicable_product_tags") else []
        named |= {one for one in sold for tags in tagged if tags & set(self.products[one].get("tags") or [])}
        for one in term.get("specifiers") or []:
            if one.get("exclude"):
                continue
            if one.get("product_id"):
                named.add(one["product_id"])
            elif one.get("product_tags"):
                wanted = set(one["product_tags"])
                named |= {product for product in sold if wanted <= set(self.products[product].get("tags") or [])}
            else:
                wide += 1
        return (len(named) if named else float("inf"), wide)

    def order(
        self, term: Obj, kind: str, paid: bool, start: datetime, end: datetime | None,
        contracts: tuple[str, ...], level: int, place: tuple[int, ...], balance_id: str, item: int,
        rolled: bool = False,
    ) -> tuple[Any, ...]:  # fmt: skip
        """The place in the drawdown order; semantics.md section 5."""
        products, wide = self.counts(term, contracts)
        rank = 0 if rolled else RANKS[kind]
        priority = exact(term.get("priority", 100))
        return (
            rank, priority, paid, products, wide, end or FAR, start, len(contracts), level, place, balance_id, item
        )  # fmt: skip

    def explicit(self) -> Iterator[Balance]:
        """The segments of commits and credits with an access schedule, of the contracts and of the customer."""
        everybody = tuple(one["id"] for one in self.contracts)
        for level, owner in enumerate([*self.contracts, self.customer]):
            shared = level == len(self.contracts)
            for number, (kind, term) in enumerate(listed(owner)):
                contracts = tuple(term.get("applicable_contract_ids") or everybody) if shared else (owner["id"],)
                unit = self.cards[contracts[0]]["currency"]
                paid = (
                    kind != "CREDIT"
                    and sum((worth(one) for one in term.get("invoice_schedule") or []), Fraction(0)) > 0
                )
                for item, access in enumerate(term["access_schedule"], 1):
                    start = instant(access["starting_at"])
                    end = instant(access["ending_before"]) if access.get("ending_before") else None
                    place = self.order(term, kind, paid, start, end, contracts, shared, (number,), term["id"], item)
                    amount = exact(access["amount"])
                    about = (term["id"], f"{term['id']}/{item}", kind, term, contracts, unit, start, end)
                    yield Balance(*about, amount, amount, place)

    def recurring(self, until: Mapping[str, datetime]) -> Iterator[Balance]:
        """A segment per recurrence, up to and including each contract's horizon; cases 0.9, 12 and 37."""
        for contract in self.contracts:
            before = len(list(listed(contract)))
            for number, (kind, term) in enumerate(recurring_terms(contract), before):
                amount = term["access_amount"]
                paid = "invoice_amount" in term and worth(term["invoice_amount"]) > 0
                for one in recurrences(contract, term, until[contract["id"]]):
                    granted = round12(exact(amount["unit_price"]) * exact(amount["quantity"]) * one.share)
                    contracts = (contract["id"],)
                    place = self.order(
                        term, kind, paid, one.start, one.end, contracts, 0, (number,), one.balance_id, 1
                    )  # fmt: skip
                    about = (one.balance_id, f"{one.balance_id}/1", kind, term, contracts)
                    unit = self.cards[contract["id"]]["currency"]
                    yield Balance(*about, unit, one.start, one.end, granted, granted, place)

    def rolled(self, old: Balance, to: Obj, amount: Fraction) -> Balance:
        """What a renewal takes over; cases 19 and 48."""
        end = instant(to["ending_before"]) if to.get("ending_before") else None
        start = instant(to["starting_at"])
        balance_id, contracts = f"{old.segment_id}@{to['id']}", (to["id"],)
        paid = bool(old.order[2])
        order = self.order(old.terms, old.kind, paid, start, end, contracts, 0, old.order[9], balance_id, 1, True)
        return Balance(
            balance_id, f"{balance_id}/1", old.kind, old.terms, contracts, old.unit, start, end, amount, amount, order
        )


def listed(owner: Obj) -> Iterator[tuple[str, Obj]]:
    """Commits, then credits, of a contract or customer."""
    yield from ((one["type"], one) for one in owner.get("commits") or [])
    yield from (("CREDIT", one) for one in owner.get("credits") or [])


def recurring_terms(contract: Obj) -> Iterator[tuple[str, Obj]]:
    """Recurring commits, then credits."""
    yield from (("PREPAID", one) for one in contract.get("recurring_commits") or [])
    yield from (("CREDIT", one) for one in contract.get("recurring_credits") or [])
