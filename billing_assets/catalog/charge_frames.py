"""Charges as frames: subscriptions with their quantities, scheduled charges, purchases, discounts, composites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, assert_never

import polars as pl

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charges import ScheduledCharge
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.catalog.names import Names
from billing_assets.catalog.products import CompositeProduct, FixedProduct, Product
from billing_assets.catalog.schedules import (
    AmountItem,
    ExplicitSchedule,
    RecurrenceSchedule,
    RecurringAmount,
    RecurringUnits,
    UnitItem,
)
from billing_assets.catalog.subscriptions import QuantitySubscription, SeatSubscription, SetQuantity, Subscription
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema, table
from billing_assets.columns import DECIMAL, TIMESTAMP

MONTHS = {"WEEKLY": 0, "MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}

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
SUBSCRIPTIONS: Schema = {
    "subscription_id": TEXT,
    "contract_id": TEXT,
    "product_id": TEXT,
    "name": TEXT,
    "frequency_months": WHOLE,
    "frequency_weeks": WHOLE,
    "collection": TEXT,
    "is_prorated": FLAG,
    "bill_immediately": FLAG,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "position": WHOLE,
}
SUBSCRIPTION_QUANTITIES: Schema = {"subscription_id": TEXT, "starting_at": TIMESTAMP, "quantity": DECIMAL}
SUBSCRIPTION_SEATS: Schema = {
    "subscription_id": TEXT,
    "seat_id": TEXT,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
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
    subscriptions = [(contract, found) for contract in catalog.contracts for found in contract.subscriptions]
    charges = [(contract, found) for contract in catalog.contracts for found in contract.scheduled_charges]
    return {
        "scheduled_charges": table(SCHEDULED_CHARGES, _explicit(charges, names)),
        "recurring_charges": table(RECURRING_CHARGES, _recurring(charges, names)),
        "subscriptions": table(SUBSCRIPTIONS, _subscriptions(subscriptions, names)),
        "subscription_quantities": table(SUBSCRIPTION_QUANTITIES, _quantities(subscriptions)),
        "subscription_seats": table(SUBSCRIPTION_SEATS, _seats(subscriptions)),
        "discounts": table(DISCOUNTS, _discounts(catalog)),
        "discount_targets": table(DISCOUNT_TARGETS, _discounted(catalog)),
        "composites": table(COMPOSITES, _composites(catalog)),
        "pricing_unit_conversions": table(PRICING_UNIT_CONVERSIONS, _conversions(catalog, names)),
    }


Charges = list[tuple[Contract, ScheduledCharge]]
Subscriptions = list[tuple[Contract, Subscription]]


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
                *(MONTHS[found.frequency], int(found.frequency == "WEEKLY"), found.amount_distribution),
                *(*amounts(found), MINOR_DIGITS[currency_of(contract, names)]),
            )


def _subscriptions(subscriptions: Subscriptions, names: Names) -> Iterator[tuple[Any, ...]]:
    for position, (contract, found) in enumerate(subscriptions):
        yield (
            *(found.id, contract.id, found.product_id, names.products[found.product_id].name),
            *(MONTHS[found.billing_frequency], int(found.billing_frequency == "WEEKLY"), found.collection_schedule),
            found.proration.is_prorated,
            found.proration.invoice_behavior == "BILL_IMMEDIATELY",
            _start(contract, found),
            _end(contract, found),
            position,
        )


def _start(contract: Contract, subscription: Subscription) -> datetime:
    return subscription.starting_at or contract.starting_at


def _end(contract: Contract, subscription: Subscription) -> datetime | None:
    ends = [end for end in (subscription.ending_before, contract.ending_before) if end is not None]
    return min(ends, default=None)


def _quantities(subscriptions: Subscriptions) -> Iterator[tuple[Any, ...]]:
    """One row per instant at which the quantity changes: updates of one instant give its final quantity."""
    for contract, found in subscriptions:
        start = _start(contract, found)
        match found:
            case QuantitySubscription():
                changes = _by_quantity(found, start)
            case SeatSubscription():
                changes = ((at, Decimal(seats.count)) for at, seats in _by_seat(found, start))
            case _:
                assert_never(found)
        # What is updated at the start, or before it, is the quantity at the start: the last of one instant counts.
        for at, quantity in {max(at, start): quantity for at, quantity in changes}.items():
            yield found.id, at, quantity


def _by_quantity(subscription: QuantitySubscription, start: datetime) -> Iterator[tuple[datetime, Decimal]]:
    quantity = subscription.initial_quantity
    yield start, quantity
    ordered = sorted(subscription.quantity_updates, key=lambda update: update.starting_at)
    for at, together in groupby(ordered, key=lambda update: update.starting_at):
        for update in together:
            changed = update.quantity if isinstance(update, SetQuantity) else quantity + update.quantity_delta
            quantity = max(changed, Decimal(0))
        yield at, quantity


@dataclass
class _Seats:
    """Assigned seats with the instant since when, and how many nobody has."""

    unassigned: int
    assigned: dict[str, datetime] = field(default_factory=dict)
    given_up: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.assigned) + self.unassigned

    def add(self, seat: str, at: datetime) -> None:
        """A new seat fills one that nobody has, where there is one."""
        if seat not in self.assigned:
            self.assigned[seat] = at
            self.unassigned = max(self.unassigned - 1, 0)

    def remove(self, seat: str, at: datetime) -> None:
        """Removing an unknown seat is no change."""
        since = self.assigned.pop(seat, None)
        if since is not None and since < at:
            self.given_up.append((seat, since, at))


def _by_seat(subscription: SeatSubscription, start: datetime) -> Iterator[tuple[datetime, _Seats]]:
    """The seats after each instant at which they change (the same object, moved on)."""
    config = subscription.seat_config
    seats = _Seats(config.initial_unassigned_seats, dict.fromkeys(config.initial_seat_ids, start))
    yield start, seats
    ordered = sorted(subscription.quantity_updates, key=lambda update: update.starting_at)
    for at, together in groupby(ordered, key=lambda update: update.starting_at):
        for update in together:
            seats.unassigned = max(seats.unassigned + update.add_unassigned_seats - update.remove_unassigned_seats, 0)
            for seat in update.add_seat_ids:
                seats.add(seat, at)
            for seat in update.remove_seat_ids:
                seats.remove(seat, at)
        yield at, seats


def _seats(subscriptions: Subscriptions) -> Iterator[tuple[Any, ...]]:
    for contract, found in subscriptions:
        if isinstance(found, SeatSubscription):
            *_, (_, seats) = _by_seat(found, _start(contract, found))
            for seat, since, until in seats.given_up:
                yield found.id, seat, since, until
            for seat, since in seats.assigned.items():
                yield found.id, seat, since, None


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
