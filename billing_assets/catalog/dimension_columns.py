"""Columns of the dimension tables, to which `catalog_version` and `is_current` are added."""

from __future__ import annotations

from collections.abc import Mapping

from billing_assets.catalog.product_frames import PRODUCTS
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema
from billing_assets.columns import DECIMAL, TIMESTAMP

_DATED: Schema = {"starting_at": TIMESTAMP, "ending_before": TIMESTAMP}
_PRICED: Schema = {"rate_type": TEXT, "price": DECIMAL, "price_json": TEXT}

DIMENSIONS: Mapping[str, Schema] = {
    "customers": {"customer_id": TEXT, "name": TEXT, "email": TEXT, "address": TEXT, "tax_ids": TEXT},
    "customer_aliases": {"customer_ref": TEXT, "customer_id": TEXT},
    "products": {name: TEXT if name.endswith("_keys") else dtype for name, dtype in PRODUCTS.items()},
    "billable_metrics": {
        "billable_metric_id": TEXT,
        "name": TEXT,
        "aggregation_type": TEXT,
        "aggregation_key": TEXT,
        "event_type_filter": TEXT,
        "property_filters": TEXT,
        "group_keys": TEXT,
        "sql": TEXT,
    },
    "rate_cards": {"rate_card_id": TEXT, "name": TEXT, "currency": TEXT, "aliases": TEXT},
    "rates": {
        "rate_id": TEXT,
        "rate_card_id": TEXT,
        "product_id": TEXT,
        "pricing_group_values": TEXT,
        "billing_frequency": TEXT,
        **_DATED,
        "entitled": FLAG,
        **_PRICED,
        "minimum": DECIMAL,
        "maximum": DECIMAL,
    },
    "contracts": {
        "contract_id": TEXT,
        "name": TEXT,
        "customer_id": TEXT,
        "rate_card_id": TEXT,
        "currency": TEXT,
        **_DATED,
        "frequency": TEXT,
        "period_anchor": TEXT,
        "net_payment_terms_days": WHOLE,
        "late_usage": TEXT,
        "skip_zero_invoices": FLAG,
        "usage_filter": TEXT,
        "billing_provider": TEXT,
    },
    "overrides": {
        "override_id": TEXT,
        "contract_id": TEXT,
        "override_type": TEXT,
        **_DATED,
        "multiplier": DECIMAL,
        **_PRICED,
        "entitled": FLAG,
        "priority": WHOLE,
        "target": TEXT,
        "override_specifiers": TEXT,
        "applicable_product_tags": TEXT,
        "tiers": TEXT,
    },
    "commits": {
        "commit_id": TEXT,
        "commit_type": TEXT,
        "is_recurring": FLAG,
        "customer_id": TEXT,
        "contract_id": TEXT,
        "product_id": TEXT,
        "name": TEXT,
        "priority": DECIMAL,
        "access_type": TEXT,
        "rate_type": TEXT,
        "access_amount": DECIMAL,
        "invoice_amount": DECIMAL,
        **_DATED,
        "terms": TEXT,
    },
    "subscriptions": {
        "subscription_id": TEXT,
        "customer_id": TEXT,
        "contract_id": TEXT,
        "product_id": TEXT,
        "billing_frequency": TEXT,
        "collection_schedule": TEXT,
        "quantity_management_mode": TEXT,
        "initial_quantity": DECIMAL,
        **_DATED,
        "terms": TEXT,
    },
}
"""Lists and mappings are canonical JSON text."""
