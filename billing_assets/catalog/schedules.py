"""Schedules: amounts at instants, and amounts that come back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from billing_assets.catalog.rates import Frequency
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import CountFromOne, Exact, Instant, NotNegative

AmountDistribution = Literal["EACH", "DIVIDED", "DIVIDED_ROUNDED"]


# Tags of shapes that are told apart by their fields; no field is named like one of them.
AMOUNT, UNITS = "an amount", "units x price"
EXPLICIT, RECURRING = "named instants", "a recurrence"


def _amount_kind(value: object) -> str:
    written = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return UNITS if "unit_price" in written and "amount" not in written else AMOUNT


class UnitAmount(Term):
    """An amount as unit price x quantity."""

    unit_price: Exact = Field(description="Price of one.")
    quantity: NotNegative = Field(description="How many.")


class AmountItem(Term):
    """An amount at an instant."""

    timestamp: Instant = Field(description="When it is charged.")
    amount: Exact = Field(description="The amount.")


class UnitItem(UnitAmount):
    """unit_price x quantity at an instant."""

    timestamp: Instant = Field(description="When it is charged.")


ScheduleItem = Annotated[
    Annotated[AmountItem, Tag(AMOUNT)] | Annotated[UnitItem, Tag(UNITS)], Discriminator(_amount_kind)
]


class AccessItem(Term):
    """One access segment: an amount that usage of [starting_at, ending_before) can draw."""

    amount: NotNegative = Field(description="What the segment grants.")
    starting_at: Instant = Field(description="First instant whose usage can draw it.")
    ending_before: Instant | None = Field(default=None, description="First instant whose usage cannot; absent: open.")


class _Recurring(Dated):
    frequency: Frequency = Field(description="How often it comes back.")
    amount_distribution: AmountDistribution = Field(
        default="EACH", description="EACH: the amount every time; DIVIDED: a part of it, the last takes the rest."
    )


class RecurringAmount(_Recurring):
    """An amount that comes back."""

    amount: Exact = Field(description="The amount, of each or in all by amount_distribution.")


class RecurringUnits(_Recurring):
    """unit_price x quantity that comes back."""

    unit_price: Exact = Field(description="Price of one.")
    quantity: NotNegative = Field(description="How many.")


RecurringSchedule = Annotated[
    Annotated[RecurringAmount, Tag(AMOUNT)] | Annotated[RecurringUnits, Tag(UNITS)],
    Discriminator(_amount_kind),
]


class ExplicitSchedule(Term):
    """Charges at named instants."""

    schedule_items: tuple[ScheduleItem, ...] = Field(min_length=1, description="The charges.")


class RecurrenceSchedule(Term):
    """A charge that comes back."""

    recurring_schedule: RecurringSchedule = Field(description="The charge and its recurrence.")


def _schedule_kind(value: object) -> str:
    written = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return RECURRING if "recurring_schedule" in written else EXPLICIT


Schedule = Annotated[
    Annotated[ExplicitSchedule, Tag(EXPLICIT)] | Annotated[RecurrenceSchedule, Tag(RECURRING)],
    Discriminator(_schedule_kind),
]


class CommitDuration(Term):
    """A length of time, in billing periods."""

    value: Annotated[CountFromOne, Field(le=1200)] = Field(default=1, description="How many.")
    unit: Literal["PERIODS"] = Field(default="PERIODS", description="Billing periods.")
