"""Hierarchies: the usage of a child whose parent pays is on the parent's invoice (docs/semantics.md, Hierarchies)."""

from __future__ import annotations

import polars as pl

USAGE, CONSOLIDATED = "USAGE", "USAGE_CONSOLIDATED"
OF_PERIODS = (USAGE, CONSOLIDATED)
"""Types of invoices that bill a period."""

_OWN = {
    "invoice_contract_id": "contract_id",
    "invoice_period_start": "period_start",
    "invoice_period_end": "period_end",
}


def on_invoices(periods: pl.LazyFrame) -> pl.LazyFrame:
    """`periods` with the period of the invoice that they are on: invoice_contract_id, invoice_period_start,
    invoice_period_end, invoice_type.

    A child's period is on the invoice of its parent's period in which it ends, (start, end], or if that is closed, of
    the next one; it is USAGE_CONSOLIDATED then. Every other one is on its own. `periods`, which are open, has
    payer_contract_id, the contract that pays.
    """
    pays_itself = pl.col("payer_contract_id") == pl.col("contract_id")
    own = periods.filter(pays_itself)
    parents = own.select(payer_contract_id="contract_id", parent_start="period_start", parent_end="period_end")
    children = (
        periods.filter(~pays_itself)
        .sort("period_end")
        .join_asof(
            parents.sort("parent_end"),
            left_on="period_end",
            right_on="parent_end",
            by="payer_contract_id",
            strategy="forward",
            check_sortedness=False,
        )
        .filter(pl.col("parent_end").is_not_null())
        .rename({"parent_start": "invoice_period_start", "parent_end": "invoice_period_end"})
        .with_columns(invoice_contract_id="payer_contract_id", invoice_type=pl.lit(CONSOLIDATED))
    )
    of_children = children.select("invoice_contract_id", "invoice_period_start").unique()
    paying = of_children.rename({"invoice_contract_id": "contract_id", "invoice_period_start": "period_start"})
    kind = pl.when("pays_for_others").then(pl.lit(CONSOLIDATED)).otherwise(pl.lit(USAGE))
    own = (
        own.join(
            paying.with_columns(pays_for_others=pl.lit(value=True)), on=["contract_id", "period_start"], how="left"
        )
        .with_columns(invoice_type=kind, **_OWN)
        .drop("pays_for_others")
    )
    return pl.concat([own, children], how="diagonal")
