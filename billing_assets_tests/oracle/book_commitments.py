"""Generated books with commits, credits, subscriptions and charges on top of the books of usage, over three closes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from .balances import windows
from .book_terms import VALUES, text
from .choices import Choices, Seeded, chance, several, subset
from .exact import half_away
from .ingest import Batch, instant
from .oracle import bill
from .strategies import Book, merge, random_book
from .terms import anchor_of

Obj = dict[str, Any]
CLOSES = tuple(datetime(2026, month, 3, 6, tzinfo=UTC) for month in (1, 2, 3))
ARRIVALS = tuple(now - timedelta(hours=1) for now in CLOSES)
HOUR = timedelta(hours=1)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
HORIZON = datetime(2026, 6, 1, tzinfo=UTC)


def arranged(book: Book) -> Book:
    """The book without what holds or skips invoices; every event arrives before the first close after it."""
    catalog = copy.deepcopy(book.catalog)
    for contract in catalog["contracts"]:
        contract.pop("metric_exception_tolerance", None)
        contract.pop("skip_zero_invoices", None)
    rows: list[list[Obj]] = [[] for _ in ARRIVALS]
    for row in (row for batch in book.batches for row in batch):
        at = instant(row["timestamp"])
        rows[next(number for number, arrival in enumerate(ARRIVALS) if at <= arrival)].append(row)
    return Book(book.prefix, catalog, rows)


def merged(books: Iterable[Book]) -> tuple[Obj, list[Batch]]:
    """One catalog and the ingest batches of the three closes."""
    catalog, batches = merge(books)
    return catalog, [Batch(at, batch.events) for at, batch in zip(ARRIVALS, batches, strict=True)]


class Commitments:
    """What a book's contracts promise, on top of their usage."""

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
        return totals[len(totals) // 2] if totals else Fraction(20)

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
        return found

    def prepaid(self, contract: Obj) -> Obj:
        """A prepaid commit, paid or not."""
        found = self.terms("pre", [contract]) | {"type": "PREPAID"}
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

    def credit(self, contract: Obj) -> Obj:
        """A credit."""
        found = self.terms("credit", [contract])
        found["access_schedule"] = self.schedule(contract)
        return found

    def catalog(self) -> dict[str, list[Obj]]:
        """The book's catalog with everything that was promised."""
        for contract in self.contracts:
            self.promise(contract)
        self.products.append({"id": self.fee, "name": f"{self.prefix} fee", "type": "FIXED"})
        return self.book.catalog

    def promise(self, contract: Obj) -> None:
        """Commits and credits of a contract."""
        choices = self.choices
        for name, make, percent in (("commits", self.prepaid, 60), ("credits", self.credit, 60)):
            found = several(choices, 0, 2, lambda make=make: make(contract), percent)  # type: ignore[misc]
            if found:
                contract[name] = found


def commitments_book(seed: int) -> Book | None:
    """The book of a seed, or None where its usage holds an invoice."""
    base = arranged(random_book(seed, f"c{seed}"))
    if bill(*merged([base]), CLOSES[-1]).held or not base.catalog["products"]:
        return None
    return Book(base.prefix, Commitments(Seeded(seed), base).catalog(), base.batches)


def commitments_books(first: int, count: int) -> list[Book]:
    """`count` books, of the seeds from `first` on."""
    found: list[Book] = []
    while len(found) < count:
        book = commitments_book(first)
        found += [book] if book else []
        first += 1
    return found
