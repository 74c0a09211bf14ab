"""Subscriptions as frames: their terms, their quantity at every instant, who has which seat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, assert_never

import polars as pl

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names
from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.catalog.subscriptions import QuantitySubscription, SeatSubscription, SetQuantity, Subscription
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema, table
from billing_assets.columns import DECIMAL, TIMESTAMP

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

Subscriptions = list[tuple[Contract, Subscription]]


def subscription_frames(catalog: Catalog, names: Names) -> Mapping[str, pl.LazyFrame]:
    """The frames by the name of their field of CatalogFrames; their grains are said there."""
    found = [(contract, each) for contract in catalog.contracts for each in contract.subscriptions]
    return {
        "subscriptions": table(SUBSCRIPTIONS, _subscriptions(found, names)),
        "subscription_quantities": table(SUBSCRIPTION_QUANTITIES, _quantities(found)),
        "subscription_seats": table(SUBSCRIPTION_SEATS, _seats(found)),
    }


def _subscriptions(subscriptions: Subscriptions, names: Names) -> Iterator[tuple[Any, ...]]:
    for position, (contract, found) in enumerate(subscriptions):
        yield (
            *(found.id, contract.id, found.product_id, names.products[found.product_id].name),
            *(
                FREQUENCY_MONTHS[found.billing_frequency],
                int(found.billing_frequency == "WEEKLY"),
                found.collection_schedule,
            ),
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
