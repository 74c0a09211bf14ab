"""Composites: a percentage of the usage spend on other products (docs/semantics.md, Composites).

A composite is rated like usage: its quantity is the spend, which the bands of its price divide and multiply. So its
rows are those that `quantify` gives for usage, and `rate`, `discount`, `adjust` and `unrated` are used on them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.columns import NO_GROUP
from billing_assets.money import or_zero, zero
from billing_assets.rating.conversions import UNIT, in_currency
from billing_assets.rating.grain import FAMILY
from billing_assets.rating.lines import in_last_hour, rate
from billing_assets.rating.quantities import beyond_last_tier
from billing_assets.rating.segments import spans

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

COMPOSITE = ("contract_id", "period_start", "product_id")


def composite_quantities(lines: pl.LazyFrame, periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain COMPOSITE that has a price at the period's start: its spend, in the columns that `quantify` gives usage.

    `lines` are usage lines with their net (RATED_LINE): of the periods, and for composites over a customer of all
    periods of the customer's contracts that end in one of `periods`. Adds owes_minimum: whether a minimum is due.
    """
    at_start = pl.col("segment_start") == pl.col("period_start")
    rated = composites_of(periods, frames).filter(at_start, pl.col("segment_status") == "rated").cache()
    spend = usage_spend(lines, frames).cache()
    bases = pl.concat([base_of_contracts(rated, spend, frames), base_of_customers(rated, spend, frames)])
    base = pl.max_horizontal(or_zero("spend"), zero())
    free_counts = ~pl.col("exclude_free_usage")
    terms = frames.composites.select("product_id", "exclude_free_usage").unique()
    return (
        rated.join(bases, on=COMPOSITE, how="left")
        .join(terms, on="product_id")
        .with_columns(
            segment_end="period_end",
            pricing_unit=pl.lit(None, dtype=pl.String),
            quantity=base,
            running_start=zero(),
            running_end=base,
            period_quantity=base,
            owes_minimum=free_counts | pl.col("has_paid_usage").fill_null(value=False),
        )
        .with_columns(*_as_one_segment())
        .pipe(beyond_last_tier, frames)
    )


def _as_one_segment() -> list[pl.Expr]:
    """What `quantify` says of the one segment of a group without events."""
    none = [pl.lit(0, dtype=pl.Int64).alias(name) for name in ("running_events_start", "running_events_end")]
    always = [pl.lit(value=True).alias(name) for name in ("has_line", "opens")]
    return [*none, *always, pl.lit(None, dtype=pl.Int64).alias("event_count")]


def composites_of(periods: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """`spans` of every composite of which a period's card has a rate, or that an OVERWRITE of its contract names."""
    products = frames.composites.select("product_id").unique()
    rates = frames.charge_rates.join(products, on="product_id", how="semi")
    overwrites = frames.overrides.filter(pl.col("override_type") == "OVERWRITE").select("override_id")
    named = frames.override_targets.join(products, on="product_id", how="semi").join(
        overwrites, on="override_id", how="semi"
    )
    start = periods.select("contract_id", "period_start", "rate_card_id")
    groups = [
        start.join(rates.select("rate_card_id", "product_id").unique(), on="rate_card_id").select(COMPOSITE),
        start.join(named.select("contract_id", "product_id").unique(), on="contract_id").select(COMPOSITE),
    ]
    no_values = {name: pl.lit(NO_GROUP) for name in ("pricing_group_values", "presentation_group_values")}
    return spans(pl.concat(groups).unique().with_columns(**no_values), periods, frames, rates)


def usage_spend(lines: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (contract, period, product of usage): `spend`, net of discounts and caps in the card's currency, and
    has_paid_usage, whether any of it has a price."""
    product = ("customer_id", "contract_id", "period_start", "period_end", "product_id", "currency")
    in_base = frames.composites.select(product_id="base_product_id").unique()
    return (
        lines.filter(pl.col("line_type") == "usage")
        .join(in_base, on="product_id", how="semi")
        .group_by(*product, *UNIT)
        .agg(spend=pl.col("net").sum(), has_paid_usage=(pl.col("list_unit_price") != zero()).any())
        .pipe(in_currency, frames.pricing_unit_conversions, "spend")
        .group_by(product)
        .agg(pl.col("spend").sum(), pl.col("has_paid_usage").any())
    )


def base_of_contracts(rated: pl.LazyFrame, spend: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain COMPOSITE of scope CONTRACT: the spend on its products on the same invoice."""
    parts = _parts(rated, frames, "CONTRACT")
    mine = spend.select("contract_id", "period_start", "spend", "has_paid_usage", base_product_id="product_id")
    return parts.join(mine, on=["contract_id", "period_start", "base_product_id"]).pipe(_summed)


def base_of_customers(rated: pl.LazyFrame, spend: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain COMPOSITE of scope CUSTOMER: the spend on its products of all contracts of the customer in the currency,
    in the periods that end in the composite's, (start, end], so that each period counts once."""
    ends = pl.col("spent_until")
    theirs = spend.select(
        "customer_id", "currency", "spend", "has_paid_usage", base_product_id="product_id", spent_until="period_end"
    )
    return (
        _parts(rated, frames, "CUSTOMER")
        .join(theirs, on=["customer_id", "currency", "base_product_id"])
        .filter(pl.col("period_start") < ends, ends <= pl.col("period_end"))
        .pipe(_summed)
    )


def _parts(rated: pl.LazyFrame, frames: CatalogFrames, scope: str) -> pl.LazyFrame:
    """Grain (COMPOSITE of the scope, product in its base)."""
    mine = frames.composites.filter(pl.col("scope") == scope).select("product_id", "base_product_id")
    return rated.select(*COMPOSITE, "period_end", "customer_id", "currency").join(mine, on="product_id")


def _summed(parts: pl.LazyFrame) -> pl.LazyFrame:
    return parts.group_by(COMPOSITE).agg(pl.col("spend").sum(), pl.col("has_paid_usage").any())


def composites(quantified: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (composite, band): RATED_LINE of line_type composite, before discounts; at least one, also at zero.

    `quantified` is what `composite_quantities` returns. The quantity is the spend; a tier's fee is a line of its own.
    """
    return rate(quantified, frames).with_columns(line_type=pl.lit("composite"), **in_last_hour())


def composite_limits(quantified: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Limits of composites as `limits` gives them for usage, for `adjust`: not prorated, and no minimum over free usage
    alone where that is excluded."""
    carried = ("period_end", "customer_id", "rate_card_id", "currency", "minor_digits")
    stated = frames.prices.select("price_id", "minimum", "maximum")
    return (
        quantified.join(stated, on="price_id")
        .with_columns(minimum=pl.when("owes_minimum").then("minimum"))
        .filter(pl.col("minimum").is_not_null() | pl.col("maximum").is_not_null())
        .select(*FAMILY, *carried, "minimum", "maximum", amount_unit="currency", due_without_usage=pl.lit(value=True))
    )
