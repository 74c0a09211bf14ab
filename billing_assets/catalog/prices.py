"""Prices: how a quantity becomes an amount, one shape per rate type."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Count, Exact, NotNegative, Positive, Text


class PriceTier(Term):
    """One tier, from the end of the tier before it."""

    size: Positive | None = Field(default=None, description="Units in the tier; absent: open (the last tier only).")
    price: Exact = Field(description="Price of a unit, or the fraction of a TIERED_PERCENTAGE.")
    flat_fee: Exact | None = Field(default=None, description="Charged once where the tier is entered.")


class Bounds(Term):
    """What a price may charge at least and at most in a period, per combination of pricing group values."""

    minimum: NotNegative | None = Field(
        default=None, description="Least charge of a period; prorated for a part of it."
    )
    maximum: NotNegative | None = Field(
        default=None, description="Greatest charge of a period; prorated for a part of it."
    )


class FlatPrice(Bounds):
    """Quantity x price."""

    rate_type: Literal["FLAT"] = Field(description="How a quantity becomes an amount.")
    price: Exact = Field(description="Price of a unit.")


class TieredPrice(Bounds):
    """Graduated: each tier prices its own part of the quantity."""

    rate_type: Literal["TIERED"] = Field(description="How a quantity becomes an amount.")
    tiers: tuple[PriceTier, ...] = Field(min_length=1, description="The tiers, from 0 on.")


class VolumePrice(Bounds):
    """The tier in which the quantity falls prices all of it."""

    rate_type: Literal["VOLUME"] = Field(description="How a quantity becomes an amount.")
    tiers: tuple[PriceTier, ...] = Field(min_length=1, description="The tiers, from 0 on.")


class PackagePrice(Bounds):
    """A price per started package beyond the free units."""

    rate_type: Literal["PACKAGE"] = Field(description="How a quantity becomes an amount.")
    price: Exact = Field(description="Price of a package.")
    package_size: Positive = Field(description="Units in a package.")
    free_units: NotNegative | None = Field(default=None, description="Units that are free; absent: none.")


class PercentagePrice(Bounds):
    """A fraction of the quantity, which is an amount of money."""

    rate_type: Literal["PERCENTAGE"] = Field(description="How a quantity becomes an amount.")
    price: Exact = Field(description="The fraction: 0.1 is 10 %.")
    fixed_fee: Exact | None = Field(default=None, description="Fee per event beyond the free events.")
    free_events: Count | None = Field(default=None, description="Events without the fixed fee; absent: none.")
    free_amount: NotNegative | None = Field(default=None, description="Amount without a charge; absent: none.")


class TieredPercentagePrice(Bounds):
    """Graduated fractions of an amount."""

    rate_type: Literal["TIERED_PERCENTAGE"] = Field(description="How a quantity becomes an amount.")
    tiers: tuple[PriceTier, ...] = Field(min_length=1, description="The tiers, from 0 on; prices are fractions.")


class CustomPrice(Bounds):
    """A charge that an expression over `quantity` gives."""

    rate_type: Literal["CUSTOM"] = Field(description="How a quantity becomes an amount.")
    expression: Text = Field(
        description="The charge of a period's `quantity`, as `max(quantity - 100, 0) * 0.02 + 5`: numbers, + - * /, "
        "parentheses, min, max, abs, floor, ceil, round; a divisor is a number."
    )


Price = Annotated[
    FlatPrice | TieredPrice | VolumePrice | PackagePrice | PercentagePrice | TieredPercentagePrice | CustomPrice,
    Field(discriminator="rate_type"),
]
