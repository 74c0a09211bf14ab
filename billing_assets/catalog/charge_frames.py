"""Charges as frames: scheduled charges, discounts, composites, custom units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charges import ScheduledCharge
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.catalog.names import Names
from billing_assets.catalog.products import CompositeProduct, FixedProduct, Product
from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.catalog.schedules import (
    AmountItem,
    ExplicitSchedule,
    RecurrenceSchedule,
    RecurringAmount,
    RecurringUnits,
    UnitItem,
)
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema, table
from billing_assets.columns import DECIMAL, TIMESTAMP

_AMOUNT: Schema = {"amount": DECIMAL, "quantity": DECIMAL, "unit_price": DECIMAL}
_CHARGE: Schema = {"charge_id": TEXT, "contract_id": TEXT, "product_id": TEXT, "name": TEXT}
SCHEDULED_CHARGES: Schema = {**_CHARGE, "charged_at": TIMESTAMP, **_AMOUNT}
RECURRING_CHARGES: Schema = {
    **_CHARGE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "frequency_months": WHOLE,
    "frequency_weeks": WHOLE,
    "distribution": TEXT,
    **_AMOUNT,
    "minor_digits": WHOLE,
}
DISCOUNTS: Schema = {
    "discount_id": TEXT,
    "contract_id": TEXT,
    "name": TEXT,
    "discount_type": TEXT,
    "value": DECIMAL,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "discount_position": WHOLE,
}
DISCOUNT_TARGETS: Schema = {"discount_id": TEXT, "product_id": TEXT}
COMPOSITES: Schema = {
    "product_id": TEXT,
    "base_product_id": TEXT,
    "scope": TEXT,
    "exclude_free_usage": FLAG,
}
PRICING_UNIT_CONVERSIONS: Schema = {
    "rate_card_id": TEXT,
    "pricing_unit": TEXT,
    "name": TEXT,
    "fiat_per_unit": DECIMAL,
}


def charge_frames(catalog: Catalog, names: Names) -> Mapping[str, pl.LazyFrame]:
    """The frames by the name of their field of CatalogFrames; their grains are said there."""
    charges = [(contract, found) for contract in catalog.contracts for found in contract.scheduled_charges]
    return {
        "scheduled_charges": table(SCHEDULED_CHARGES, _explicit(charges, names)),
        "recurring_charges": table(RECURRING_CHARGES, _recurring(charges, names)),
        "discounts": table(DISCOUNTS, _discounts(catalog)),
        "discount_targets": table(DISCOUNT_TARGETS, _discounted(catalog)),
        "composites": table(COMPOSITES, _composites(catalog)),
        "pricing_unit_conversions": table(PRICING_UNIT_CONVERSIONS, _conversions(catalog, names)),
    }


Charges = list[tuple[Contract, ScheduledCharge]]


def amounts(item: AmountItem | UnitItem | RecurringAmount | RecurringUnits) -> tuple[Decimal, Decimal, Decimal]:
    """amount, quantity, unit_price: an amount is one of that price."""
    if isinstance(item, AmountItem | RecurringAmount):
        return item.amount, Decimal(1), item.amount
    return item.unit_price * item.quantity, item.quantity, item.unit_price


def shown_name(given: str | None, product_id: str, names: Names) -> str:
    """A name of its own, else the product's."""
    return given if given is not None else names.products[product_id].name


def currency_of(contract: Contract, names: Names) -> str:
    card = names.card_of(contract)
    assert card is not None, contract.id
    assert names.settings is not None
    return card.currency or names.settings.currency


def _explicit(charges: Charges, names: Names) -> Iterator[tuple[Any, ...]]:
    for contract, charge in charges:
        if isinstance(charge.schedule, ExplicitSchedule):
            name = shown_name(charge.name, charge.product_id, names)
            for item in charge.schedule.schedule_items:
                yield charge.id, contract.id, charge.product_id, name, item.timestamp, *amounts(item)


def _recurring(charges: Charges, names: Names) -> Iterator[tuple[Any, ...]]:
    for contract, charge in charges:
        if isinstance(charge.schedule, RecurrenceSchedule):
            found = charge.schedule.recurring_schedule
            name = shown_name(charge.name, charge.product_id, names)
            end = found.ending_before or contract.ending_before
            yield (
                *(charge.id, contract.id, charge.product_id, name, found.starting_at, end),
                *(FREQUENCY_MONTHS[found.frequency], int(found.frequency == "WEEKLY"), found.amount_distribution),
                *(*amounts(found), MINOR_DIGITS[currency_of(contract, names)]),
            )


def _discounts(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    position = 0
    for contract in catalog.contracts:
        for found in contract.discounts:
            name = found.name if found.name is not None else found.id
            dates = found.starting_at, found.ending_before
            yield found.id, contract.id, name, found.type, found.value, *dates, position
            position += 1


def _discounted(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for contract in catalog.contracts:
        for found in contract.discounts:
            chosen, tags = set(found.applicable_product_ids), set(found.applicable_product_tags)
            for product in catalog.products:
                matches = product.id in chosen or bool(tags & set(product.tags))
                if matches or (not chosen and not tags and is_charged_by_use(product)):
                    yield found.id, product.id


def is_charged_by_use(product: Product) -> bool:
    """Products whose lines discounts and balances reach without being named: all but FIXED ones."""
    return not isinstance(product, FixedProduct)


def _composites(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    for composite in catalog.products:
        if isinstance(composite, CompositeProduct):
            tags = set(composite.composite_tags)
            for product in catalog.products:
                if product.type == "USAGE" and (
                    product.id in composite.composite_product_ids or tags & set(product.tags)
                ):
                    yield composite.id, product.id, composite.composite_scope, composite.exclude_free_usage


def _conversions(catalog: Catalog, names: Names) -> Iterator[tuple[Any, ...]]:
    for card in catalog.rate_cards:
        for found in card.pricing_unit_conversions:
            unit = names.pricing_units[found.pricing_unit]
            yield card.id, unit.id, unit.name or unit.id, found.fiat_per_unit
