"""Commits, credits, subscriptions and scheduled charges of a customer: invoices, lines and ledger, draw by draw.

An independent reading of docs/semantics.md, on top of the oracle of rating: `settle(catalog, batches, now)`. Everything
is computed anew for each `now`, from the first period on; no state is kept between closes.

Scope: currency balances of list prices; no composites, pricing units, thresholds, hierarchies, minimum spend.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from . import schedules
from .balances import FAR, HOUR, Balance, Terms
from .exact import MINOR_DIGITS, exact, half_away, round12
from .ingest import Batch, duration, ingest, instant
from .lanes import own_price
from .oracle import Book, close_month, readings_of
from .rating_of_atoms import Item, discounted, families, order_of
from .terms import Obj, Period, periods

ZERO = Fraction(0)
KINDS = {"SCHEDULED": 0, "USAGE": 1, "TRUEUP": 2}


@dataclass
class Bill:
    """One invoice. `at`: the end of its period, or its date; `start` only of a USAGE one."""

    contract: Obj
    kind: str
    at: datetime
    start: datetime | None
    currency: str
    items: list[Item]
    final: bool = False
    held: tuple[str, ...] = ()
    reached: set[str] = field(default_factory=set)
    drawn: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    @property
    def month(self) -> str:
        """SCHEDULED: of its date; others: the month M with `at` in (start of M, start of M+1]; case 18."""
        return self.at.strftime("%Y-%m") if self.kind == "SCHEDULED" else close_month(self.at)


@dataclass(frozen=True)
class Entry:
    """One movement of a segment; `final` where it is in the ledger, else pending."""

    segment_id: str
    entry_type: str
    amount: Fraction
    at: datetime
    month: str
    final: bool


@dataclass
class Settled:
    """All bills with a date up to `now` or a period that has begun by then, and the movements of their balances."""

    now: datetime
    bills: list[Bill] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)


class Customer:
    """One customer's pool."""

    def __init__(self, catalog: Obj, customer: Obj, readings: Sequence[Any], now: datetime):
        self.book = Book(catalog, customer, readings)
        self.catalog, self.customer, self.now = catalog, customer, now
        self.contracts, self.cards = self.book.contracts, self.book.cards
        self.products: dict[str, Obj] = {one["id"]: one for one in catalog.get("products") or []}
        settings = catalog.get("settings") or {}
        self.grace = duration(settings.get("grace_period") or "24h") or timedelta(0)
        self.periods = {one["id"]: periods(one, now) for one in self.contracts}
        self.until = {name: max([now, *(one.end for one in found)]) for name, found in self.periods.items()}
        terms = self.terms = Terms(catalog, customer, self.contracts, self.cards)
        self.balances = [*terms.explicit(), *terms.recurring(self.until)]
        self.entries: list[Entry] = []

    def bills(self) -> list[Bill]:
        """Every invoice before anything is drawn, in the order of the pool; case 16."""
        found = []
        for contract in self.contracts:
            usage = [self.usage(contract, period) for period in self.periods[contract["id"]]]
            others = self.place(contract, usage)
            for bill in usage:
                self.adjust(bill)
            found += usage + others
        place = {one["id"]: number for number, one in enumerate(self.contracts)}
        return sorted(found, key=lambda one: (one.at, KINDS[one.kind], one.start or one.at, place[one.contract["id"]]))

    def usage(self, contract: Obj, period: Period) -> Bill:
        """A period's usage lines, cut into atoms; cases 2 and 0.6."""
        bill = Bill(contract, "USAGE", period.end, period.start, self.cards[contract["id"]]["currency"], [])
        own = [one for one in self.balances if contract["id"] in one.contracts]
        readings = self.book.usage(contract, period)
        for product in self.book.products[contract["id"]]:
            mine = [one for one in readings if one.metric_id == product["billable_metric_id"] and not one.exception]
            metric = self.book.metrics[product["billable_metric_id"]]
            card = self.cards[contract["id"]]
            lines, unrated = families(contract, card, product, metric, period, mine, own)
            bill.items += lines
            bill.held += ("UNRATED_USAGE",) * bool(unrated)
        return bill

    def place(self, contract: Obj, usage: list[Bill]) -> list[Bill]:
        """What is charged at an instant goes on a usage invoice, or on a SCHEDULED one of it; cases 11 and 35."""
        card, until = self.cards[contract["id"]], self.until[contract["id"]]
        due = [
            *schedules.purchases(contract, self.customer, self.contracts, until),
            *schedules.scheduled(contract, card["currency"]),
            *schedules.subscribed(contract, card, self.products, until),
        ]
        alone: dict[datetime, Bill] = {}
        for one in due:
            if one.unit_price == 0 and one.line_type != "subscription":
                continue
            hits = [bill for bill in usage if self.fits(contract, one, bill)]
            if one.at > until and not hits:
                continue
            bill = hits[0] if hits else alone.get(one.at)
            if bill is None:
                bill = alone[one.at] = Bill(contract, "SCHEDULED", one.at, None, card["currency"], [])
            bill.items.append(self.item(one))
        for bill in alone.values():
            discounted(contract, bill.items, None, card, ())
        return list(alone.values())

    def fits(self, contract: Obj, one: schedules.Due, bill: Bill) -> bool:
        """Whether a usage invoice takes a charge."""
        if one.rule == "CONTAINS":
            return bill.start is not None and bill.start < one.at <= bill.at
        if one.rule == "INSTANT":
            return bill.at == one.at
        whole = contract.get("scheduled_charges_on_usage_invoices") == "ALL"
        return whole and bill.at.date() == one.at.date()

    def item(self, one: schedules.Due) -> Item:
        """The line of a charge; cases 34 and 74."""
        product, amount = self.products[one.product_id], round12(one.quantity * one.unit_price)
        hours = (one.start, one.start + HOUR)
        return Item(one.line_type, product, {}, {}, None, False, one.quantity, one.unit_price, amount, one.start, hours)

    def adjust(self, bill: Bill) -> None:
        """Discounts, maximum and minimum of a usage invoice; cases 1, 8 and 19."""
        period = next(one for one in self.periods[bill.contract["id"]] if one.start == bill.start)
        name = bill.contract["id"]
        discounted(bill.contract, bill.items, period, self.cards[name], self.book.products[name])

    def settle(self) -> Settled:
        """Every bill draws after the ones before it; then true-ups, expirations and grants."""
        bills = self.bills()
        for position, bill in enumerate(bills):
            self.draw(bill)
            bill.final = self.is_final(bill, bills[:position])
            self.roll(bill, bills)
        bills += self.trueups(bills)
        for bill in bills:
            self.deductions(bill)
        for balance in self.balances:
            self.openings_and_ends(balance, bills)
        shown = [one for one in bills if one.kind == "USAGE" or one.at <= self.now]
        return Settled(self.now, [one for one in shown if not self.skipped(one)], self.entries, self.balances)

    def skipped(self, bill: Bill) -> bool:
        """skip_zero_invoices, but for what draws on a balance; case 76."""
        wanted = bool(bill.contract.get("skip_zero_invoices")) and bill.kind == "USAGE"
        return wanted and total(bill) == 0 and not bill.held and not bill.drawn

    def draw(self, bill: Bill) -> None:
        """Each line in order, each balance in order, as much as both allow; cases 0.15, 2 and 10."""
        queue = sorted(
            (one for one in self.balances if bill.contract["id"] in one.contracts), key=lambda one: one.order
        )
        shown: list[Item] = []
        applied: dict[tuple[str, str], Item] = {}
        for item in sorted(bill.items, key=order_of):
            for balance in queue:
                if not item.drawable or not balance.applies(item.product, item.pricing, item.presentation):
                    continue
                if not balance.contains(*item.hours) or balance.unit != bill.currency:
                    continue
                if balance.after is not None and bill.at <= balance.after:
                    continue
                bill.reached |= {balance.segment_id} if item.amount != 0 else set()
                if item.amount <= 0 or item.net <= 0 or balance.left <= 0:
                    continue
                price = own_price(bill.contract, self.cards[bill.contract["id"]], item, balance)
                drawn = cover(item, balance, shown) if price is None else cover_at(price, item, balance, shown)
                if drawn == 0:
                    continue
                bill.drawn[balance.segment_id] += drawn
                key = (balance.segment_id, item.product["id"])
                line = applied.setdefault(key, application(balance, item))
                line.unit_price = line.amount = line.amount - drawn
            if item.quantity != 0 or item.amount != 0 or not item.covered:
                shown.append(item)
        bill.items = shown + list(applied.values())

    def due(self, bill: Bill) -> bool:
        """USAGE: the grace period has passed; others from their date; case 38."""
        return self.now >= bill.at + (self.grace if bill.kind == "USAGE" else timedelta(0))

    def is_final(self, bill: Bill, earlier: Sequence[Bill]) -> bool:
        """Due, not held, and behind no open invoice that reaches a balance it reaches; cases 0.4 and 16."""
        behind = any(not one.final and one.reached & bill.reached for one in earlier)
        return self.due(bill) and not bill.held and not behind

    def roll(self, bill: Bill, bills: Sequence[Bill]) -> None:
        """After the old contract's last usage invoice a renewal takes over what is active; case 48."""
        old = bill.contract
        if bill.kind != "USAGE" or not old.get("ending_before") or bill.at != instant(old["ending_before"]):
            return
        for new in self.contracts:
            transition = new.get("transition") or {}
            if transition.get("type") != "RENEWAL" or transition.get("from_contract_id") != old["id"]:
                continue
            for balance in self.owned(old):
                fraction = balance.terms.get("rollover_fraction")
                active = balance.start <= bill.at and (balance.end is None or bill.at <= balance.end)
                if fraction is None or balance.kind == "POSTPAID" or not active:
                    continue
                amount = min(balance.left, round12(exact(fraction) * balance.granted))
                if amount > 0:
                    rolled = self.terms.rolled(balance, new, amount)
                    rolled.after = bill.at
                    self.balances.append(rolled)
                    balance.left -= amount
                    out, into = close_month(bill.at), bill.at.strftime("%Y-%m")
                    self.entries.append(Entry(balance.segment_id, "ROLLOVER_OUT", -amount, bill.at, out, bill.final))
                    self.entries.append(Entry(rolled.segment_id, "ROLLOVER_IN", amount, bill.at, into, bill.final))

    def owned(self, contract: Obj) -> list[Balance]:
        """A contract's own balances that did not roll over into it."""
        mine = [one for one in self.balances if one.contracts == (contract["id"],)]
        return [one for one in mine if one.after is None and not one.shared]

    def trueups(self, bills: Sequence[Bill]) -> list[Bill]:
        """What is missing of postpaid commits that have ended; cases 0.3 and 13."""
        found = []
        for balance in self.balances:
            if balance.kind != "POSTPAID" or balance.end is None or balance.left <= 0:
                continue
            stated = [instant(one["timestamp"]) for one in balance.terms.get("invoice_schedule") or []]
            at = max([balance.end, *stated])
            name = balance.terms.get("invoice_contract_id") or balance.contracts[0]
            contract = next(one for one in self.contracts if one["id"] == name)
            item = Item.plain("trueup", self.products[balance.terms["product_id"]], balance.left, at)
            bill = Bill(contract, "TRUEUP", at, None, balance.unit, [item])
            waiting = [one for one in bills if not one.final and self.consumes(one, balance)]
            bill.final = at <= self.now and not waiting
            if at <= self.now:
                self.entries.append(Entry(balance.segment_id, "TRUEUP", -balance.left, at, bill.month, bill.final))
                balance.left = ZERO
            found.append(bill)
        return found

    def consumes(self, bill: Bill, balance: Balance) -> bool:
        """Whether an invoice could draw on a segment: a usage period that overlaps it, or a charge that it reaches."""
        if bill.contract["id"] not in balance.contracts:
            return False
        if bill.kind == "USAGE" and bill.start is not None:
            overlaps = bill.start < (balance.end or FAR) and balance.start < bill.at
            return overlaps or balance.segment_id in bill.reached
        return balance.segment_id in bill.reached

    def deductions(self, bill: Bill) -> None:
        """One per invoice and segment."""
        ends = {one.segment_id: one.end or FAR for one in self.balances}
        for segment_id, drawn in bill.drawn.items():
            at = min(bill.at, ends[segment_id])
            self.entries.append(Entry(segment_id, "DEDUCTION", -drawn, at, bill.month, bill.final))

    def openings_and_ends(self, balance: Balance, bills: Sequence[Bill]) -> None:
        """GRANT of what is granted, EXPIRATION of what is left when nothing can draw on it any more; case 18."""
        if balance.after is None:
            month = balance.start.strftime("%Y-%m")
            drawn = any(balance.segment_id in bill.drawn and bill.final for bill in bills)
            begun = balance.start <= self.now
            self.entries.append(
                Entry(balance.segment_id, "GRANT", balance.granted, balance.start, month, drawn or begun)
            )
        if balance.end is None or balance.end > self.now or balance.left == 0 or balance.kind == "POSTPAID":
            return
        waiting = any(not one.final and self.consumes(one, balance) for one in bills)
        self.entries.append(
            Entry(balance.segment_id, "EXPIRATION", -balance.left, balance.end, close_month(balance.end), not waiting)
        )


