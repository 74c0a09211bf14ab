"""The keys that rating counts by, and the hour spans that it cuts."""

from __future__ import annotations

GROUP = (
    "contract_id",
    "period_start",
    "product_id",
    "pricing_group_values",
    "presentation_group_values",
)
"""One running quantity: tiers, packages and free units count per group and period."""

FAMILY = GROUP[:-1]
"""All presentation groups of one priced combination: a rate's minimum and maximum hold per family."""

LIMITED = (*FAMILY, "amount_unit")
"""A family's charge in one unit: the currency, or a custom pricing unit."""

SITUATION = (
    "rate_card_id",
    "product_id",
    "pricing_group_values",
    "override_contract_id",
    "override_presentation_values",
)
"""What decides the price of an hour. Groups in one situation share one timeline: contracts without overrides that buy
from the same card are in the same situation, so a million of them cost one timeline."""

PERIOD = ("period_end", "full_start", "full_end", "customer_id", "rate_card_id", "currency", "minor_digits")
"""What a segment carries of its billing period, beside the group's own `contract_id` and `period_start`."""
