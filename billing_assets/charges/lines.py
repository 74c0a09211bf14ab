"""Charges: lines that know their instant and not yet their invoice."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP

AT, WITHIN, ON_DATE, ALONE = "AT", "WITHIN", "ON_DATE", "ALONE"
"""Where a charge goes (docs/semantics.md, Placement of charges): on the open usage invoice that ends at its instant;
whose period contains it, (start, end]; that ends on its date; or on none. What finds none is on a SCHEDULED invoice."""

CHARGE: dict[str, pl.DataType] = {
    "contract_id": pl.String(),
    "customer_id": pl.String(),
    "payer_contract_id": pl.String(),
    "currency": pl.String(),
    "minor_digits": pl.Int64(),
    "line_type": pl.String(),
    "product_id": pl.String(),
    "product_type": pl.String(),
    "name": pl.String(),
    "tags": pl.String(),
    "tier_level": pl.Int64(),
    "tier_lower": DECIMAL,
    "tier_upper": DECIMAL,
    "is_fee": pl.Boolean(),
    "quantity": DECIMAL,
    "unit_price": DECIMAL,
    "amount": DECIMAL,
    "list_unit_price": DECIMAL,
    "list_amount": DECIMAL,
    "net": DECIMAL,
    "amount_unit": pl.String(),
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "service_start": TIMESTAMP,
    "service_end": TIMESTAMP,
    "incurred_from": TIMESTAMP,
    "incurred_to": TIMESTAMP,
    "rate_card_id": pl.String(),
    "rate_id": pl.String(),
    "rate_type": pl.String(),
    "override_id": pl.String(),
    "price_lane": pl.String(),
    "subscription_id": pl.String(),
    "scheduled_charge_id": pl.String(),
    "balance_id": pl.String(),
    "charge_number": pl.Int64(),
    "caps_lanes": pl.Boolean(),
    "placed_at": TIMESTAMP,
    "placement": pl.String(),
}
"""Columns of a charge; service_start and service_end are the period that it is a fee of, if it is one. It is
identified by CHARGE_KEY and charge_number: its place, from 0, among the charges that
agree in all of that."""

CHARGE_KEY = (
    *("contract_id", "line_type", "subscription_id", "scheduled_charge_id", "balance_id"),
    *("starting_at", "tier_level"),
)
"""What a charge is about."""

OF_CONTRACT = ("customer_id", "payer_contract_id", "currency", "minor_digits")


def as_charges(lines: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """`lines` as CHARGE: with the product as it is at their starting_at, net of nothing yet; at list price where they
    do not say another.

    What a line covers is incurred in the hour in which it starts.
    """
    spans = versions.select(
        "product_id", "product_type", "tags", version_start="starting_at", version_end="ending_before"
    )
    at = pl.col("starting_at")
    in_force = (at >= pl.col("version_start").fill_null(at)) & (
        pl.col("version_end").is_null() | (at < pl.col("version_end"))
    )
    described = lines.join(spans, on="product_id").filter(in_force)
    present = described.collect_schema().names()
    unit = pl.coalesce("pricing_unit", "currency") if "pricing_unit" in present else pl.col("currency")
    return described.with_columns(
        is_fee=pl.lit(value=False),
        list_unit_price="list_unit_price" if "list_unit_price" in present else "unit_price",
        list_amount="list_amount" if "list_amount" in present else "amount",
        net="amount",
        amount_unit=unit,
        incurred_from=at,
        incurred_to=at + pl.duration(hours=1),
        caps_lanes=pl.lit(value=False),
    ).pipe(_in_columns)


def _in_columns(lines: pl.LazyFrame) -> pl.LazyFrame:
    present = lines.collect_schema().names()
    return lines.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name) for name, dtype in CHARGE.items()
    )


def dated_charges(charges: pl.LazyFrame, contracts: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """`charges` of their `charged_at`, with OF_CONTRACT and placed: beside usage where their contract wants it so.

    `spans` has (contract_id, since, horizon); kept are charges of since <= charged_at <= horizon.
    """
    terms = contracts.select("contract_id", *OF_CONTRACT, "bills_charges_on_usage_invoices")
    beside_usage = pl.col("bills_charges_on_usage_invoices")
    return (
        charges.join(spans, on="contract_id")
        .filter(pl.col("charged_at").is_between("since", "horizon"))
        .join(terms, on="contract_id")
        .with_columns(
            placed_at="charged_at",
            starting_at="charged_at",
            placement=pl.when(beside_usage).then(pl.lit(ON_DATE)).otherwise(pl.lit(ALONE)),
        )
    )
