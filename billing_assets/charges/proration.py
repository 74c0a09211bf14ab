"""Proration: covered hours / hours of the full, uncut period (docs/semantics.md, Subscriptions)."""

from __future__ import annotations

import polars as pl

from billing_assets.money import proportion, zero


def prorated(amount: pl.Expr, covered: pl.Expr, full: pl.Expr) -> pl.Expr:
    """`amount` x `covered` / `full`, rounded once; 0 < covered <= full, in hours. Null where one of them is."""
    part = proportion(covered, full, amount.abs())
    return pl.when(amount < zero()).then(-part).otherwise(part)
