"""Commits and credits of a generated book: amounts around its invoices, dates where something else changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from .balances import windows
from .book_terms import VALUES, text
from .choices import Choices, chance, several, subset
from .exact import half_away
from .ingest import Batch, instant
from .oracle import bill
from .strategies import Book, merge
from .terms import anchor_of

Obj = dict[str, Any]
CLOSES = tuple(datetime(2026, month, 3, 6, tzinfo=UTC) for month in (1, 2, 3))
ARRIVALS = tuple(now - timedelta(hours=1) for now in CLOSES)
HOUR = timedelta(hours=1)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
HORIZON = datetime(2026, 6, 1, tzinfo=UTC)


def merged(books: Iterable[Book]) -> tuple[Obj, list[Batch]]:
    """One catalog and the ingest batches of the three closes."""
    catalog, batches = merge(books)
    return catalog, [Batch(at, batch.events) for at, batch in zip(ARRIVALS, batches, strict=True)]


class Balances:
    """Commits and credits for the contracts of a book."""

    def __init__(self, choices: Choices, book: Book):
        self.choices, self.book, self.prefix = choices, book, book.prefix
        self.contracts = book.catalog["contracts"]
        self.products = book.catalog["products"]
        self.fee = f"{book.prefix}-fee"
        self.count = 0
        self.scale = self.spend()
        self.instants = self.moments()

    def spend(self) -> Fraction:
        """A typical invoice, so that balances run out inside it often enough."""
        found = bill(*merged([self.book]), CLOSES[-1]).invoices.values()
        totals = sorted(abs(Fraction(one.total)) for one in found if one.total)
        return min(totals[len(totals) // 2], Fraction(10**9)) if totals else Fraction(20)

    def moments(self) -> list[datetime]:
        """Where something else changes: rates, overrides, periods, events."""
        found = set()
        for owner in [*self.book.catalog["rate_cards"], *self.contracts]:
            for term in [owner, *owner.get("rates", []), *owner.get("overrides", [])]:
                found |= {instant(term[name]) for name in ("starting_at", "ending_before") if term.get(name)}
        for contract in self.contracts:
            frequency, anchor = anchor_of(contract)
            start = instant(contract["starting_at"])
            found |= {one.full_end for one in windows(anchor, frequency, start, None, CLOSES[-1])}
        for row in (row for batch in self.book.batches for row in batch):
            at = instant(row["timestamp"])
            found.add(at.replace(minute=0, second=0, microsecond=0))
        return sorted(at for at in found if datetime(2025, 11, 15, tzinfo=UTC) < at < HORIZON)

    def moment(self, low: datetime, high: datetime) -> datetime:
        """A whole hour in [low, high]: where something changes, or any."""
        inside = [at for at in self.instants if low <= at <= high]
        if inside and chance(self.choices, 60):
            return self.choices.pick(inside)
        hours = max(0, (high - low) // HOUR)
        at = low + self.choices.integer(0, hours) * HOUR
        return max(low, at.replace(hour=0)) if chance(self.choices, 60) else at

    def name(self, kind: str) -> str:
        """An id of its own."""
        self.count += 1
        return f"{self.prefix}-{kind}{self.count}"

    def amount(self) -> str:
        """Around the invoices of the book; sometimes long, sometimes out of reach."""
        choices = self.choices
        share = Fraction(choices.pick([3, 10, 25, 50, 80, 100, 150, 400, 2000]), 100)
        places = choices.pick([0, 2, 2, 5, 12])
        found = max(half_away(self.scale * share, places), Fraction(1))
        return f"{int(found)}.{int((found % 1) * 10**12):012}".rstrip("0").rstrip(".")

    def span(self, contract: Obj) -> tuple[datetime, datetime]:
        """The contract's dates, as far as the closes look."""
        return instant(contract["starting_at"]), min(instant(contract.get("ending_before", text(HORIZON))), HORIZON)

    def access(self, contract: Obj, open_ended: bool = True) -> Obj:
        """One segment; it may stick out of the contract."""
        start, end = self.span(contract)
        low = max(start - timedelta(days=20), datetime(2025, 11, 1, tzinfo=UTC)) if chance(self.choices, 10) else start
        opening = start if chance(self.choices, 45) else self.moment(low, max(low, end - HOUR))
        found: Obj = {"amount": self.amount(), "starting_at": text(opening)}
        if not open_ended or chance(self.choices, 75):
            closing = self.moment(opening + HOUR, max(opening + HOUR, min(end + timedelta(days=20), HORIZON)))
            found["ending_before"] = text(closing)
        return found

    def schedule(self, contract: Obj) -> list[Obj]:
        """One or two segments; the engine numbers them by their start."""
        found = several(self.choices, 1, 2, lambda: self.access(contract), 30)
        return sorted(
            found, key=lambda one: (instant(one["starting_at"]), instant(one.get("ending_before", text(FOREVER))))
        )

    def applicability(self, contracts: Sequence[Obj]) -> Obj:
        """Everything, products, tags, or specifiers with values and exclusions."""
        choices = self.choices
        kind = choices.integer(0, 9)
        tags = sorted({tag for product in self.products for tag in product.get("tags", [])})
        if kind >= 8 and tags:
            return {"applicable_product_tags": subset(choices, tags, 50) or tags[:1]}
        if kind in (6, 7):
            return {
                "applicable_product_ids": subset(choices, [one["id"] for one in self.products], 50)
                or [self.products[0]["id"]]
            }
        if kind in (4, 5):
            return {"specifiers": self.specifiers()}
        return {}

    def specifiers(self) -> list[Obj]:
        """One to three; the first includes."""
        found = several(self.choices, 1, 3, self.specifier, 50)
        for one in found[1:]:
            if chance(self.choices, 40):
                one["exclude"] = True
        return found

    def specifier(self) -> Obj:
        """A product, with some of its values; or values alone."""
        choices = self.choices
        product = choices.pick(self.products)
        found: Obj = {}
        for name, keys in (
            ("pricing_group_values", "pricing_group_key"),
            ("presentation_group_values", "presentation_group_key"),
        ):
            chosen = subset(choices, product.get(keys, []), 45)
            if chosen:
                found[name] = {key: choices.pick([one for one in VALUES[key] if one is not None]) for key in chosen}
        if not found or chance(choices, 75):
            found["product_id"] = product["id"]
        return found

    def terms(self, kind: str, contracts: Sequence[Obj]) -> Obj:
        """What every commit and credit has."""
        found: Obj = {"id": self.name(kind), "product_id": self.fee, **self.applicability(contracts)}
        if chance(self.choices, 50):
            found["priority"] = self.choices.pick([1, 2, 50, 100])
        if chance(self.choices, 40):
            found["rate_type"] = "COMMIT_RATE"
        return found

    def prepaid(self, contract: Obj) -> Obj:
        """A prepaid commit, paid or not."""
        found = self.roll(self.terms("pre", [contract])) | {"type": "PREPAID"}
        found["access_schedule"] = self.schedule(contract)
        if chance(self.choices, 50):
            start, end = self.span(contract)
            found["invoice_schedule"] = several(
                self.choices,
                1,
                2,
                lambda: {"amount": self.amount(), "timestamp": text(self.moment(start, end - HOUR))},
                30,
            )
        return found

    def payment(self, low: datetime, high: datetime) -> Obj:
        """A charge at an instant."""
        return {"amount": self.amount(), "timestamp": text(self.moment(low, high))}

    def credit(self, contract: Obj) -> Obj:
        """A credit."""
        found = self.roll(self.terms("credit", [contract]))
        found["access_schedule"] = self.schedule(contract)
        return found

    def postpaid(self, contract: Obj) -> Obj:
        """A postpaid commit; its true-up at the end, or dated before or after it."""
        found = self.terms("post", [contract]) | {"type": "POSTPAID"}
        access = self.access(contract, open_ended=False)
        found["access_schedule"] = [access]
        if chance(self.choices, 40):
            start, _ = self.span(contract)
            at = self.moment(max(start, instant(access["starting_at"])), HORIZON)
            found["invoice_schedule"] = [{"amount": access["amount"], "timestamp": text(at)}]
        return found

    def roll(self, term: Obj) -> Obj:
        """Sometimes a part of it rolls over."""
        if chance(self.choices, 75):
            term["rollover_fraction"] = self.choices.pick(["1", "0.5", "0.333333333333"])
        return term

    def recurring(self, contract: Obj, kind: str) -> Obj:
        """A commit or credit that comes back, with the billing periods or with a frequency of its own."""
        choices = self.choices
        start, end = self.span(contract)
        found = self.roll(self.terms(kind, [contract]))
        low = start - timedelta(days=10) if chance(choices, 15) else start
        opening = start if chance(choices, 40) else self.moment(low, end - HOUR)
        found["starting_at"] = text(opening)
        found["access_amount"] = self.units()
        if chance(choices, 40):
            closing = self.moment(max(opening, start) + HOUR, max(max(opening, start) + HOUR, end))
            found["ending_before"] = text(closing)
        if chance(choices, 40):
            found["recurrence_frequency"] = choices.pick(["MONTHLY", "WEEKLY", "QUARTERLY"])
        if chance(choices, 30):
            found["commit_duration"] = {"value": choices.pick([2, 3]), "unit": "PERIODS"}
        if chance(choices, 70):
            found["proration"] = choices.pick(["NONE", "FIRST", "LAST", "FIRST_AND_LAST"])
        if kind == "reccommit" and chance(choices, 60):
            found["invoice_amount"] = self.units()
        return found

    def units(self) -> Obj:
        """unit_price x quantity."""
        return {"unit_price": self.amount(), "quantity": self.choices.pick(["1", "2", "0.5"])}
