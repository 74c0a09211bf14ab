"""What a contract charges or takes off beside its rates: scheduled charges, discounts, minimum spend, thresholds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.schedules import Schedule
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import Exact, Fraction, Id, NotNegative, Positive, Tag, Text


class ScheduledCharge(Term):
    """A charge by schedule."""

    id: Id = Field(description="Identifies the charge.")
    product_id: Id = Field(description="The FIXED or PRO_SERVICE product.")
    name: Text | None = Field(default=None, description="Name on invoices; the product's where absent.")
    schedule: Schedule = Field(description="When it is charged.")


class _Discount(Dated):
    id: Id = Field(description="Identifies the discount.")
    name: Text | None = Field(default=None, description="Name on invoices; the id where absent.")
    applicable_product_ids: tuple[Id, ...] = Field(default=(), description="Products that it applies to.")
    applicable_product_tags: tuple[Tag, ...] = Field(default=(), description="Products with any of these tags.")


class PercentageDiscount(_Discount):
    """A part of every matching line."""

    type: Literal["PERCENTAGE"] = Field(description="Kind of discount.")
    value: Fraction = Field(description="The fraction: 0.1 is 10 %.")


class FixedDiscount(_Discount):
    """An amount per USAGE invoice."""

    type: Literal["FIXED"] = Field(description="Kind of discount.")
    value: NotNegative = Field(description="Amount taken off a USAGE invoice; prorated for a cut period.")


Discount = Annotated[PercentageDiscount | FixedDiscount, Field(discriminator="type")]


class MinimumSpend(Term):
    """The least spend of a billing period, before commits."""

    amount: NotNegative = Field(description="Amount of a full period; prorated for a cut one.")


class ThresholdCommit(Term):
    """The commit that a threshold buys."""

    product_id: Id = Field(description="The FIXED product that its lines name.")
    name: Text | None = Field(default=None, description="Name on invoices; the product's where absent.")
    priority: Exact = Field(
        default=Decimal(100), description="Of balances of one kind, the lowest number is drawn first."
    )
    applicable_product_ids: tuple[Id, ...] = Field(default=(), description="Products it can pay for.")
    applicable_product_tags: tuple[Tag, ...] = Field(default=(), description="Products with any of these tags.")


class ThresholdDiscount(Term):
    """A threshold's purchases cost less than they grant."""

    payment_fraction: Annotated[Exact, Field(gt=0, le=1)] = Field(
        description="The fraction of a purchase that is paid: 0.9 is 10 % off."
    )


class ThresholdBalanceSpecifier(Term):
    """Balances that a threshold leaves out."""

    exclude: tuple[Id, ...] = Field(
        min_length=1, description="Commits and credits, recurring ones among them, that are not counted."
    )


class SpendThreshold(Term):
    """Each time uncovered usage reaches the amount, a commit is bought."""

    threshold_amount: Positive = Field(description="The amount of uncovered usage.")
    discount_configuration: ThresholdDiscount | None = Field(default=None, description="Purchases at a discount.")
    commit: ThresholdCommit = Field(description="What is bought.")


class PrepaidBalanceThreshold(Term):
    """Recharges a balance that falls to the threshold."""

    threshold_amount: Annotated[Exact, Field(ge=5)] = Field(description="The balance at which it is recharged.")
    recharge_to_amount: Positive = Field(description="The balance after it; at least 10 above the threshold.")
    pricing_unit: Id | None = Field(default=None, description="Unit of the balance; absent: the currency.")
    discount_configuration: ThresholdDiscount | None = Field(default=None, description="Purchases at a discount.")
    threshold_balance_specifiers: tuple[ThresholdBalanceSpecifier, ...] = Field(
        default=(), description="Which commits and credits are not part of the balance."
    )
    commit: ThresholdCommit = Field(description="What is bought.")
