"""Commits and credits: balances that pay for usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.rates import Frequency
from billing_assets.catalog.schedules import AccessItem, CommitDuration, ScheduleItem, UnitAmount
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import Exact, Flag, Fraction, GroupValues, Id, Tag, Text

Proration = Literal["NONE", "FIRST", "LAST", "FIRST_AND_LAST"]


class BalanceSpecifier(Term):
    """What a balance can pay for; all fields that are written must match."""

    product_id: Id | None = Field(default=None, description="The product.")
    product_tags: tuple[Tag, ...] = Field(default=(), description="Products that have all of these tags.")
    pricing_group_values: GroupValues = Field(default_factory=dict, description="Pricing values that must match.")
    presentation_group_values: GroupValues = Field(
        default_factory=dict, description="Presentation values that must match."
    )
    exclude: Flag = Field(default=False, description="true: what matches cannot be paid.")


class _Balance(Term):
    id: Id = Field(description="Identifies the commit or credit.")
    product_id: Id = Field(description="The FIXED product that its lines name.")
    name: Text | None = Field(default=None, description="Name on invoices; the product's where absent.")
    priority: Exact = Field(
        default=Decimal(100), description="Of balances of one kind, the lowest number is drawn first."
    )
    rate_type: Literal["LIST_RATE", "COMMIT_RATE"] = Field(default="LIST_RATE", description="The price that it pays.")
    access_type: Literal["SPEND", "QUANTITY"] = Field(default="SPEND", description="Whether it holds money or units.")
    pricing_unit: Id | None = Field(default=None, description="Unit of its amounts; absent: the currency.")
    applicable_product_ids: tuple[Id, ...] = Field(default=(), description="Products it can pay for.")
    applicable_product_tags: tuple[Tag, ...] = Field(default=(), description="Products with any of these tags.")
    specifiers: tuple[BalanceSpecifier, ...] = Field(
        default=(), description="What it can pay for, in detail; any of these."
    )


class _ScheduledBalance(_Balance):
    access_schedule: tuple[AccessItem, ...] = Field(min_length=1, description="What can be drawn when.")


class PrepaidCommit(_ScheduledBalance):
    """Paid by its invoice schedule, drawn by usage."""

    type: Literal["PREPAID"] = Field(description="Kind of commit.")
    invoice_schedule: tuple[ScheduleItem, ...] = Field(default=(), description="What is charged for it when.")
    rollover_fraction: Fraction | None = Field(
        default=None, description="Part of it that a renewal takes over at most."
    )


class PostpaidCommit(_ScheduledBalance):
    """A promise to spend; what is missing is charged at its end."""

    type: Literal["POSTPAID"] = Field(description="Kind of commit.")
    invoice_schedule: tuple[ScheduleItem, ...] = Field(
        default=(), description="When the rest is charged; at most one item."
    )


class Credit(_ScheduledBalance):
    """A balance that nobody pays for."""

    rollover_fraction: Fraction | None = Field(
        default=None, description="Part of it that a renewal takes over at most."
    )


Commit = Annotated[PrepaidCommit | PostpaidCommit, Field(discriminator="type")]


class _Shared(Term):
    applicable_contract_ids: tuple[Id, ...] = Field(
        default=(), description="The customer's contracts that can draw it; absent: all of them."
    )
    invoice_contract_id: Id | None = Field(default=None, description="The contract on whose invoices it is charged.")


class SharedPrepaidCommit(PrepaidCommit, _Shared):
    """A PREPAID commit of a customer, shared by contracts."""


class SharedPostpaidCommit(PostpaidCommit, _Shared):
    """A POSTPAID commit of a customer, shared by contracts."""


class SharedCredit(Credit, _Shared):
    """A credit of a customer, shared by contracts."""


SharedCommit = Annotated[SharedPrepaidCommit | SharedPostpaidCommit, Field(discriminator="type")]


class SubscriptionConfig(Term):
    """Ties a recurrence to the seats of a subscription."""

    subscription_id: Id = Field(description="The subscription.")
    allocation: Literal["POOLED", "INDIVIDUAL"] = Field(description="One balance for all seats, or one per seat.")
    is_prorated: Flag = Field(default=False, description="true: seats added inside a period grant a part.")


class RecurringCredit(_Balance, Dated):
    """A credit that comes back every period."""

    access_amount: UnitAmount = Field(description="What every recurrence grants.")
    recurrence_frequency: Frequency | None = Field(
        default=None, description="How often; absent: with the contract's usage invoices."
    )
    commit_duration: CommitDuration = Field(default=CommitDuration(), description="How long a recurrence can be drawn.")
    proration: Proration = Field(
        default="FIRST_AND_LAST", description="Which of a cut first and last period are prorated."
    )
    rollover_fraction: Fraction | None = Field(
        default=None, description="Part of it that a renewal takes over at most."
    )
    subscription_config: SubscriptionConfig | None = Field(
        default=None, description="Grants by the seats of a subscription."
    )


class RecurringCommit(RecurringCredit):
    """A commit that comes back every period."""

    invoice_amount: UnitAmount | None = Field(default=None, description="What every recurrence costs.")