def cover(item: Item, balance: Balance, shown: list[Item]) -> Fraction:
    """At the list price: the covered part goes to `shown`, the rest stays in `item`; case 10."""
    if balance.left >= item.net:
        amount, quantity, drawn = item.amount, item.quantity, item.net
    else:
        drawn = balance.left
        amount = round12(drawn * item.amount / item.net)
        quantity = round12(amount / item.unit_price)
    shown.append(item.piece(quantity, amount))
    item.quantity, item.amount, item.net = item.quantity - quantity, item.amount - amount, item.net - drawn
    item.covered = True
    balance.left -= drawn
    return drawn


def cover_at(price: Fraction, item: Item, balance: Balance, shown: list[Item]) -> Fraction:
    """At a price of the balance's own, without discounts: all of the rest, or balance / price; cases 10, 26."""
    amount, quantity = round12(item.quantity * price), item.quantity
    if balance.left < amount:
        amount = balance.left
        quantity = round12(amount / price)
    part = item.piece(quantity, amount)
    part.unit_price = price
    shown.append(part)
    rest = item.amount - round12(quantity * item.unit_price)
    whole = quantity == item.quantity
    item.quantity, item.amount = item.quantity - quantity, ZERO if whole else rest
    item.net, item.covered = item.amount, True
    balance.left -= amount
    return amount


