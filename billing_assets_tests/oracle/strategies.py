"""Generated customer books: valid catalog fragments with events, many of which merge into one catalog and one close.

`random_book(seed, prefix)` is fast; `books(prefix)` is the same generator under Hypothesis, which shrinks it;
`minimized(book, fails)` shrinks a book found by seed. `contested=True` adds combinations whose outcome
docs/semantics.md leaves open (they are named in `CONTESTED`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from .book_events import Events
from .book_terms import ARRIVALS, METRICS, NOW, SETTINGS, Terms
from .choices import Choices, Drawn, Seeded
from .oracle import Batch, Result, bill

CONTESTED = (
    "TIERED_PERCENTAGE rates, which the catalog refuses so far",
    "tiers whose last one has a size (dispositions of the excess; cases 0.11, 42)",
    "PERCENTAGE of quantities that may be negative, and its fixed_fee under a MULTIPLIER",
    "a TIERED override over flat fees, PACKAGE or PERCENTAGE (cases 7, 22, 51)",
    "hours without a rate that an override makes not entitled (cases 23 and 30)",
    "entitlement by presentation value together with minimum or maximum (case 8)",
    "metric exceptions of unknown customers, outside contracts and outside usage filters",
)


HOLDING: dict[str, Any] = {"hold_negative_total": True, "hold_total_over": "5000"}  # settings for merge and expected


@dataclass(frozen=True)
class Book:
    """One customer: a catalog fragment (collections of dicts, numbers as text) and its raw events per ingest batch."""

    prefix: str
    catalog: dict[str, list[dict[str, Any]]]
    batches: list[list[dict[str, Any]]]

    def __repr__(self) -> str:
        """Readable in a failure: JSON, one object a line."""
        lines = [f"{name}: {json.dumps(one)}" for name, objects in self.catalog.items() for one in objects]
        lines += [f"batch {index}: {json.dumps(row)}" for index, rows in enumerate(self.batches) for row in rows]
        return f"Book {self.prefix}\n  " + "\n  ".join(lines)


def book(choices: Choices, prefix: str, contested: bool = False) -> Book:
    """One book from a source of decisions."""
    terms = Terms(choices, prefix, contested)
    catalog = terms.catalog()
    return Book(prefix, catalog, Events(choices, terms).batches())


def random_book(seed: int, prefix: str | None = None, contested: bool = False) -> Book:
    """The book of a seed."""
    return book(Seeded(seed), prefix or f"b{seed}", contested)


@st.composite
def books(draw: Callable[[st.SearchStrategy[Any]], Any], prefix: str = "b", contested: bool = False) -> Book:
    """One book under Hypothesis."""
    return book(Drawn(draw), prefix, contested)


@st.composite
def many_books(
    draw: Callable[[st.SearchStrategy[Any]], Any], low: int = 1, high: int = 5, contested: bool = False
) -> list[Book]:
    """Several books with prefixes of their own, to be merged."""
    count = draw(st.integers(low, high))
    return [draw(books(f"b{index}", contested)) for index in range(count)]


def merge(found: Iterable[Book], settings: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[Batch]]:
    """One catalog (plain JSON types) and the ingest batches of all books; the metrics are common to all."""
    catalog: dict[str, Any] = {"settings": SETTINGS | (settings or {}), "billable_metrics": copy.deepcopy(METRICS)}
    rows: list[list[dict[str, Any]]] = [[] for _ in ARRIVALS]
    for one in found:
        for name, objects in one.catalog.items():
            catalog.setdefault(name, []).extend(objects)
        for index, batch in enumerate(one.batches):
            rows[index] += batch
    return catalog, [Batch(at, batch) for at, batch in zip(ARRIVALS, rows, strict=True)]


def expected(found: Iterable[Book], settings: dict[str, Any] | None = None, now: datetime = NOW) -> Result:
    """What the oracle says of the merged books."""
    catalog, batches = merge(found, settings)
    return bill(catalog, batches, now)


def smaller(one: Book) -> Iterator[Book]:
    """Valid books with one thing less: events, contracts, products, overrides, rates, limits, optional fields."""
    for index, rows in enumerate(one.batches):
        for size in (len(rows) // 2, 1):
            for start in range(0, len(rows) if size else 0, size or 1):
                batches = [*one.batches[:index], rows[:start] + rows[start + size :], *one.batches[index + 1 :]]
                yield Book(one.prefix, one.catalog, batches)
    for name, objects in one.catalog.items():
        for position, owner in enumerate(objects):
            for changed in reduced(name, owner):
                catalog = copy.deepcopy(one.catalog)
                catalog[name][position] = changed
                yield Book(one.prefix, catalog, one.batches)
    for position in range(len(one.catalog["contracts"]) if len(one.catalog["contracts"]) > 1 else 0):
        catalog = copy.deepcopy(one.catalog)
        del catalog["contracts"][position]
        yield Book(one.prefix, catalog, one.batches)
    for product in one.catalog["products"]:
        catalog = without(one.catalog, product["id"])
        if catalog["products"] and all(card["rates"] for card in catalog["rate_cards"]):
            yield Book(one.prefix, catalog, one.batches)


def without(catalog: dict[str, Any], product_id: str) -> dict[str, Any]:
    """The fragment without a product, its rates and the overrides that name it."""
    catalog = copy.deepcopy(catalog)
    catalog["products"] = [one for one in catalog["products"] if one["id"] != product_id]
    for card in catalog["rate_cards"]:
        card["rates"] = [one for one in card["rates"] if one["product_id"] != product_id]
    for contract in catalog["contracts"]:
        contract["overrides"] = [
            override
            for override in contract.get("overrides", [])
            if all(one.get("product_id") != product_id for one in override.get("override_specifiers", []))
        ]
    return catalog


def reduced(name: str, owner: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One catalog object with one optional part less."""
    optional = {
        "products": ("quantity_conversion", "quantity_rounding"),
        "contracts": ("overrides", "skip_zero_invoices", "metric_exception_tolerance", "net_payment_terms_days"),
        "customers": (),
    }.get(name, ())
    for part in optional:
        if part in owner:
            yield {key: value for key, value in owner.items() if key != part}
    for part in ("overrides", "rates"):
        for position in range(len(owner.get(part, []))):
            kept = owner[part][:position] + owner[part][position + 1 :]
            if part == "overrides" or any(one["product_id"] == owner[part][position]["product_id"] for one in kept):
                yield owner | {part: kept}
            for limit in ("minimum", "maximum", "entitled"):
                if limit in owner[part][position] and (part == "rates" or "type" in owner[part][position]):
                    row = {key: value for key, value in owner[part][position].items() if key != limit}
                    yield owner | {part: [*owner[part][:position], row, *owner[part][position + 1 :]]}


def minimized(one: Book, fails: Callable[[Book], bool], limit: int = 400) -> Book:
    """A small book that still fails, by greedy removal; `fails` is called at most `limit` times."""
    calls, progress = 0, True
    while progress and calls < limit:
        progress = False
        for candidate in smaller(one):
            calls += 1
            if fails(candidate):
                one, progress = candidate, True
                break
            if calls >= limit:
                break
    return one


def isolated(found: Sequence[Book], customer_id: str) -> Book:
    """The book that a customer of a merged close belongs to."""
    return next(one for one in found if any(customer["id"] == customer_id for customer in one.catalog["customers"]))


__all__ = [
    "ARRIVALS",
    "CONTESTED",
    "HOLDING",
    "NOW",
    "SETTINGS",
    "Book",
    "books",
    "expected",
    "isolated",
    "many_books",
    "merge",
    "minimized",
    "random_book",
]
