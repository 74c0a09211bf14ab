"""The catalog as tables for analysts: one row per id and catalog version, `is_current` for the version in force.

A frame here is of one catalog, so all its rows are current; who stores several versions sets the flag of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from billing_assets.catalog.book import Catalog, compact_json, group_text
from billing_assets.catalog.commits import Credit, PostpaidCommit, PrepaidCommit, RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.dimension_columns import DIMENSIONS
from billing_assets.catalog.frames import customer_references
from billing_assets.catalog.metrics import BillableMetric, CountMetric, SqlMetric
from billing_assets.catalog.names import Names, names_of
from billing_assets.catalog.overrides import EntitlementOverride, MultiplierOverride, OverwriteOverride
from billing_assets.catalog.price_frames import override_id, rate_id, with_ends
from billing_assets.catalog.prices import Price
from billing_assets.catalog.product_frames import product_row
from billing_assets.catalog.rates import Rate
from billing_assets.catalog.rules.balances import BALANCES, amount_of
from billing_assets.catalog.subscriptions import QuantitySubscription
from billing_assets.catalog.tables import table


def dimension_frames(catalog: Catalog) -> dict[str, pl.LazyFrame]:
    """The dimension tables of one catalog, by name. Lists and mappings are canonical JSON text."""
    names = names_of(catalog)
    rows: Mapping[str, Iterator[tuple[Any, ...]]] = {
        "customers": (_customer(customer) for customer in catalog.customers),
        "customer_aliases": customer_references(catalog),
        "products": (_product(row) for row in map(product_row, catalog.products)),
        "billable_metrics": (_metric(metric) for metric in catalog.billable_metrics),
        "rate_cards": _rate_cards(catalog),
        "rates": _rates(catalog),
        "contracts": (_contract(contract, catalog, names) for contract in catalog.contracts),
        "overrides": _overrides(catalog),
        "commits": _commits(catalog),
        "subscriptions": _subscriptions(catalog),
    }
    version = pl.lit(catalog.version).alias("catalog_version")
    return {
        name: table(schema, rows[name]).with_columns(version, is_current=True) for name, schema in DIMENSIONS.items()
    }


def _json(value: Any) -> str | None:
    """Terms as canonical JSON text, defaults left out; null where there is nothing."""
    return compact_json(_plain(value)) if value else None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else value


def _price(price: Price | Rate) -> tuple[str, Any, str]:
    shape = price.model_dump(mode="json", exclude_defaults=True, include=_SHAPE)
    return price.rate_type, getattr(price, "price", None), compact_json(shape)


_SHAPE = {
    "price",
    "tiers",
    "package_size",
    "free_units",
    "fixed_fee",
    "free_events",
    "free_amount",
    "expression",
    "minimum",
    "maximum",
}


def _customer(customer: Customer) -> tuple[Any, ...]:
    return customer.id, customer.name, customer.email, compact_json(customer.address), compact_json(customer.tax_ids)


def _product(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(compact_json(value) if isinstance(value, list) else value for value in row)


def _metric(metric: BillableMetric) -> tuple[Any, ...]:
    keys = compact_json(metric.group_keys)
    if isinstance(metric, SqlMetric):
        return metric.id, metric.label, metric.aggregation_type, None, None, None, keys, metric.sql
    key = None if isinstance(metric, CountMetric) else metric.aggregation_key
    types, filters = _json(metric.event_type_filter), _json(metric.property_filters)
    return metric.id, metric.label, metric.aggregation_type, key, types, filters, keys, None


def _rate_cards(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for card in catalog.rate_cards:
        yield card.id, card.name or card.id, card.currency or catalog.settings.currency, _json(card.aliases)


def _rates(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for card in catalog.rate_cards:
        for rate, end in with_ends(card):
            values = group_text(rate.pricing_group_values)
            place = (rate_id(card, rate), card.id, rate.product_id, values, rate.billing_frequency)
            yield *place, rate.starting_at, end, rate.entitled, *_price(rate), rate.minimum, rate.maximum


def _contract(contract: Contract, catalog: Catalog, names: Names) -> tuple[Any, ...]:
    card = names.card_of(contract)
    schedule, provider = contract.usage_statement_schedule, contract.billing_provider
    return (
        contract.id,
        contract.name or contract.id,
        contract.customer_id,
        card.id if card else None,
        (card.currency if card else None) or catalog.settings.currency,
        contract.starting_at,
        contract.ending_before,
        schedule.frequency,
        schedule.anchor,
        contract.net_payment_terms_days,
        contract.late_usage,
        contract.skip_zero_invoices,
        _json(contract.usage_filter),
        compact_json(provider) if isinstance(provider, dict) else provider,
    )


def _overrides(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for contract in catalog.contracts:
        for position, override in enumerate(contract.overrides):
            kind = None if isinstance(override, EntitlementOverride) else override.type
            multiplier = override.multiplier if isinstance(override, MultiplierOverride) else None
            priced = _price(override.overwrite_rate) if isinstance(override, OverwriteOverride) else (None, None, None)
            yield (
                override_id(contract.id, position, override.id),
                contract.id,
                kind,
                override.starting_at,
                override.ending_before,
                multiplier,
                *priced,
                override.entitled,
                override.priority,
                override.target,
                _json(override.override_specifiers),
                _json(override.applicable_product_tags),
                _json(getattr(override, "tiers", ())),
            )


def _commits(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for customer in catalog.customers:
        for balance in (*customer.commits, *customer.credits):
            yield _commit(balance, customer.id, None)
    for contract in catalog.contracts:
        for field in BALANCES:
            for balance in getattr(contract, field):
                yield _commit(balance, contract.customer_id, contract.id)


def _commit(
    balance: PrepaidCommit | PostpaidCommit | Credit | RecurringCredit, customer_id: str, contract_id: str | None
) -> tuple[Any, ...]:
    kind = getattr(balance, "type", "PREPAID" if hasattr(balance, "invoice_amount") else "CREDIT")
    if isinstance(balance, RecurringCredit):
        granted: Any = balance.access_amount.unit_price * balance.access_amount.quantity
        bought = getattr(balance, "invoice_amount", None)
        charged: Any = bought.unit_price * bought.quantity if bought else None
        dates: tuple[Any, Any] = (balance.starting_at, balance.ending_before)
    else:
        items = getattr(balance, "invoice_schedule", ())
        granted = sum(item.amount for item in balance.access_schedule)
        charged = sum(amount_of(item) for item in items) if items else None
        ends = [item.ending_before for item in balance.access_schedule]
        dates = (
            min(item.starting_at for item in balance.access_schedule),
            None if None in ends else max(end for end in ends if end is not None),
        )
    is_recurring = isinstance(balance, RecurringCredit)
    own = (balance.id, kind, is_recurring, customer_id, contract_id, balance.product_id, balance.name)
    drawn = (balance.priority, balance.access_type, balance.rate_type)
    return *own, *drawn, granted, charged, *dates, _json(balance)


def _subscriptions(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for contract in catalog.contracts:
        for found in contract.subscriptions:
            if isinstance(found, QuantitySubscription):
                quantity: Any = found.initial_quantity
            else:
                quantity = len(found.seat_config.initial_seat_ids) + found.seat_config.initial_unassigned_seats
            yield (
                found.id,
                contract.customer_id,
                contract.id,
                found.product_id,
                found.billing_frequency,
                found.collection_schedule,
                found.quantity_management_mode,
                quantity,
                found.starting_at or contract.starting_at,
                found.ending_before or contract.ending_before,
                _json(found),
            )
