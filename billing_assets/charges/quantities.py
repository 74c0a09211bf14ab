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


def uncharged_steps(steps: pl.LazyFrame, fees: pl.LazyFrame) -> pl.LazyFrame:
    """`steps` (`quantity_steps`) without the seats that are charged: the upper part of each that is left.

    `fees`: SPAN, starting_at, quantity. What is charged from a step's own instant is of that step. What is charged
    beyond that, or from an instant at which there is no step any more, pays for the first steps that lack seats: an
    increase is charged only over the highest quantity that is (docs/semantics.md, Subscriptions).
    """
    charged = fees.group_by(*SPAN, step_at="starting_at").agg(charged=pl.col("quantity").sum())
    rise = pl.col("quantity_after") - pl.col("quantity_before")
    compared = steps.join(charged, on=[*SPAN, "step_at"], how="full", coalesce=True).with_columns(
        missing=pl.max_horizontal(rise.fill_null(zero()) - pl.col("charged").fill_null(zero()), zero()),
        beyond=pl.max_horizontal(pl.col("charged").fill_null(zero()) - rise.fill_null(zero()), zero()),
    )
    beyond, so_far = pl.col("beyond").sum().over(SPAN), pl.col("missing").cum_sum().over(SPAN)
    owed = pl.max_horizontal(so_far - beyond, zero())
    return (
        compared.sort(*SPAN, "step_at")
        .with_columns(owed=owed)
        .with_columns(added=pl.col("owed") - pl.col("owed").shift(1).over(SPAN).fill_null(zero()))
        .filter(pl.col("added") > zero())
        .with_columns(quantity_before=pl.col("quantity_after") - pl.col("added"))
        .select(*SPAN, "step_at", "quantity_before", "quantity_after")
    )
