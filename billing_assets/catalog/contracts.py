"""Contracts: who buys what, from when to when, on which terms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from billing_assets.catalog.charges import (
    Discount,
    MinimumSpend,
    PrepaidBalanceThreshold,
    ScheduledCharge,
    SpendThreshold,
)
from billing_assets.catalog.commits import Commit, Credit, RecurringCommit, RecurringCredit
from billing_assets.catalog.overrides import Override
from billing_assets.catalog.rates import Frequency
from billing_assets.catalog.subscriptions import Subscription
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import Count, Days, Flag, Id, Instant, Key, PropertyText, Text, one_or_many

PeriodAnchor = Literal["FIRST_OF_MONTH", "CONTRACT_START", "CUSTOM_DATE"]
LateUsage = Literal["CARRY_FORWARD", "CORRECTION", "REPORT_ONLY"]


class UsageStatementSchedule(Term):
    """The billing periods: how long, and counted from where."""

    frequency: Frequency = Field(default="MONTHLY", description="Length of a billing period.")
    day: PeriodAnchor | None = Field(
        default=None, description="Where periods are anchored; absent: FIRST_OF_MONTH, for WEEKLY CONTRACT_START."
    )
    billing_anchor_date: Instant | None = Field(default=None, description="The anchor of CUSTOM_DATE.")

    @property
    def anchor(self) -> PeriodAnchor:
        if self.day is not None:
            return self.day
        return "CONTRACT_START" if self.frequency == "WEEKLY" else "FIRST_OF_MONTH"


class UsageFilter(Term):
    """Only usage with one of these values belongs to the contract."""

    group_key: Key = Field(description="The property.")
    group_values: tuple[PropertyText, ...] = Field(min_length=1, description="Its values, as canonical text.")
    starting_at: Instant | None = Field(
        default=None, description="First instant of the filter; absent: the contract's start."
    )
    ending_before: Instant | None = Field(default=None, description="First instant without it; absent: open.")


class Transition(Term):
    """What the contract follows."""

    from_contract_id: Id = Field(description="The contract before it.")
    type: Literal["RENEWAL", "SUPERSEDE"] = Field(description="RENEWAL takes over rollovers.")


class ChildHierarchy(Term):
    """The contract's place under a parent."""

    parent_contract_id: Id = Field(description="The parent contract.")
    payer: Literal["SELF", "PARENT"] = Field(default="SELF", description="Whose invoices have the usage.")


class ParentHierarchy(Term):
    """What children of the contract may draw on."""

    child_access: Literal["ALL", "NONE"] | tuple[Id, ...] = Field(
        default="NONE", description="Children that may draw on its commits: ALL, NONE, or ids of contracts."
    )


def _hierarchy_kind(value: object) -> str:
    written = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "a parent" if "child_access" in written and "parent_contract_id" not in written else "a child"


Hierarchy = Annotated[
    Annotated[ChildHierarchy, Tag("a child")] | Annotated[ParentHierarchy, Tag("a parent")],
    Discriminator(_hierarchy_kind),
]


class Contract(Dated):
    """One contract of a customer under one rate card."""

    id: Id = Field(description="Identifies the contract.")
    name: Text | None = Field(default=None, description="Name for people; the id where absent.")
    customer_id: Id = Field(description="The customer.")
    rate_card_id: Id | None = Field(default=None, description="The rate card; or else rate_card_alias.")
    rate_card_alias: Id | None = Field(
        default=None, description="Alias of a rate card, resolved at the contract's start."
    )
    net_payment_terms_days: Days = Field(default=0, description="Days from the issue of an invoice until it is due.")
    usage_statement_schedule: UsageStatementSchedule = Field(
        default=UsageStatementSchedule(), description="The billing periods."
    )
    multiplier_override_prioritization: Literal["LOWEST_MULTIPLIER", "EXPLICIT"] = Field(
        default="LOWEST_MULTIPLIER", description="Which of several matching multipliers wins."
    )
    overrides: tuple[Override, ...] = Field(default=(), description="Changes of the card's rates.")
    commits: tuple[Commit, ...] = Field(default=(), description="Commits.")
    credits: tuple[Credit, ...] = Field(default=(), description="Credits.")
    recurring_commits: tuple[RecurringCommit, ...] = Field(default=(), description="Commits that come back.")
    recurring_credits: tuple[RecurringCredit, ...] = Field(default=(), description="Credits that come back.")
    subscriptions: tuple[Subscription, ...] = Field(default=(), description="Subscriptions.")
    scheduled_charges: tuple[ScheduledCharge, ...] = Field(default=(), description="Charges by schedule.")
    scheduled_charges_on_usage_invoices: Literal["ALL"] | None = Field(
        default=None, description="ALL: scheduled charges go on the usage invoice that ends on their date."
    )
    discounts: tuple[Discount, ...] = Field(default=(), description="Discounts, in the order in which they apply.")
    minimum_spend: MinimumSpend | None = Field(default=None, description="Least spend of a billing period.")
    usage_filter: Annotated[
        tuple[UsageFilter, ...],
        BeforeValidator(one_or_many, json_schema_input_type=UsageFilter | tuple[UsageFilter, ...]),
    ] = Field(default=(), description="Which usage belongs to the contract; one filter, or several with dates.")
    late_usage: LateUsage = Field(
        default="CARRY_FORWARD", description="What happens with late usage of finalized periods."
    )
    metric_exception_tolerance: Count | None = Field(
        default=None, description="Events without a usable value that an invoice may have; absent: any number."
    )
    skip_zero_invoices: Flag = Field(
        default=False, description="true: no invoice over nothing, with a total of 0 that no balance paid."
    )
    billing_provider: Text | dict[str, str] | None = Field(default=None, description="Passed through to exports.")
    transition: Transition | None = Field(default=None, description="The contract that it follows.")
    hierarchy: Hierarchy | None = Field(default=None, description="Its parent, or what its children share.")
    spend_threshold: SpendThreshold | None = Field(default=None, description="Purchases by uncovered usage.")
    prepaid_balance_threshold: PrepaidBalanceThreshold | None = Field(
        default=None, description="Recharges of a balance."
    )
