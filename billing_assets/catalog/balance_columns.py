"""Columns of commits and credits as frames. What every balance says is BALANCE_TERMS."""

from __future__ import annotations

from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema
from billing_assets.columns import DECIMAL, TIMESTAMP

SEGMENT: Schema = {"balance_id": TEXT, "segment_id": TEXT}
BALANCE_TERMS: Schema = {
    "commit_id": TEXT,
    "balance_type": TEXT,
    "access_type": TEXT,
    "price_lane": TEXT,
    "unit": TEXT,
    "pool": TEXT,
    "customer_id": TEXT,
    "contract_id": TEXT,
    "invoice_contract_id": TEXT,
    "product_id": TEXT,
    "name": TEXT,
    "priority": DECIMAL,
    "cost": DECIMAL,
    "rollover_fraction": DECIMAL,
    "is_rollover": FLAG,
    "selector": WHOLE,
    "product_count": WHOLE,
    "value_specifier_count": WHOLE,
    "contract_count": WHOLE,
    "balance_position": WHOLE,
    "seat_key": TEXT,
    "seat_value": TEXT,
}
ACCESS_SEGMENTS: Schema = {
    **SEGMENT,
    **BALANCE_TERMS,
    "amount": DECIMAL,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
}
RECURRING_BALANCES: Schema = {
    **BALANCE_TERMS,
    "recurring_id": TEXT,
    "unit_amount": DECIMAL,
    "access_quantity": DECIMAL,
    "invoice_unit_amount": DECIMAL,
    "invoice_quantity": DECIMAL,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "frequency_months": WHOLE,
    "frequency_weeks": WHOLE,
    "duration_periods": WHOLE,
    "prorate_first": FLAG,
    "prorate_last": FLAG,
    "subscription_id": TEXT,
    "allocation": TEXT,
    "is_prorated": FLAG,
}
THRESHOLDS: Schema = {
    "kind": TEXT,
    "threshold": DECIMAL,
    "recharge_to": DECIMAL,
    "in_units": FLAG,
    "fiat_per_unit": DECIMAL,
    "payment_fraction": DECIMAL,
    **BALANCE_TERMS,
}
"""`kind` SPEND or BALANCE. What it buys is the PREPAID commit whose terms follow; its access begins where the threshold
is reached, so that what it grants, and when, is not known here. `in_units`: in a custom pricing unit, of which one
costs `fiat_per_unit` in the currency (1 where it is the currency), before the discount."""
THRESHOLD_EXCLUSIONS: Schema = {"contract_id": TEXT, "commit_id": TEXT}

BALANCE_CONTRACTS: Schema = {"commit_id": TEXT, "contract_id": TEXT}
SELECTORS: Schema = {
    "selector": WHOLE,
    "product_id": TEXT,
    "pricing_group_values": TEXT,
    "presentation_group_values": TEXT,
    "exclude": FLAG,
}
COMMIT_CHARGES: Schema = {
    "balance_id": TEXT,
    "commit_id": TEXT,
    "contract_id": TEXT,
    "charged_at": TIMESTAMP,
    "amount": DECIMAL,
    "quantity": DECIMAL,
    "unit_price": DECIMAL,
    "list_amount": DECIMAL,
    "list_unit_price": DECIMAL,
    "product_id": TEXT,
    "name": TEXT,
    "position": WHOLE,
}
TRUEUP_TERMS: Schema = {
    "balance_id": TEXT,
    "segment_id": TEXT,
    "contract_id": TEXT,
    "dated_at": TIMESTAMP,
    "product_id": TEXT,
    "name": TEXT,
}
