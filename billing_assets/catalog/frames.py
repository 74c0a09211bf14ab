"""The resolved catalog: typed frames, one row per rate, tier, override and target, which the engine joins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import polars as pl

from billing_assets.catalog.balance_columns import (
    ACCESS_SEGMENTS,
    BALANCE_CONTRACTS,
    COMMIT_CHARGES,
    RECURRING_BALANCES,
    SELECTORS,
    THRESHOLD_EXCLUSIONS,
    THRESHOLDS,
    TRUEUP_TERMS,
)
from billing_assets.catalog.balance_frames import balance_frames
from billing_assets.catalog.book import Catalog, compact_json
from billing_assets.catalog.bulk import without_cycle_collection
from billing_assets.catalog.charge_frames import (
    COMPOSITES,
    DISCOUNT_TARGETS,
    DISCOUNTS,
    PRICING_UNIT_CONVERSIONS,
    RECURRING_CHARGES,
    SCHEDULED_CHARGES,
    charge_frames,
)
from billing_assets.catalog.contract_frames import (
    CONTRACTS,
    USAGE_FILTERS,
    contract_rows,
    filter_rows,
    priced_products,
)
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import names_of
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
from billing_assets.catalog.product_frames import PRODUCT_VERSIONS, PRODUCTS, product_row, product_version_rows
from billing_assets.catalog.products import UsageProduct
from billing_assets.catalog.subscription_frames import (
    SUBSCRIPTION_QUANTITIES,
    SUBSCRIPTION_SEATS,
    SUBSCRIPTIONS,
    subscription_frames,
)
from billing_assets.catalog.tables import TEXT, WHOLE, Schema, table

CUSTOMERS: Schema = {"customer_id": TEXT, "name": TEXT, "customer_position": WHOLE, "bill_to": TEXT}
CUSTOMER_ALIASES: Schema = {"customer_ref": TEXT, "customer_id": TEXT}


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
    threshold_exclusions: pl.LazyFrame = field(default_factory=partial(table, THRESHOLD_EXCLUSIONS, ()))
    """One row per (contract, commit or credit that the threshold of its prepaid balance does not count)."""
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


_RESOLVED: WeakKeyDictionary[Catalog, CatalogFrames] = WeakKeyDictionary()


def resolve(catalog: Catalog) -> CatalogFrames:
    """The frames of a valid catalog (docs/catalog.md describes what people write); made once while it is in use."""
    found = _RESOLVED.get(catalog)
    if found is None:
        found = _RESOLVED[catalog] = _resolve(catalog)
    return found


@without_cycle_collection
def _resolve(catalog: Catalog) -> CatalogFrames:
    names = names_of(catalog)
    prices, tiers = price_frames(catalog)
    priced = priced_products(catalog, names)
    overrides, ranges, targets = override_frames(catalog, priced)
    usage = pl.LazyFrame(
        {"product_id": [product.id for product in catalog.products if isinstance(product, UsageProduct)]},
        schema={"product_id": TEXT},
    )
    pool_of = pools(catalog)
    balances, charges = balance_frames(catalog, names, pool_of), charge_frames(catalog, names)
    subscribed = subscription_frames(catalog, names)
    return CatalogFrames(
        customers=table(CUSTOMERS, map(_customer, range(len(catalog.customers)), catalog.customers)),
        customer_aliases=table(CUSTOMER_ALIASES, customer_references(catalog)),
        products=table(PRODUCTS, map(product_row, catalog.products)),
        product_versions=table(PRODUCT_VERSIONS, product_version_rows(catalog.products)),
        contracts=table(CONTRACTS, contract_rows(catalog, names, pool_of)),
        contract_products=priced.join(usage, on="product_id", how="semi", maintain_order="left"),
        usage_filters=table(USAGE_FILTERS, filter_rows(catalog)),
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
        threshold_exclusions=balances["threshold_exclusions"],
        scheduled_charges=charges["scheduled_charges"],
        recurring_charges=charges["recurring_charges"],
        subscriptions=subscribed["subscriptions"],
        subscription_quantities=subscribed["subscription_quantities"],
        subscription_seats=subscribed["subscription_seats"],
        discounts=charges["discounts"],
        discount_targets=charges["discount_targets"],
        composites=charges["composites"],
        pricing_unit_conversions=charges["pricing_unit_conversions"],
    )


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
