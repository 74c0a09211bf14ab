"""Overrides: how a contract changes the rates of its card. Exactly one wins; they never stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from billing_assets.catalog.prices import Price
from billing_assets.catalog.rates import Frequency
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import Flag, GroupValues, Id, NotNegative, Positive, Whole
from billing_assets.catalog.values import Tag as ProductTag


class OverrideSpecifier(Term):
    """What an override applies to; all fields that are written must match."""

    product_id: Id | None = Field(default=None, description="The product.")
    product_tags: tuple[ProductTag, ...] = Field(default=(), description="Products that have all of these tags.")
    pricing_group_values: GroupValues = Field(default_factory=dict, description="Pricing values that must match.")
    presentation_group_values: GroupValues = Field(
        default_factory=dict, description="Presentation values that must match."
    )
    billing_frequency: Frequency | None = Field(
        default=None, description="Of subscriptions: the rate's billing frequency."
    )
    commit_ids: tuple[Id, ...] = Field(default=(), description="Usage paid by one of these commits or credits.")
    recurring_commit_ids: tuple[Id, ...] = Field(default=(), description="Usage paid by a recurrence of one of these.")


class _Override(Dated):
    id: Id | None = Field(
        default=None, description="Identifies the override; absent: `<contract>/overrides/<position>`."
    )
    override_specifiers: tuple[OverrideSpecifier, ...] = Field(default=(), description="Any of these must match.")
    applicable_product_tags: tuple[ProductTag, ...] = Field(default=(), description="Products with any of these tags.")
    entitled: Flag | None = Field(default=None, description="Whether usage is charged at all; absent: does not say.")
    priority: Whole | None = Field(default=None, description="With EXPLICIT prioritization: the lowest number wins.")
    target: Literal["LIST_RATE", "COMMIT_RATE"] = Field(
        default="LIST_RATE", description="Which of a rate's prices it changes."
    )
    is_commit_specific: Flag = Field(default=False, description="true: only for what commits or credits pay.")


class OverwriteOverride(_Override):
    """Another price in the place of the rate's."""

    type: Literal["OVERWRITE"] = Field(description="Kind of override.")
    overwrite_rate: Price = Field(description="The price that holds instead.")


class MultiplierOverride(_Override):
    """The rate's price times a multiplier."""

    type: Literal["MULTIPLIER"] = Field(description="Kind of override.")
    multiplier: NotNegative = Field(description="Factor of the price: 0.9 is 10 % off.")


class OverrideTier(Term):
    """A range of the period's quantity with its own multiplier."""

    size: Positive | None = Field(default=None, description="Units in the range; absent: open (the last range only).")
    multiplier: NotNegative = Field(description="Factor of the price: 0.9 is 10 % off.")


class TieredOverride(_Override):
    """A multiplier per range of the period's quantity; beyond the last range the list rate holds."""

    type: Literal["TIERED"] = Field(description="Kind of override.")
    tiers: tuple[OverrideTier, ...] = Field(min_length=1, description="The ranges, from 0 on.")


class EntitlementOverride(_Override):
    """States `entitled` alone."""

    type: None = Field(default=None, description="Absent.", exclude=True)
    entitled: Flag = Field(description="Whether usage is charged at all.")


def _override_kind(value: object) -> object:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind is not None else "entitlement alone"


Override = Annotated[
    Annotated[OverwriteOverride, Tag("OVERWRITE")]
    | Annotated[MultiplierOverride, Tag("MULTIPLIER")]
    | Annotated[TieredOverride, Tag("TIERED")]
    | Annotated[EntitlementOverride, Tag("entitlement alone")],
    Discriminator(
        _override_kind,
        custom_error_type="unknown_kind",
        custom_error_message="unknown type",
        custom_error_context={"field": "type", "expected": "OVERWRITE, MULTIPLIER, TIERED"},
    ),
]
