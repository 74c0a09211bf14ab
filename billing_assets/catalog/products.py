"""Products: what an invoice names. A product has no price; rate cards price it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Flag, Id, Instant, Key, Positive, Tag, Text, Whole

RoundingMethod = Literal["ROUND_UP", "ROUND_DOWN", "ROUND_HALF_UP"]


class QuantityConversion(Term):
    """From the metric's unit to the unit that is priced."""

    conversion_factor: Positive = Field(description="The factor.")
    operation: Literal["MULTIPLY", "DIVIDE"] = Field(description="What is done with the factor.")
    name: Text | None = Field(default=None, description="Name of the unit after the conversion, shown on lines.")


class QuantityRounding(Term):
    """Rounding of a period's cumulative quantity, after the conversion; the same for both signs."""

    rounding_method: RoundingMethod = Field(description="ROUND_UP goes away from zero, ROUND_DOWN toward it.")
    decimal_places: Annotated[Whole, Field(ge=-12, le=12)] = Field(
        default=0, description="Decimal places that are kept; -2 rounds to hundreds."
    )


class ProductUpdate(Term):
    """A change of a product from an instant on; only the fields that are written change."""

    starting_at: Instant = Field(description="First instant at which the change is in force.")
    name: Text | None = Field(default=None, description="New name.")
    billable_metric_id: Id | None = Field(default=None, description="New metric (a metric swap).")
    quantity_conversion: QuantityConversion | None = Field(default=None, description="New conversion.")
    quantity_rounding: QuantityRounding | None = Field(default=None, description="New rounding.")
    pricing_group_key: tuple[Key, ...] | None = Field(default=None, description="New pricing key.")
    presentation_group_key: tuple[Key, ...] | None = Field(default=None, description="New presentation key.")
    tags: tuple[Tag, ...] | None = Field(default=None, description="New tags.")


class _Product(Term):
    id: Id = Field(description="Identifies the product.")
    name: Text = Field(description="Name on invoices.")
    tags: tuple[Tag, ...] = Field(
        default=(), description="Tags by which overrides, discounts and balances select products."
    )
    tax_code: Text | None = Field(default=None, description="Passed through to invoice lines.")


class UsageProduct(_Product):
    """Charged by usage."""

    type: Literal["USAGE"] = Field(description="Kind of product.")
    billable_metric_id: Id = Field(description="The metric that measures it.")
    pricing_group_key: tuple[Key, ...] = Field(default=(), description="Properties whose values choose the rate.")
    presentation_group_key: tuple[Key, ...] = Field(
        default=(), description="Properties whose values get lines of their own."
    )
    quantity_conversion: QuantityConversion | None = Field(
        default=None, description="Conversion of the metered quantity."
    )
    quantity_rounding: QuantityRounding | None = Field(default=None, description="Rounding after the conversion.")
    updates: tuple[ProductUpdate, ...] = Field(default=(), description="Changes of the product, by instant.")


class FixedProduct(_Product):
    """Charged by schedule: scheduled charges and purchases of commits. PRO_SERVICE is charged alike."""

    type: Literal["FIXED", "PRO_SERVICE"] = Field(description="Kind of product.")


class SubscriptionProduct(_Product):
    """Charged per seat and subscription period."""

    type: Literal["SUBSCRIPTION"] = Field(description="Kind of product.")


class CompositeProduct(_Product):
    """A percentage of the usage spend of other products."""

    type: Literal["COMPOSITE"] = Field(description="Kind of product.")
    composite_product_ids: tuple[Id, ...] = Field(default=(), description="Products whose spend is the base.")
    composite_tags: tuple[Tag, ...] = Field(
        default=(), description="Products with any of these tags are in the base too."
    )
    composite_scope: Literal["CONTRACT", "CUSTOMER"] = Field(
        default="CONTRACT", description="Spend of the contract, or of all contracts of the customer."
    )
    exclude_free_usage: Flag = Field(
        default=False, description="true: lines with a price of 0 are no part of the base."
    )


Product = Annotated[UsageProduct | FixedProduct | SubscriptionProduct | CompositeProduct, Field(discriminator="type")]
