"""The catalog as a whole, in its one normal form; its version is the hash of its content.

The order of files and objects is no part of the content, but for contracts: their order decides ties
(docs/semantics.md, Order in the catalog). Everything else is sorted by its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import Field, TypeAdapter

from billing_assets.catalog.bulk import without_cycle_collection
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.products import Product
from billing_assets.catalog.rates import PricingUnit, Rate, RateCard
from billing_assets.catalog.settings import Settings
from billing_assets.catalog.terms import Term
from billing_assets.errors import Problem


class CatalogFile(Term):
    """A file of the catalog: any of its collections, in any file."""

    settings: Settings | None = Field(default=None, description="Settings of the whole book; in one file only.")
    billable_metrics: tuple[BillableMetric, ...] = Field(default=(), description="What is measured.")
    products: tuple[Product, ...] = Field(default=(), description="What is sold.")
    pricing_units: tuple[PricingUnit, ...] = Field(default=(), description="Custom units of prices.")
    rate_cards: tuple[RateCard, ...] = Field(default=(), description="What it costs.")
    customers: tuple[Customer, ...] = Field(default=(), description="Who buys.")
    contracts: tuple[Contract, ...] = Field(default=(), description="On which terms.")


TERMS: Mapping[str, Any] = {
    "billable_metrics": BillableMetric,
    "products": Product,
    "pricing_units": PricingUnit,
    "rate_cards": RateCard,
    "customers": Customer,
    "contracts": Contract,
}
"""What each collection holds, in the order in which documentation shows them."""

COLLECTIONS: Mapping[str, TypeAdapter[Any]] = {
    "billable_metrics": TypeAdapter(tuple[BillableMetric, ...]),
    "products": TypeAdapter(tuple[Product, ...]),
    "pricing_units": TypeAdapter(tuple[PricingUnit, ...]),
    "rate_cards": TypeAdapter(tuple[RateCard, ...]),
    "customers": TypeAdapter(tuple[Customer, ...]),
    "contracts": TypeAdapter(tuple[Contract, ...]),
}
"""How the list of each collection is validated and written: all of it in one call."""

SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)


@dataclass(frozen=True, eq=False)
class Catalog:
    """What was sold: every collection in normal form. `content` is its canonical JSON, `version` the hash of that, by
    which catalogs are compared."""

    settings: Settings
    billable_metrics: tuple[BillableMetric, ...]
    products: tuple[Product, ...]
    pricing_units: tuple[PricingUnit, ...]
    rate_cards: tuple[RateCard, ...]
    customers: tuple[Customer, ...]
    contracts: tuple[Contract, ...]
    version: str
    content: str = field(repr=False)
    warnings: tuple[Problem, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalog) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)


def normal_form(collection: str, terms: Sequence[Any]) -> tuple[Any, ...]:
    """`terms` in the order of the catalog's content."""
    if collection == "contracts":
        return tuple(terms)
    ordered = sorted(terms, key=lambda term: term.id)
    if collection == "rate_cards":
        return tuple(card.model_copy(update={"rates": tuple(sorted(card.rates, key=rate_key))}) for card in ordered)
    return tuple(ordered)


def rate_key(rate: Rate) -> tuple[str, str, str, str]:
    """Identifies a rate on its card."""
    values = group_text(rate.pricing_group_values)
    return rate.product_id, values, rate.billing_frequency or "", rate.starting_at.isoformat()


def group_text(values: Mapping[str, str | None]) -> str:
    """Canonical JSON of group values: keys sorted, compact, values text or null."""
    return compact_json(values)


def compact_json(value: Any) -> str:
    """Canonical JSON text: keys sorted, compact, UTF-8 not escaped."""
    return msgspec.json.encode(value, order="sorted").decode()


def assemble(settings: Settings, terms: Mapping[str, Sequence[Any]], warnings: Sequence[Problem] = ()) -> Catalog:
    """The catalog of validated terms: normal form, content, version."""
    ordered = {name: normal_form(name, terms.get(name, ())) for name in COLLECTIONS}
    content = content_of(settings, ordered)
    return Catalog(
        settings=settings,
        **ordered,
        version=hashlib.sha256(content.encode()).hexdigest(),
        content=content,
        warnings=tuple(warnings),
    )


def content_of(settings: Settings, terms: Mapping[str, Sequence[Any]]) -> str:
    """Canonical JSON text: keys sorted, numbers as text, what equals a default left out."""
    dumped = {
        name: msgspec.Raw(_canonical(adapter.dump_json(terms[name], exclude_defaults=True)))
        for name, adapter in COLLECTIONS.items()
    }
    dumped["settings"] = msgspec.Raw(_canonical(SETTINGS.dump_json(settings, exclude_defaults=True)))
    return msgspec.json.encode(dumped, order="sorted").decode()


def _canonical(text: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(text), order="sorted")


@without_cycle_collection
def catalog_from_content(text: str) -> Catalog:
    """The catalog that a recorded `content` was made from; its version is the hash of the text as it is."""
    raw = msgspec.json.decode(text)
    terms = {name: adapter.validate_python(raw.get(name, ())) for name, adapter in COLLECTIONS.items()}
    return Catalog(
        settings=SETTINGS.validate_python(raw["settings"]),
        **terms,
        version=hashlib.sha256(text.encode()).hexdigest(),
        content=text,
    )