def application(balance: Balance, item: Item) -> Item:
    """The negative line of a balance, for the product that it pays; case 39."""
    found = Item.plain("applied_commit_or_credit", item.product, ZERO, item.start)
    found.segment_id, found.in_total = balance.segment_id, balance.kind != "POSTPAID"
    return found


def total(bill: Bill) -> Fraction:
    """The rounded sum of what is in the total; case 55."""
    exact_total = sum((one.amount for one in bill.items if one.in_total), ZERO)
    return half_away(exact_total, MINOR_DIGITS.get(bill.currency, 2))


def settle(catalog: Mapping[str, Any], batches: Sequence[Batch], now: datetime) -> Settled:
    """Everything of `catalog` and `batches` at `now`."""
    settings = catalog.get("settings") or {}
    events = ingest(batches, duration(settings.get("backdating_window", "34d"))).events
    usage = readings_of(catalog, [event for event in events if event.at <= now])
    found = Settled(now)
    for customer in catalog.get("customers") or []:
        refs = dict.fromkeys([customer["id"], *(customer.get("ingest_aliases") or [])])
        readings = [one for ref in refs for one in usage.get(ref, [])]
        one = Customer(catalog, customer, readings, now).settle()
        found.bills += one.bills
        found.entries += one.entries
        found.balances += one.balances
    return found
