"""What must hold of charges beside usage; it returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.lines import CHARGE_KEY


def repeated_charges(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """The same charge on more than one invoice that is not void; items of one schedule differ in their amount."""
    kept = invoices.filter(pl.col("status") != "VOID").select("invoice_id")
    charged = items.filter(pl.col("line_type").is_in(["subscription", "scheduled", "commit_purchase"]))
    return (
        charged.join(kept, on="invoice_id", how="semi")
        # What a balance covers of a subscription is a line of its own.
        .with_columns(
            balance_id=pl.when(pl.col("line_type") != "subscription").then("balance_id"),
            item=pl.when(pl.col("line_type") != "subscription").then("amount"),
            contract_id="origin_contract_id",
        )
        .group_by(*CHARGE_KEY, "item")
        .agg(pl.col("invoice_id").unique().sort())
        .filter(pl.col("invoice_id").list.len() > 1)
        .with_columns(pl.col("invoice_id").list.join(", "))
    )
