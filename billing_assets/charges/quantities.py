"""Quantities of a subscription inside a span: what it starts with, and every increase over the highest so far."""

from __future__ import annotations

import polars as pl

from billing_assets.money import zero

SPAN = ("subscription_id", "period_start", "period_end")


def quantity_steps(spans: pl.LazyFrame, quantities: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (SPAN, step_at): from `quantity_before` to `quantity_after`, the first of them from 0 at the span's start.

    `spans` has SPAN; `quantities` (subscription_id, starting_at, quantity) is the quantity in force from then on. A
    step is an increase over everything that the span had before; a decrease is none, since it lowers the next span
    only, and a quantity of 0 is none (docs/semantics.md, Subscriptions).
    """
    known = quantities.select("subscription_id", changed_at="starting_at", quantity="quantity")
    step_at = pl.max_horizontal("changed_at", "period_start").alias("step_at")
    numbered = spans.select(SPAN).unique().with_row_index("span").cache()
    before = pl.col("quantity").cum_max().shift(1).over("span").fill_null(zero())
    return (
        numbered.join(known, on="subscription_id")
        .filter(pl.col("changed_at") < pl.col("period_end"))
        .group_by("span", step_at)
        .agg(pl.col("quantity").max_by("changed_at"))
        .sort("span", "step_at")
        .with_columns(quantity_before=before)
        .filter(pl.col("quantity") > pl.col("quantity_before"))
        .join(numbered, on="span")
        .select(*SPAN, "step_at", "quantity_before", quantity_after="quantity")
    )
