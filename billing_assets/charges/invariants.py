"""What must hold of charges beside usage; it returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.charges.lines import CHARGE_KEY


def repeated_charges(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """The same charge on more than one invoice that is not void; items of one schedule differ in their amount."""
    return (
        charged(invoices, items, ["scheduled", "commit_purchase"])
        .group_by(*CHARGE_KEY, "amount")
        .agg(pl.col("invoice_id").unique().sort())
        .filter(pl.col("invoice_id").list.len() > 1)
        .with_columns(pl.col("invoice_id").list.join(", "))
    )


def overlapping_fees(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """Periods of a subscription that are charged, and begin before another one that is charged has ended. Several
    charges of one period are its seats and their increases."""
    subscription = ["contract_id", "subscription_id"]
    spans = (
        charged(invoices, items, ["subscription"])
        .select(*subscription, starting_at="service_period_start", ending_before="service_period_end")
        .unique()
        .sort(*subscription, "starting_at", "ending_before")
    )
    before = pl.col("ending_before").cum_max().shift(1).over(subscription)
    return spans.with_columns(charged_until=before).filter(pl.col("charged_until") > pl.col("starting_at"))


def charged(invoices: pl.LazyFrame, items: pl.LazyFrame, line_types: list[str]) -> pl.LazyFrame:
    """Lines of invoices that are not void, with the contract that they come from as contract_id."""
    kept = invoices.filter(pl.col("status") != "VOID").select("invoice_id")
    lines = items.filter(pl.col("line_type").is_in(line_types)).join(kept, on="invoice_id", how="semi")
    return lines.with_columns(contract_id="origin_contract_id")
