"""Generated books with commits, credits, subscriptions and charges on top of the books of usage, over three closes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from .book_balances import ARRIVALS, CLOSES, HOUR, Balances, Obj, merged
from .book_terms import text
from .choices import Choices, Drawn, Seeded, chance, number, several, subset
from .ingest import instant
from .oracle import bill
from .strategies import Book, books, random_book
from .terms import anchor_of, card_of

LANED = 40
"""Percent of books with commit-side prices."""
RECURRING = ("recurring_commits", "recurring_credits")


def arranged(book: Book, choices: Choices) -> Book:
    """The book without what holds invoices; every event arrives before the first close after it."""
    catalog = copy.deepcopy(book.catalog)
    catalog["contracts"] = followed(catalog["contracts"], choices)
    for contract in catalog["contracts"]:
        contract.pop("metric_exception_tolerance", None)
    rows: list[list[Obj]] = [[] for _ in ARRIVALS]
    for row in (row for batch in book.batches for row in batch):
        at = instant(row["timestamp"])
        rows[next(number for number, arrival in enumerate(ARRIVALS) if at <= arrival)].append(row)
    return Book(book.prefix, catalog, rows)


def followed(contracts: list[Obj], choices: Choices) -> list[Obj]:
    """One contract alone sometimes ends, and another on its terms but for its overrides follows."""
    old = contracts[0]
    if len(contracts) > 1 or not chance(choices, 50):
        return contracts
    start, end = instant(old["starting_at"]), instant(old.get("ending_before", "2026-03-10"))
    turn = start + timedelta(hours=24 * choices.integer(1, 60) + choices.pick([0, 0, 7]))
    if turn >= min(end, CLOSES[-1]):
        return contracts
    new = {name: value for name, value in old.items() if name not in ("overrides", "usage_filter")}
    following = choices.pick([turn, turn, turn + timedelta(days=2)])
    if following >= end:
        return contracts
    new |= {"id": old["id"].replace("contract0", "contract1"), "starting_at": text(following)}
    return [old | {"ending_before": text(turn)} | clipped(old, turn), new]


def clipped(contract: Obj, end: datetime) -> Obj:
    """Its overrides that begin before an end, no longer than that."""
    found = [copy.deepcopy(one) for one in contract.get("overrides", []) if instant(one["starting_at"]) < end]
    for one in found:
        if "ending_before" in one and instant(one["ending_before"]) > end:
            del one["ending_before"]
    return {"overrides": found} if found else {"overrides": []}


class Commitments(Balances):
    """What a book's contracts promise, on top of their usage."""

    def subscription(self, contract: Obj, product: str) -> Obj:
        """Seats in advance or in arrears, with updates by set and by delta."""
        choices = self.choices
        start, end = self.span(contract)
        found: Obj = {"id": self.name("sub"), "product_id": product, "initial_quantity": choices.integer(0, 12)}
        found["billing_frequency"] = choices.pick(["MONTHLY", "MONTHLY", "QUARTERLY", "WEEKLY"])
        # What is charged in a later usage period than it starts in depends on when closes expire its balances.
        alike = anchor_of(contract)[0] == found["billing_frequency"]
        if alike and chance(choices, 70):
            found["collection_schedule"] = choices.pick(["ADVANCE", "ARREARS"])
        if chance(choices, 70):
            behavior = choices.pick(["BILL_IMMEDIATELY"] + ["BILL_ON_NEXT_COLLECTION_DATE"] * alike)
            found["proration"] = {"is_prorated": choices.pick([True, False]), "invoice_behavior": behavior}
        if chance(choices, 25):
            start = self.moment(start, end - HOUR)
            found["starting_at"] = text(start)
        if chance(choices, 25):
            end = self.moment(start + HOUR, max(start + HOUR, end))
            found["ending_before"] = text(end)
        updates = several(choices, 0, 4, lambda: self.update(start, end), 60)
        if updates:
            found["quantity_updates"] = updates
        return found

    def update(self, start: datetime, end: datetime) -> Obj:
        """A new quantity, or a difference."""
        at = text(self.moment(start, max(start, end - HOUR)))
        if chance(self.choices, 50):
            return {"starting_at": at, "quantity": self.choices.integer(0, 15)}
        return {"starting_at": at, "quantity_delta": self.choices.integer(-5, 8)}

    def charge(self, contract: Obj) -> Obj:
        """A scheduled charge: named instants, or a recurrence, whole or divided."""
        choices = self.choices
        start, end = self.span(contract)
        found: Obj = {"id": self.name("charge"), "product_id": self.fee}
        if chance(choices, 40):
            items = several(choices, 1, 3, lambda: self.payment(start, end - HOUR), 50)
            return found | {"schedule": {"schedule_items": items}}
        opening = start if chance(choices, 30) else self.moment(start, end - HOUR)
        recurring: Obj = {"starting_at": text(opening), "frequency": choices.pick(["MONTHLY", "WEEKLY", "QUARTERLY"])}
        recurring |= {"amount": self.amount()} if chance(choices, 50) else self.units()
        recurring["amount_distribution"] = choices.pick(["EACH", "DIVIDED", "DIVIDED_ROUNDED"])
        if "ending_before" not in contract or chance(choices, 50):
            recurring["ending_before"] = text(self.moment(opening + HOUR, max(opening + HOUR, end)))
        return found | {"schedule": {"recurring_schedule": recurring}}

    def discount(self, contract: Obj) -> Obj:
        """A percentage or a fixed amount, by product or tag or of everything, dated."""
        choices = self.choices
        start, end = self.span(contract)
        found: Obj = {"id": self.name("discount"), "starting_at": text(self.moment(start, end - HOUR))}
        found |= {"starting_at": text(start)} if chance(choices, 50) else {}
        if chance(choices, 50):
            low = instant(found["starting_at"]) + HOUR
            found["ending_before"] = text(self.moment(low, max(low, end)))
        kind = choices.pick(["PERCENTAGE", "PERCENTAGE", "FIXED"])
        found["type"] = kind
        found["value"] = self.amount() if kind == "FIXED" else choices.pick(["0.1", "0.25", "0.333333333333", "1"])
        ids = [one["id"] for one in self.products]
        tags = sorted({tag for product in self.products for tag in product.get("tags", [])})
        if chance(choices, 35):
            found["applicable_product_ids"] = subset(choices, ids, 50) or ids[:1]
        elif tags and chance(choices, 30):
            found["applicable_product_tags"] = tags[:1]
        return found

    def shared(self) -> None:
        """Commits and credits of the customer, where its contracts have one currency."""
        choices, contracts = self.choices, self.contracts
        currencies = {one["currency"] for one in self.book.catalog["rate_cards"]}
        if len(currencies) > 1 or not chance(choices, 50):
            return
        customer = self.book.catalog["customers"][0]
        ids = [one["id"] for one in contracts]
        for name, makers in (("commits", (self.prepaid, self.postpaid)), ("credits", (self.credit,))):
            found = []
            for _ in range(choices.integer(0, 2)):
                contract = choices.pick(contracts)
                term = choices.pick(makers)(contract)
                if chance(choices, 60):
                    term["applicable_contract_ids"] = sorted({contract["id"], *subset(choices, ids, 50)})
                if term.get("type"):
                    term["invoice_contract_id"] = contract["id"]
                found.append(term)
            customer |= {name: found} if found else {}

    def seats(self, number: int) -> Obj:
        """A subscription product with a rate of each frequency on every card."""
        product = f"{self.prefix}-seats{number}"
        for card in self.book.catalog["rate_cards"]:
            for frequency in ("MONTHLY", "QUARTERLY", "WEEKLY"):
                for at in sorted({"2025-10-01", text(self.moment(datetime(2025, 12, 1, tzinfo=UTC), CLOSES[-1]))}):
                    rate = {"product_id": product, "billing_frequency": frequency, "starting_at": at}
                    card["rates"].append(rate | {"rate_type": "FLAT", "price": self.amount()})
        return {"id": product, "name": f"{self.prefix} seats {number}", "type": "SUBSCRIPTION"}

    def follow(self) -> None:
        """A second contract after the first renews or supersedes it."""
        if len(self.contracts) != 2 or "ending_before" not in self.contracts[0]:
            return
        old, new = self.contracts
        if instant(new["starting_at"]) >= instant(old["ending_before"]) and chance(self.choices, 90):
            kind = self.choices.pick(["RENEWAL"] * 4 + ["SUPERSEDE"])
            new["transition"] = {"from_contract_id": old["id"], "type": kind}

    def catalog(self) -> dict[str, list[Obj]]:
        """The book's catalog with everything that was promised."""
        laned = self.laned() if chance(self.choices, LANED) else []
        for product in laned:
            self.commit_rates(product)
        for contract in self.contracts:
            self.promise(contract, not laned)
            sold = {rate["product_id"] for rate in card_of(self.book.catalog, contract)["rates"]}
            for product in (one for one in laned if one["id"] in sold):
                self.specific(contract, product)
        self.shared()
        self.follow()
        if chance(self.choices, 50):
            # Two subscriptions of one product have lines that nothing but their ids tells apart.
            for product in (self.seats(number) for number in (1, 2)):
                for contract in self.contracts:
                    if chance(self.choices, 60):
                        contract.setdefault("subscriptions", []).append(self.subscription(contract, product["id"]))
                self.products.append(product)
        self.products.append({"id": self.fee, "name": f"{self.prefix} fee", "type": "FIXED"})
        return self.book.catalog

    def prices(self, product: Obj) -> list[Obj]:
        """Every price of a product: its rates, and what may overwrite them."""
        rates = [one for card in self.book.catalog["rate_cards"] for one in card["rates"]]
        overrides = [one for contract in self.contracts for one in contract.get("overrides", [])]
        named = [one["overwrite_rate"] for one in overrides if one.get("type") == "OVERWRITE"]
        return [one for one in rates if one["product_id"] == product["id"]] + named

    def laned(self) -> list[Obj]:
        """Products of FLAT and TIERED prices without a maximum, which balances may pay at prices of their own."""
        return [
            product
            for product in self.products
            if all(one["rate_type"] in ("FLAT", "TIERED") and "maximum" not in one for one in self.prices(product))
        ]

    def commit_rates(self, product: Obj) -> None:
        """Some of its rates have another price for commits."""
        for card in self.book.catalog["rate_cards"]:
            for rate in card["rates"]:
                if rate["product_id"] == product["id"] and chance(self.choices, 60):
                    rate["commit_rate"] = {"rate_type": "FLAT", "price": number(self.choices, 100)}

    def specific(self, contract: Obj, product: Obj) -> None:
        """Prices of one product for some of the contract's commits and credits, or for all of them."""
        choices = self.choices
        kinds = ["OVERWRITE"] + ["MULTIPLIER"] * all(one["rate_type"] == "FLAT" for one in self.prices(product))
        for _ in range(choices.pick([0, 1, 1, 2])):
            selector: Obj = {"product_id": product["id"]}
            for field, names in (("commit_ids", ("commits", "credits")), ("recurring_commit_ids", RECURRING)):
                ids = [one["id"] for name in names for one in contract.get(name, [])]
                if ids and chance(choices, 40):
                    selector[field] = subset(choices, ids, 60) or ids[:1]
            found: Obj = {"starting_at": contract["starting_at"], "type": choices.pick(kinds)}
            found |= {"is_commit_specific": True, "override_specifiers": [selector]}
            found |= {"target": choices.pick(["LIST_RATE", "COMMIT_RATE"])}
            if found["type"] == "OVERWRITE":
                found["overwrite_rate"] = {"rate_type": "FLAT", "price": number(choices, 100)}
            else:
                found["multiplier"] = choices.pick(["0.9", "0.5", "1.25", "0.333333333333"])
            if contract.get("multiplier_override_prioritization") == "EXPLICIT":
                found["priority"] = choices.integer(1, 3)
            contract.setdefault("overrides", []).append(found)

    def promise(self, contract: Obj, discounted: bool) -> None:
        """What a contract itself promises."""
        choices = self.choices
        makers: list[tuple[str, Any, int]] = [
            ("commits", self.prepaid, 60),
            ("commits", self.postpaid, 35),
            ("credits", self.credit, 50),
            ("recurring_commits", lambda one: self.recurring(one, "reccommit"), 35),
            ("recurring_credits", lambda one: self.recurring(one, "reccredit"), 35),
            ("scheduled_charges", self.charge, 35),
            ("discounts", self.discount, 30),
        ]
        for name, make, percent in makers if discounted else makers[:-1]:
            found = several(choices, 0, 2, lambda make=make: make(contract), percent)  # type: ignore[misc]
            if found:
                contract.setdefault(name, []).extend(found)
        if chance(choices, 40):
            contract["scheduled_charges_on_usage_invoices"] = "ALL"


def commitments_book(seed: int) -> Book | None:
    """The book of a seed, or None where its usage holds an invoice."""
    return promised(arranged(random_book(seed, f"c{seed}"), Seeded(seed)), Seeded(seed))


def promised(base: Book, choices: Choices) -> Book | None:
    """`base` with commitments, or None where its usage holds an invoice."""
    if bill(*merged([base]), CLOSES[-1]).held or not base.catalog["products"]:
        return None
    return Book(base.prefix, Commitments(choices, base).catalog(), base.batches)


@st.composite
def drawn_books(draw: Callable[[st.SearchStrategy[Any]], Any], low: int, high: int) -> list[Book]:
    """Several books under Hypothesis."""
    choices = Drawn(draw)
    found = [
        promised(arranged(draw(books(f"h{index}")), choices), choices) for index in range(draw(st.integers(low, high)))
    ]
    kept = [one for one in found if one is not None]
    assume(kept)
    return kept


def commitments_books(first: int, count: int) -> list[Book]:
    """`count` books, of the seeds from `first` on."""
    found: list[Book] = []
    while len(found) < count:
        book = commitments_book(first)
        found += [book] if book else []
        first += 1
    return found


__all__ = ["CLOSES", "commitments_book", "commitments_books", "merged"]
