"""What drawdown reads: balances (access segments of commits and credits) and the lines that may draw on them."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP

BALANCE: dict[str, pl.DataType] = {
    "balance_id": pl.String(),
    "segment_id": pl.String(),
    "commit_id": pl.String(),
    "balance_type": pl.String(),
    "access_type": pl.String(),
    "price_lane": pl.String(),
    "unit": pl.String(),
    "pool": pl.String(),
    "customer_id": pl.String(),
    "contract_id": pl.String(),
    "invoice_contract_id": pl.String(),
    "product_id": pl.String(),
    "name": pl.String(),
    "priority": DECIMAL,
    "cost": DECIMAL,
    "amount": DECIMAL,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "rollover_fraction": DECIMAL,
    "is_rollover": pl.Boolean(),
    "selector": pl.Int64(),
    "product_count": pl.Int64(),
    "value_specifier_count": pl.Int64(),
    "contract_count": pl.Int64(),
    "balance_position": pl.Int64(),
    "seat_key": pl.String(),
    "seat_value": pl.String(),
    "drawn_after": TIMESTAMP,
    "grant_type": pl.String(),
}
"""Grain segment_id. A balance without contract_id is its customer's; unit is a currency, a pricing unit or
`quantity:<product>`; seat_key and seat_value are set where only the usage of one seat may draw; drawn_after where only
invoices dated after it may (a rollover: the old contract's last invoice is dated then). grant_type: the type of its
opening in the ledger, where that is not GRANT (a segment that seats add, case 0.21)."""


def as_balances(*found: pl.LazyFrame) -> pl.LazyFrame:
    """Frames with BALANCE columns, one after the other; a column that one lacks is null."""
    parts = []
    for frame in found:
        present = frame.collect_schema().names()
        columns = [(pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name)
                   for name, dtype in BALANCE.items()]  # fmt: skip
        parts.append(frame.select(columns))
    return pl.concat(parts)


DRAWING_LINE: dict[str, pl.DataType] = {
    "line_key": pl.Int64(),
    "pool": pl.String(),
    "draw_order": pl.Int64(),
    "invoice_id": pl.String(),
    "contract_id": pl.String(),
    "line_type": pl.String(),
    "product_id": pl.String(),
    "pricing_group_values": pl.String(),
    "presentation_group_values": pl.String(),
    "is_fee": pl.Boolean(),
    "amount_unit": pl.String(),
    "quantity": DECIMAL,
    "unit_price": DECIMAL,
    "amount": DECIMAL,
    "net": DECIMAL,
    "incurred_from": TIMESTAMP,
    "incurred_to": TIMESTAMP,
    "dated_at": TIMESTAMP,
    "caps_lanes": pl.Boolean(),
}
"""Grain line_key. draw_order orders the lines of a pool over all its open invoices; net is what a balance may
pay; dated_at is the end of its invoice's period, or its invoice's date (docs/semantics.md, Commits and credits)."""

DRAWABLE_TYPES = ("usage", "minimum_adjustment", "subscription", "composite", "late_usage")
"""Line types that balances pay for. A shortfall of minimum spend is a minimum_adjustment without a product, and is
not paid for, since every balance names products."""

WITHOUT_UNITS = ("minimum_adjustment",)
"""Line types that stand for money alone, as fees do: a QUANTITY balance does not draw them (case 45)."""
