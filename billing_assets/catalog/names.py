"""What names mean: terms by id, aliases of rate cards in time, tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.naming import Suggestions
from billing_assets.catalog.overrides import OverwriteOverride
from billing_assets.catalog.products import Product, UsageProduct
from billing_assets.catalog.rates import Alias, PricingUnit, Rate, RateCard
from billing_assets.catalog.settings import Settings
from billing_assets.catalog.versions import usage_versions, versions


@dataclass(frozen=True)
class Names:
    """Terms by id. `known` has every id that was written, also of terms whose own shape is wrong."""

    settings: Settings | None
    billable_metrics: Mapping[str, BillableMetric]
    products: Mapping[str, Product]
    pricing_units: Mapping[str, PricingUnit]
    rate_cards: Mapping[str, RateCard]
    customers: Mapping[str, Customer]
    contracts: Mapping[str, Contract]
    known: Mapping[str, Collection[str]] = field(default_factory=dict)

    @cached_property
    def suggestions(self) -> dict[str, Suggestions]:
        return {collection: Suggestions(ids) for collection, ids in self.known.items()}

    @cached_property
    def aliases(self) -> dict[str, list[tuple[Alias, RateCard]]]:
        found: dict[str, list[tuple[Alias, RateCard]]] = {}
        for card in self.rate_cards.values():
            for alias in card.aliases:
                found.setdefault(alias.name, []).append((alias, card))
        return found

    @cached_property
    def tags(self) -> frozenset[str]:
        return frozenset(tag for product in self.products.values() for tag in tags_ever(product))

    @cached_property
    def rates_of(self) -> dict[str, dict[str, list[Rate]]]:
        """Rates by card, then by product."""
        found: dict[str, dict[str, list[Rate]]] = {}
        for card in self.rate_cards.values():
            by_product = found.setdefault(card.id, {})
            for rate in card.rates:
                by_product.setdefault(rate.product_id, []).append(rate)
        return found

    @cached_property
    def contracts_of(self) -> dict[str, list[Contract]]:
        """Contracts by customer, in the order of the catalog."""
        found: dict[str, list[Contract]] = {}
        for contract in self.contracts.values():
            found.setdefault(contract.customer_id, []).append(contract)
        return found

    @cached_property
    def followed_by(self) -> dict[str, list[str]]:
        """Contracts that follow a contract by a transition, in the order of the catalog."""
        found: dict[str, list[str]] = {}
        for contract in self.contracts.values():
            if contract.transition is not None:
                found.setdefault(contract.transition.from_contract_id, []).append(contract.id)
        return found

    @cached_property
    def usage_keys(self) -> frozenset[str]:
        """Properties that are a pricing or presentation key of a USAGE product, at any time."""
        usage = [one for product in self.products.values() for one in usage_versions(product)]
        return frozenset(key for one in usage for key in (*one.pricing_group_key, *one.presentation_group_key))

    def currency_of(self, contract: Contract) -> str | None:
        """The currency of the contract's rate card."""
        card = self.card_of(contract)
        return (card.currency or (self.settings.currency if self.settings else None)) if card else None

    def card_of(self, contract: Contract) -> RateCard | None:
        """The contract's rate card; an alias is resolved at the contract's start, and the card is kept."""
        if contract.rate_card_id is not None:
            return self.rate_cards.get(contract.rate_card_id)
        named = self.aliases.get(contract.rate_card_alias or "", ())
        return next((card for alias, card in named if in_force(alias, contract.starting_at)), None)

    def fiat_per_unit(self, contract: Contract, pricing_unit: str) -> Decimal:
        """What one unit costs in the currency of the contract's card, which has a conversion of it."""
        card = self.card_of(contract)
        conversions = card.pricing_unit_conversions if card else ()
        return next(one.fiat_per_unit for one in conversions if one.pricing_unit == pricing_unit)

    def usage_products_of(self, contract: Contract) -> list[UsageProduct]:
        """USAGE products that belong to the contract: rated by its card, or named by one of its OVERWRITEs."""
        card = self.card_of(contract)
        ids = dict.fromkeys(self.rates_of[card.id]) if card else {}
        found = (self.products.get(name) for name in ids | dict.fromkeys(overwritten(contract)))
        return [product for product in found if isinstance(product, UsageProduct)]


def names_of(catalog: Catalog) -> Names:
    """The names of a valid catalog."""
    collections = ("billable_metrics", "products", "pricing_units", "rate_cards", "customers", "contracts")
    return Names(
        settings=catalog.settings,
        **{name: {term.id: term for term in getattr(catalog, name)} for name in collections},
    )


def in_force(alias: Alias, at: datetime) -> bool:
    started = alias.starting_at is None or alias.starting_at <= at
    return started and (alias.ending_before is None or at < alias.ending_before)


def overwritten(contract: Contract) -> Iterable[str]:
    """Products that an OVERWRITE of the contract names."""
    return (
        specifier.product_id
        for override in contract.overrides
        if isinstance(override, OverwriteOverride)
        for specifier in override.override_specifiers
        if specifier.product_id is not None
    )


def tags_ever(product: Product) -> frozenset[str]:
    """The tags that a product has at any time."""
    return frozenset(tag for version in versions(product) for tag in version.product.tags)
