"""Rates and rate cards: what a unit of a product costs, from when to when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.prices import (
    CustomPrice,
    FlatPrice,
    PackagePrice,
    PercentagePrice,
    Price,
    TieredPercentagePrice,
    TieredPrice,
    VolumePrice,
)
from billing_assets.catalog.terms import Dated, Term
from billing_assets.catalog.values import Flag, GroupValues, Id, Instant, Positive, Text

Frequency = Literal["WEEKLY", "MONTHLY", "QUARTERLY", "SEMI_ANNUAL", "ANNUAL"]
FREQUENCY_MONTHS = {"WEEKLY": 0, "MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}
"""Months of a period of each frequency; a week is none."""


class _Rate(Dated):
    product_id: Id = Field(description="The product that is priced.")
    pricing_group_values: GroupValues = Field(
        default_factory=dict,
        description="A value, or null for its absence, for every key of the product's pricing_group_key.",
    )
    billing_frequency: Frequency | None = Field(
        default=None, description="Of subscriptions: the period that the price buys."
    )
    ending_before: Instant | None = Field(
        default=None, description="First instant at which it is no longer in force; absent: until the next rate starts."
    )
    entitled: Flag = Field(default=True, description="false: usage is neither priced nor shown.")
    pricing_unit: Id | None = Field(
        default=None, description="Custom pricing unit of the price; absent: the card's currency."
    )
    commit_rate: Price | None = Field(default=None, description="Price that balances with rate_type COMMIT_RATE pay.")


class FlatRate(_Rate, FlatPrice):
    """A FLAT price of a product."""


class TieredRate(_Rate, TieredPrice):
    """A TIERED price of a product."""


class VolumeRate(_Rate, VolumePrice):
    """A VOLUME price of a product."""


class PackageRate(_Rate, PackagePrice):
    """A PACKAGE price of a product."""


class PercentageRate(_Rate, PercentagePrice):
    """A PERCENTAGE of a usage amount, or of a composite's base."""


class TieredPercentageRate(_Rate, TieredPercentagePrice):
    """A TIERED_PERCENTAGE of an amount."""


class CustomRate(_Rate, CustomPrice):
    """A CUSTOM price of a product."""


Rate = Annotated[
    FlatRate | TieredRate | VolumeRate | PackageRate | PercentageRate | TieredPercentageRate | CustomRate,
    Field(discriminator="rate_type"),
]


class Alias(Term):
    """Another name of a rate card, for contracts that start while it is in force."""

    name: Id = Field(description="The alias.")
    starting_at: Instant | None = Field(default=None, description="First instant of the alias; absent: since ever.")
    ending_before: Instant | None = Field(default=None, description="First instant without it; absent: for ever.")


class PricingUnitConversion(Term):
    """What a custom pricing unit costs in the card's currency."""

    pricing_unit: Id = Field(description="The custom pricing unit.")
    fiat_per_unit: Positive = Field(description="Amount of the card's currency for one unit.")


class RateCard(Term):
    """A list of rates in one currency."""

    id: Id = Field(description="Identifies the rate card.")
    name: Text | None = Field(default=None, description="Name for people; the id where absent.")
    currency: Text | None = Field(default=None, description="ISO 4217 code; absent: the currency of the settings.")
    aliases: tuple[Alias, ...] = Field(
        default=(), description="Names by which contracts choose the card at their start."
    )
    pricing_unit_conversions: tuple[PricingUnitConversion, ...] = Field(
        default=(), description="Prices of pricing units."
    )
    rates: tuple[Rate, ...] = Field(default=(), description="The rates.")


class PricingUnit(Term):
    """A custom unit in which prices and balances may be stated."""

    id: Id = Field(description="Identifies the unit.")
    name: Text | None = Field(default=None, description="Name for people; the id where absent.")
