"""The resolved catalog: typed frames, one row per rate, tier, override and target, which the engine joins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import polars as pl

from billing_assets.catalog.balance_columns import (
    ACCESS_SEGMENTS,
    BALANCE_CONTRACTS,
    COMMIT_CHARGES,
    RECURRING_BALANCES,
    SELECTORS,
    THRESHOLDS,
    TRUEUP_TERMS,
)
from billing_assets.catalog.balance_frames import balance_frames
from billing_assets.catalog.book import Catalog
from billing_assets.catalog.bulk import without_cycle_collection
from billing_assets.catalog.charge_frames import (
    COMPOSITES,
    DISCOUNT_TARGETS,
    DISCOUNTS,
    PRICING_UNIT_CONVERSIONS,
    RECURRING_CHARGES,
    SCHEDULED_CHARGES,
    SUBSCRIPTION_QUANTITIES,
    SUBSCRIPTION_SEATS,
    SUBSCRIPTIONS,
    charge_frames,
)
from billing_assets.catalog.contracts import ChildHierarchy, Contract
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import Names, overwritten
from billing_assets.catalog.override_frames import OVERRIDE_COMMITS, override_commits, override_frames
from billing_assets.catalog.pools import pools
from billing_assets.catalog.price_frames import (
    CHARGE_RATES,
    RATES,
    charge_rate_rows,
    expressions,
    price_frames,
    rate_rows,
)
from billing_assets.catalog.products import FixedProduct, Product, UsageProduct
from billing_assets.catalog.tables import FLAG, TEXT, TEXTS, WHOLE, Schema, table
from billing_assets.catalog.versions import versions
from billing_assets.columns import DECIMAL, TIMESTAMP

FREQUENCY_MONTHS = {"WEEKLY": 0, "MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}

CUSTOMERS: Schema = {"customer_id": TEXT, "name": TEXT, "customer_position": WHOLE, "bill_to": TEXT}
CUSTOMER_ALIASES: Schema = {"customer_ref": TEXT, "customer_id": TEXT}
PRODUCTS: Schema = {
    "product_id": TEXT,
    "name": TEXT,
    "product_type": TEXT,
    "billable_metric_id": TEXT,
    "pricing_keys": TEXTS,
    "presentation_keys": TEXTS,
    "tags": TEXT,
    "conversion_factor": DECIMAL,
    "conversion_operation": TEXT,
    "unit": TEXT,
    "rounding_method": TEXT,
    "rounding_unit": DECIMAL,
    "tax_code": TEXT,
}
PRODUCT_VERSIONS: Schema = {
    **PRODUCTS,
    "product_version": WHOLE,
    "taking": WHOLE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "has_updates": FLAG,
    "pricing_names": TEXT,
    "presentation_names": TEXT,
}
"""The product as it is in [starting_at, ending_before), null: open. `taking` is as in `versions.ProductVersion`;
`pricing_names`, `presentation_names` are the keys as canonical JSON has them: `"model","region"`."""

CONTRACTS: Schema = {
    "contract_id": TEXT,
    "contract_position": WHOLE,
    "customer_id": TEXT,
    "rate_card_id": TEXT,
    "currency": TEXT,
    "minor_digits": WHOLE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "frequency_months": WHOLE,
    "frequency_weeks": WHOLE,
    "anchor_at": TIMESTAMP,
    "net_payment_terms_days": WHOLE,
    "skip_zero_invoices": FLAG,
    "metric_exception_tolerance": WHOLE,
    "late_usage": TEXT,
    "multiplier_override_prioritization": TEXT,
    "billing_provider": TEXT,
    "pool": TEXT,
    "minimum_spend": DECIMAL,
    "bills_charges_on_usage_invoices": FLAG,
    "payer_contract_id": TEXT,
    "parent_contract_id": TEXT,
    "follows_contract_id": TEXT,
    "transition_type": TEXT,
}
"""`pool` is the component of contracts that can reach a common balance. `payer_contract_id` is the parent where that
pays, else the contract itself."""
USAGE_FILTERS: Schema = {
    "contract_id": TEXT,
    "group_key": TEXT,
    "group_values": TEXTS,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
}
_CARD_PRODUCTS: Schema = {"rate_card_id": TEXT, "product_id": TEXT}
_NAMED_PRODUCTS: Schema = {"contract_id": TEXT, "product_id": TEXT}


@dataclass(frozen=True)
class CatalogFrames:
    """The catalog as the engine joins it. Grains: the first columns of each frame, as said beside it."""

    customers: pl.LazyFrame
    """One row per customer."""
    customer_aliases: pl.LazyFrame
    """One row per name under which events arrive: ids and ingest aliases."""
    products: pl.LazyFrame
    """One row per product, as it was first written."""
    product_versions: pl.LazyFrame
    """One row per (product, span between two of its updates): the product as it then is."""
    contracts: pl.LazyFrame
    """One row per contract, its alias resolved and its period anchor worked out."""
    contract_products: pl.LazyFrame
    """One row per (contract, USAGE product that belongs to it)."""
    usage_filters: pl.LazyFrame
    """One row per (contract, dated filter)."""
    rates: pl.LazyFrame
    """One row per rate of a USAGE product, its end resolved."""
    prices: pl.LazyFrame
    """One row per price: of a rate, or of an OVERWRITE."""
    price_tiers: pl.LazyFrame
    """One row per (price, tier)."""
    overrides: pl.LazyFrame
    """One row per override."""
    override_tiers: pl.LazyFrame
    """One row per (TIERED override, range)."""
    override_targets: pl.LazyFrame
    """One row per (override, product, combination of values that must match)."""
    override_commits: pl.LazyFrame = field(default_factory=partial(table, OVERRIDE_COMMITS, ()))
    """One row per (override, specifier, commit or credit that it names)."""
    access_segments: pl.LazyFrame = field(default_factory=partial(table, ACCESS_SEGMENTS, ()))
    """One row per (commit or credit, item of its access schedule)."""
    recurring_balances: pl.LazyFrame = field(default_factory=partial(table, RECURRING_BALANCES, ()))
    """One row per recurring commit or credit."""
    balance_contracts: pl.LazyFrame = field(default_factory=partial(table, BALANCE_CONTRACTS, ()))
    """One row per (commit or credit, contract that may draw it)."""
    selectors: pl.LazyFrame = field(default_factory=partial(table, SELECTORS, ()))
    """One row per (selection of products, product, combination of values that must match, or must not)."""
    commit_charges: pl.LazyFrame = field(default_factory=partial(table, COMMIT_CHARGES, ()))
    """One row per (PREPAID commit, item of its invoice schedule)."""
    trueup_terms: pl.LazyFrame = field(default_factory=partial(table, TRUEUP_TERMS, ()))
    """One row per POSTPAID commit that ends."""
    thresholds: pl.LazyFrame = field(default_factory=partial(table, THRESHOLDS, ()))
    """One row per (contract, kind of threshold)."""
    charge_rates: pl.LazyFrame = field(default_factory=partial(table, CHARGE_RATES, ()))
    """One row per rate of a SUBSCRIPTION or COMPOSITE product, its end resolved."""
    scheduled_charges: pl.LazyFrame = field(default_factory=partial(table, SCHEDULED_CHARGES, ()))
    """One row per (scheduled charge, named instant)."""
    recurring_charges: pl.LazyFrame = field(default_factory=partial(table, RECURRING_CHARGES, ()))
    """One row per scheduled charge that comes back."""
    subscriptions: pl.LazyFrame = field(default_factory=partial(table, SUBSCRIPTIONS, ()))
    """One row per subscription."""
    subscription_quantities: pl.LazyFrame = field(default_factory=partial(table, SUBSCRIPTION_QUANTITIES, ()))
    """One row per (subscription, instant at which its quantity changes): the quantity from then on."""
    subscription_seats: pl.LazyFrame = field(default_factory=partial(table, SUBSCRIPTION_SEATS, ()))
    """One row per (subscription, seat, span in which it is assigned)."""
    discounts: pl.LazyFrame = field(default_factory=partial(table, DISCOUNTS, ()))
    """One row per discount."""
    discount_targets: pl.LazyFrame = field(default_factory=partial(table, DISCOUNT_TARGETS, ()))
    """One row per (discount, product that it reaches)."""
    composites: pl.LazyFrame = field(default_factory=partial(table, COMPOSITES, ()))
    """One row per (COMPOSITE product, product of its base)."""
    pricing_unit_conversions: pl.LazyFrame = field(default_factory=partial(table, PRICING_UNIT_CONVERSIONS, ()))
    """One row per (rate card, custom pricing unit)."""
    expressions: tuple[str, ...] = ()
    """Every expression of a CUSTOM price, once: what a plan must know before it sees a row."""


@without_cycle_collection
def resolve(catalog: Catalog) -> CatalogFrames:
    """The frames of a valid catalog (docs/catalog.md describes what people write)."""
    names = names_of(catalog)
    prices, tiers = price_frames(catalog)
    priced_products = _contract_products(catalog, names)
    overrides, ranges, targets = override_frames(catalog, priced_products)
    usage = pl.LazyFrame(
        {"product_id": [product.id for product in catalog.products if isinstance(product, UsageProduct)]},
        schema={"product_id": TEXT},
    )
    balances, charges = balance_frames(catalog, names), charge_frames(catalog, names)
    return CatalogFrames(
        customers=table(CUSTOMERS, map(_customer, range(len(catalog.customers)), catalog.customers)),
        customer_aliases=table(CUSTOMER_ALIASES, customer_references(catalog)),
        products=table(PRODUCTS, map(product_row, catalog.products)),
        product_versions=table(PRODUCT_VERSIONS, product_version_rows(catalog.products)),
        contracts=table(CONTRACTS, _contracts(catalog, names)),
        contract_products=priced_products.join(usage, on="product_id", how="semi", maintain_order="left"),
        usage_filters=table(USAGE_FILTERS, _filters(catalog)),
        rates=table(RATES, rate_rows(catalog)),
        prices=prices,
        price_tiers=tiers,
        overrides=overrides,
        override_tiers=ranges,
        override_targets=targets,
        override_commits=override_commits(catalog),
        expressions=expressions(catalog),
        charge_rates=table(CHARGE_RATES, charge_rate_rows(catalog)),
        access_segments=balances["access_segments"],
        recurring_balances=balances["recurring_balances"],
        balance_contracts=balances["balance_contracts"],
        selectors=balances["selectors"],
        commit_charges=balances["commit_charges"],
        trueup_terms=balances["trueup_terms"],
        thresholds=balances["thresholds"],
        scheduled_charges=charges["scheduled_charges"],
        recurring_charges=charges["recurring_charges"],
        subscriptions=charges["subscriptions"],
        subscription_quantities=charges["subscription_quantities"],
        subscription_seats=charges["subscription_seats"],
        discounts=charges["discounts"],
        discount_targets=charges["discount_targets"],
        composites=charges["composites"],
        pricing_unit_conversions=charges["pricing_unit_conversions"],
    )


def names_of(catalog: Catalog) -> Names:
    collections = ("billable_metrics", "products", "pricing_units", "rate_cards", "customers", "contracts")
    return Names(
        settings=catalog.settings,
        **{name: {term.id: term for term in getattr(catalog, name)} for name in collections},
    )


def compact_json(value: Any) -> str:
    """Canonical JSON text: keys sorted, compact, UTF-8 not escaped."""
    return msgspec.json.encode(value, order="sorted").decode()


def _customer(position: int, customer: Customer) -> tuple[Any, ...]:
    bill_to = {
        "name": customer.name,
        "address": customer.address,
        "tax_ids": customer.tax_ids,
        "email": customer.email,
    }
    return customer.id, customer.name, position, compact_json(bill_to)


def customer_references(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for customer in catalog.customers:
        for name in dict.fromkeys((customer.id, *customer.ingest_aliases)):
            yield name, customer.id


def product_row(product: Product) -> tuple[Any, ...]:
    tags = compact_json(sorted(set(product.tags)))
    if not isinstance(product, UsageProduct):
        return (
            product.id,
            product.name,
            product.type,
            None,
            [],
            [],
            tags,
            None,
            None,
            None,
            None,
            None,
            product.tax_code,
        )
    conversion, rounding = product.quantity_conversion, product.quantity_rounding
    return (
        product.id,
        product.name,
        product.type,
        product.billable_metric_id,
        sorted(product.pricing_group_key),
        sorted(product.presentation_group_key),
        tags,
        conversion.conversion_factor if conversion else None,
        conversion.operation if conversion else None,
        conversion.name if conversion else None,
        rounding.rounding_method if rounding else None,
        f"1e{-rounding.decimal_places}" if rounding else None,
        product.tax_code,
    )


def product_version_rows(products: Iterable[Product]) -> Iterator[tuple[Any, ...]]:
    """Rows of PRODUCT_VERSIONS."""
    for product in products:
        found = versions(product)
        for each in found:
            span = each.starting_at, each.ending_before
            row = product_row(each.product)
            names = (_names(row[list(PRODUCTS).index(keys)]) for keys in ("pricing_keys", "presentation_keys"))
            yield *row, each.number, each.taking, *span, len(found) > 1, *names


def _names(keys: list[str]) -> str:
    """Keys as they stand in canonical JSON: `"model","region"`."""
    return ",".join(compact_json(key) for key in keys)


def _contracts(catalog: Catalog, names: Names) -> Iterator[tuple[Any, ...]]:
    pool_of = pools(catalog)
    for position, contract in enumerate(catalog.contracts):
        card = names.card_of(contract)
        assert card is not None, contract.id
        currency = card.currency or catalog.settings.currency
        frequency = contract.usage_statement_schedule.frequency
        provider = contract.billing_provider
        yield (
            contract.id,
            position,
            contract.customer_id,
            card.id,
            currency,
            MINOR_DIGITS[currency],
            contract.starting_at,
            contract.ending_before,
            FREQUENCY_MONTHS[frequency],
            1 if frequency == "WEEKLY" else 0,
            anchor_of(contract),
            contract.net_payment_terms_days,
            contract.skip_zero_invoices,
            contract.metric_exception_tolerance,
            contract.late_usage,
            contract.multiplier_override_prioritization,
            compact_json(provider) if isinstance(provider, dict) else provider,
            pool_of[contract.id],
            contract.minimum_spend.amount if contract.minimum_spend else None,
            contract.scheduled_charges_on_usage_invoices == "ALL",
            *_relations(contract),
        )


def _relations(contract: Contract) -> tuple[str | None, ...]:
    """payer, parent, predecessor, kind of transition."""
    child = contract.hierarchy if isinstance(contract.hierarchy, ChildHierarchy) else None
    parent = child.parent_contract_id if child else None
    payer = parent if child and child.payer == "PARENT" else contract.id
    follows = contract.transition
    return payer, parent, follows.from_contract_id if follows else None, follows.type if follows else None


def anchor_of(contract: Contract) -> datetime:
    """The instant from which billing periods are counted (docs/semantics.md, Periods)."""
    schedule, start = contract.usage_statement_schedule, contract.starting_at
    match schedule.anchor:
        case "FIRST_OF_MONTH":
            return start.replace(day=1, hour=0)
        case "CONTRACT_START":
            return start
        case "CUSTOM_DATE":
            assert schedule.billing_anchor_date is not None, contract.id
            return schedule.billing_anchor_date


def _filters(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for contract in catalog.contracts:
        for found in contract.usage_filter:
            start = found.starting_at or contract.starting_at
            yield contract.id, found.group_key, list(found.group_values), start, found.ending_before


def _contract_products(catalog: Catalog, names: Names) -> pl.LazyFrame:
    """Priced products that a card has any rate of, by every contract of the card, or that an OVERWRITE names."""
    priced = {product.id for product in catalog.products if not isinstance(product, FixedProduct)}
    on_cards = table(
        _CARD_PRODUCTS,
        ((card, product) for card, rates in names.rates_of.items() for product in rates if product in priced),
    )
    by_overwrite = table(
        _NAMED_PRODUCTS,
        ((contract.id, name) for contract in catalog.contracts for name in overwritten(contract) if name in priced),
    )
    cards = table(
        {"contract_id": TEXT, "rate_card_id": TEXT},
        ((contract.id, card.id) for contract in catalog.contracts if (card := names.card_of(contract)) is not None),
    )
    by_card = cards.join(on_cards, on="rate_card_id").select("contract_id", "product_id")
    return pl.concat([by_card, by_overwrite]).unique().sort("contract_id", "product_id")
