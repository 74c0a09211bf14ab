"""Purchases: what commits cost, by their invoice schedule or with every recurrence."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.lines import ALONE, as_charges, dated_charges
from billing_assets.charges.terms import PurchaseTerms
from billing_assets.money import decimal, zero

_ITEM = (
    "balance_id",
    "contract_id",
    "product_id",
    "name",
    "charged_at",
    "amount",
    "quantity",
    "unit_price",
    "list_amount",
    "list_unit_price",
    "position",
)


def purchase_lines(frames: PurchaseTerms, found: pl.LazyFrame, spans: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (commit, item of its invoice schedule) and recurrence: CHARGE lines of line_type commit_purchase.

    `found` is what `recurrences` returns: each is charged at its start, quantity 1. `spans` has (contract_id, since,
    horizon). A line names the commit's product and balance, and is paid by no balance.
    """
    key = ("contract_id", "balance_id", "charged_at")
    # What a threshold buys is on a SCHEDULED invoice, whatever the contract says of its other charges (case 0.23).
    bought = frames.thresholds.select(balance_id="commit_id", by_threshold=pl.lit(value=True))
    return (
        pl.concat([frames.commit_charges.select(_ITEM), recurring_purchases(found)])
        .pipe(dated_charges, frames.contracts, spans)
        .join(bought, on="balance_id", how="left")
        .with_columns(
            placement=pl.when("by_threshold").then(pl.lit(ALONE)).otherwise("placement"),
            line_type=pl.lit("commit_purchase"),
            charge_number=pl.int_range(pl.len(), dtype=pl.Int64).over(*key, order_by="position"),
        )
        .pipe(as_charges, frames.product_versions)
    )


def recurring_purchases(found: pl.LazyFrame) -> pl.LazyFrame:
    """Grain recurrence that costs something: its prorated invoice amount, on the contract that is charged."""
    return (
        found.filter(pl.col("invoice_amount") != zero())
        .with_columns(
            contract_id=pl.coalesce("invoice_contract_id", "contract_id"),
            charged_at="period_start",
            amount="invoice_amount",
            quantity=decimal(1),
            unit_price="invoice_amount",
            list_amount="invoice_amount",
            list_unit_price="invoice_amount",
            position=pl.lit(0, dtype=pl.Int64),
        )
        .select(_ITEM)
    )
