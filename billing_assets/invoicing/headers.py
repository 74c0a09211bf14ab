"""What an invoice is before it has an amount: its identity, its dates, its month."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.identity import stable_id
from billing_assets.periods import close_month

CORRECTION = "CORRECTION"
"""An invoice of late usage of a contract that has no open period to carry it, or wants it apart."""


def usage_invoices(periods: pl.LazyFrame, customers: pl.LazyFrame, grace_period: timedelta) -> pl.LazyFrame:
    """One header per (contract that pays, billing period): the USAGE invoices, and those that consolidate the usage of
    children, USAGE_CONSOLIDATED (docs/semantics.md, Invoices). `periods` as of
    `consolidation.on_invoices`, with their `regeneration`.

    Issued at the period's end plus the grace period however late the run, dated the day on which the period ends,
    and due the contract's net terms after issue. The id depends on contract, type, period start and regeneration
    alone, so that a retry cannot make a second invoice.
    """
    return (
        periods.filter(pl.col("invoice_contract_id") == pl.col("contract_id"))
        .with_columns(
            invoice_id=invoice_id(pl.col("period_start")),
            close_month=close_month(pl.col("period_end")),
            invoice_date=pl.col("period_end").dt.date(),
            issued_at=pl.col("period_end") + pl.lit(grace_period),
            payer_customer_id=pl.col("customer_id"),
        )
        .with_columns(due_at=pl.col("issued_at") + pl.duration(days=pl.col("net_payment_terms_days")))
        .join(customers.select("customer_id", "bill_to"), on="customer_id", how="left")
    )


def invoices_of_periods(periods: pl.LazyFrame, headers: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (contract, billing period): contract_id, period_start, period_end, and invoice_id of the header that it is
    on, its invoice_type, issued_at and `dated_at`, the end of the invoice's period."""
    on = headers.select(
        "invoice_id", "issued_at", invoice_contract_id="contract_id", invoice_period_start="period_start",
        dated_at="period_end",
    )  # fmt: skip
    own = ("contract_id", "period_start", "period_end")
    keys = periods.select(*own, "invoice_contract_id", "invoice_period_start", "invoice_type")
    return keys.join(on, on=["invoice_contract_id", "invoice_period_start"]).drop(
        "invoice_contract_id", "invoice_period_start"
    )


def trueup_invoices(found: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
    """`found` (true-ups with issued_at) as headers: dated by what they settle, without a period."""
    absent = pl.lit(None, dtype=TIMESTAMP)
    return found.with_columns(
        period_start=absent,
        period_end=absent,
        invoice_date=pl.col("dated_at").dt.date(),
        payer_customer_id=pl.col("customer_id"),
        due_at=pl.col("issued_at") + pl.duration(days=pl.col("net_payment_terms_days")),
    ).join(customers.select("customer_id", "bill_to"), on="customer_id", how="left")


def correction_invoices(
    lines: pl.LazyFrame, taken: pl.LazyFrame, contracts: pl.LazyFrame, customers: pl.LazyFrame, now: datetime
) -> pl.LazyFrame:
    """One header per (paying contract, start of the closed period that `lines` correct): the CORRECTION invoices.

    Dated and issued by the run, without a grace period, and in its month; period_start is that of the period that is
    corrected. Its currency is that of the lines. `taken` has those that exist: contract_id, period_start, regeneration.
    """
    payers = contracts.select("contract_id", "payer_contract_id")
    money = ("currency", "minor_digits")
    corrected = lines.join(payers, on="contract_id").select("period_start", *money, contract_id="payer_contract_id")
    following = taken.group_by("contract_id", "period_start").agg(pl.col("regeneration").max() + 1)
    terms = contracts.drop("starting_at", "ending_before", "late_usage", *money)
    issued = pl.lit(now, dtype=TIMESTAMP)
    return (
        corrected.unique(["contract_id", "period_start"])
        .join(terms, on="contract_id")
        .join(following, on=["contract_id", "period_start"], how="left")
        .with_columns(
            pl.col("regeneration").fill_null(0),
            invoice_type=pl.lit(CORRECTION),
            period_end=pl.lit(None, dtype=TIMESTAMP),
            close_month=pl.lit(f"{now:%Y-%m}"),
            invoice_date=issued.dt.date(),
            issued_at=issued,
            payer_customer_id=pl.col("customer_id"),
        )
        .with_columns(
            invoice_id=invoice_id(pl.col("period_start")),
            due_at=pl.col("issued_at") + pl.duration(days=pl.col("net_payment_terms_days")),
        )
        .join(customers.select("customer_id", "bill_to"), on="customer_id", how="left")
    )


def invoice_id(starts: pl.Expr) -> pl.Expr:
    """Deterministic id of an invoice of `contract_id`, `invoice_type` and `regeneration` that starts at `starts`."""
    return stable_id(
        "inv", [pl.col("contract_id"), pl.col("invoice_type"), starts.dt.timestamp("us"), pl.col("regeneration")]
    )


def exceeds(amount: pl.Expr, limit: pl.Expr) -> pl.Expr:
    """True where a limit is set and `amount` is above it."""
    return (amount > limit.cast(DECIMAL)).fill_null(value=False)
