"""Subscriptions: a price per seat and period."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from billing_assets.catalog.rates import Frequency
from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Count, Exact, Flag, Id, Instant, Key, NotNegative


class SubscriptionProration(Term):
    """What happens with parts of a period."""

    is_prorated: Flag = Field(default=False, description="true: a part of a period costs a part of the price.")
    invoice_behavior: Literal["BILL_IMMEDIATELY", "BILL_ON_NEXT_COLLECTION_DATE"] = Field(
        default="BILL_IMMEDIATELY", description="When an increase inside a period is billed."
    )


class SetQuantity(Term):
    """From an instant on, this many."""

    starting_at: Instant = Field(description="First instant of the new quantity.")
    quantity: NotNegative = Field(description="The new quantity.")


class ChangeQuantity(Term):
    """From an instant on, this many more or fewer."""

    starting_at: Instant = Field(description="First instant of the new quantity.")
    quantity_delta: Exact = Field(description="The change.")


def _update_kind(value: object) -> str:
    written = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "a change" if "quantity_delta" in written and "quantity" not in written else "a quantity"


QuantityUpdate = Annotated[
    Annotated[SetQuantity, Tag("a quantity")] | Annotated[ChangeQuantity, Tag("a change")],
    Discriminator(_update_kind),
]


class SeatUpdate(Term):
    """A change of the seats at an instant."""

    starting_at: Instant = Field(description="First instant of the change.")
    add_seat_ids: tuple[Id, ...] = Field(
        default=(), description="Seats that are assigned; they fill unassigned ones first."
    )
    remove_seat_ids: tuple[Id, ...] = Field(default=(), description="Seats that are given up.")
    add_unassigned_seats: Count = Field(default=0, description="Seats that nobody has yet.")
    remove_unassigned_seats: Count = Field(default=0, description="Unassigned seats that are given up.")


class SeatConfig(Term):
    """The seats at the subscription's start."""

    seat_group_key: Key = Field(description="The property of events that names the seat.")
    initial_seat_ids: tuple[Id, ...] = Field(default=(), description="Seats that are assigned.")
    initial_unassigned_seats: Count = Field(default=0, description="Seats that nobody has yet.")


class _Subscription(Term):
    id: Id = Field(description="Identifies the subscription.")
    product_id: Id = Field(description="The SUBSCRIPTION product.")
    billing_frequency: Frequency = Field(description="Its period; the rate of this frequency prices it.")
    collection_schedule: Literal["ADVANCE", "ARREARS"] = Field(
        default="ADVANCE", description="Charged at start or end."
    )
    proration: SubscriptionProration = Field(default=SubscriptionProration(), description="Parts of a period.")
    starting_at: Instant | None = Field(default=None, description="Its start; absent: the contract's.")
    ending_before: Instant | None = Field(default=None, description="Its end; absent: the contract's.")


class QuantitySubscription(_Subscription):
    """A number of seats that the catalog states."""

    quantity_management_mode: Literal["QUANTITY_ONLY"] = Field(
        default="QUANTITY_ONLY", description="How seats are counted."
    )
    initial_quantity: NotNegative = Field(description="The quantity at its start.")
    quantity_updates: tuple[QuantityUpdate, ...] = Field(default=(), description="Changes of the quantity.")


class SeatSubscription(_Subscription):
    """Seats with names; the quantity is assigned + unassigned seats."""

    quantity_management_mode: Literal["SEAT_BASED"] = Field(description="How seats are counted.")
    seat_config: SeatConfig = Field(description="The seats at its start.")
    quantity_updates: tuple[SeatUpdate, ...] = Field(default=(), description="Changes of the seats.")


def _mode(value: object) -> object:
    mode = "quantity_management_mode"
    return value.get(mode, "QUANTITY_ONLY") if isinstance(value, dict) else getattr(value, mode, "QUANTITY_ONLY")


Subscription = Annotated[
    Annotated[QuantitySubscription, Tag("QUANTITY_ONLY")] | Annotated[SeatSubscription, Tag("SEAT_BASED")],
    Discriminator(
        _mode,
        custom_error_type="unknown_kind",
        custom_error_message="unknown mode",
        custom_error_context={"field": "quantity_management_mode", "expected": "QUANTITY_ONLY, SEAT_BASED"},
    ),
]
