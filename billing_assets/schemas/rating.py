"""The priced lines, a working table."""

from __future__ import annotations

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, required


class RatedLines(Table):
    """Priced lines of the periods of a close month, before commits and credits; replaced at will.

    Grain: (contract_id, period_start, product_id, pricing and presentation group, segment, line_type, tier, fee).
    """

    month: str = required("close_month of the period, as 2026-10")
    contract_id: str = required("Contract")
    customer_id: str = required("Customer")
    currency: str = required("ISO 4217 code of the rate card")
    minor_digits: int = required("Decimal places of the currency")
    period_start: Timestamp = required("Start of the billing period")
    period_end: Timestamp = required("End of the billing period, exclusive")
    line_type: str = required("usage, minimum_adjustment, maximum_adjustment, ...")
    product_id: str = optional("Product")
    product_type: str = optional("Type of the product")
    name: str = required("Name of the product")
    tags: str = optional("Tags of the product as a JSON array")
    billable_metric_id: str = optional("Metric")
    pricing_group_values: str = optional("Pricing group as canonical JSON")
    presentation_group_values: str = optional("Presentation group as canonical JSON; null on adjustments")
    tier_level: int = optional("Tier, from 1")
    tier_lower: Decimal12 = optional("Lower bound of the tier, exclusive; null for the first")
    tier_upper: Decimal12 = optional("Upper bound of the tier, inclusive; null where open")
    is_fee: bool = required("True for a tier's flat fee")
    quantity: Decimal12 = optional("Quantity, after conversion and rounding")
    unit: str = optional("Name of the converted unit")
    unit_price: Decimal12 = optional("Effective price")
    amount: Decimal12 = required("Amount, exact")
    list_unit_price: Decimal12 = optional("Price without any commit")
    list_amount: Decimal12 = optional("Amount at that price")
    starting_at: Timestamp = optional("Start of the segment")
    ending_before: Timestamp = optional("End of the segment, exclusive")
    rate_card_id: str = optional("Rate card")
    rate_id: str = optional("Rate row")
    rate_type: str = optional("Kind of the rate")
    override_id: str = optional("Override that won; null where the rate stands")
    discount_id: str = optional("Discount of a discount line, which names the line that it is taken off by all else")
    price_lane: str = optional("LIST or COMMIT", one_of=("LIST", "COMMIT"))
    event_count: int = optional("Events of the segment with a usable value")
    catalog_version: str = required("Catalog that priced the line")
    events_through: int = required("Last ingest batch seen")
    rated_as_of: Timestamp = required("Usage up to this instant is included")
