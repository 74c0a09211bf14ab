"""Subscriptions: seats x price per period, in advance or in arrears (docs/semantics.md, Subscriptions)."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.charges.lines import AT, OF_CONTRACT, WITHIN, as_charges
from billing_assets.charges.proration import prorated
from billing_assets.charges.quantities import SPAN, quantity_steps, uncharged_steps
from billing_assets.charges.terms import SubscriptionTerms
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.periods import anchored, hours_between, uncovered

_PRICE_KEY = ("contract_id", "rate_card_id", "product_id", "frequency_months", "frequency_weeks", "priced_at")
_TICK = pl.duration(microseconds=1)


FEE = {
    **dict.fromkeys(("contract_id", "subscription_id"), pl.String()),
    **dict.fromkeys(("period_start", "period_end", "starting_at"), TIMESTAMP),
    "quantity": DECIMAL,
}
"""Grain (subscription, its period, starting_at): the seats that final invoices charge from then on, to the period's
end."""
_OWNER = ("contract_id", "subscription_id")


def subscription_periods(frames: SubscriptionTerms, spans: pl.LazyFrame, fees: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (subscription, its period): periods of which a charge may be placed in since..horizon, both included.

    They follow the contract's usage anchor with the subscription's own frequency: period_start and period_end are cut
    by its dates, full_start and full_end are not. Its price is that of `priced_at`, the start. `spans` has
    (contract_id, since, horizon). A period of which `fees` (FEE) has any stays as it was charged, wherever the anchor
    moves: others are cut by it, and a later increase is one in it.
    """
    terms = frames.contracts.select(
        "contract_id", *OF_CONTRACT, "rate_card_id", "anchor_at",
        contract_start="starting_at", contract_end="ending_before",
    )  # fmt: skip
    start, end = pl.col("period_start"), pl.col("until")
    lower, upper = pl.max_horizontal(start, pl.col("since") - _TICK), pl.min_horizontal(end, pl.col("horizon") + _TICK)
    dated = (
        frames.subscriptions.join(terms, on="contract_id")
        .join(spans, on="contract_id")
        .with_columns(
            period_start=pl.max_horizontal("starting_at", "contract_start"),
            until=pl.min_horizontal("ending_before", "contract_end"),
        )
    )
    by_catalog = (
        dated.filter(lower < upper)
        .pipe(anchored, lower, upper)
        .with_columns(
            period_start=pl.max_horizontal("full_start", "period_start"),
            period_end=pl.min_horizontal("full_end", "until"),
        )
        .drop("period_index")
    )
    charged = fees.select(*_OWNER, "period_start", "period_end").unique()
    kept = charged.join(by_catalog.select(SPAN), on=SPAN, how="anti")
    moved = (
        dated.drop("period_start").join(kept, on=_OWNER).with_columns(full_start="period_start", full_end="period_end")
    )
    return (
        pl.concat(
            [by_catalog.join(charged, on=SPAN, how="semi"), uncovered(by_catalog, charged, _OWNER), moved],
            how="diagonal",
        )
        .with_columns(priced_at="period_start")
        .drop("starting_at", "ending_before", "until", "contract_start", "contract_end", "anchor_at")
    )


def subscription_lines(
    periods: pl.LazyFrame, prices: pl.LazyFrame, frames: SubscriptionTerms, fees: pl.LazyFrame
) -> pl.LazyFrame:
    """Grain (subscription, period, step of its quantity, range of a TIERED override): CHARGE lines.

    `periods` as `subscription_periods` has them, `prices` as rating finds them for these. unit_price is the prorated
    price of one seat; quantity the seats that the step adds to what final invoices charge (`fees`, FEE).
    """
    return (
        periods.pipe(_with_steps, frames, fees)
        .join(prices.filter(pl.col("segment_status") == "rated"), on=_PRICE_KEY)
        .with_columns(
            lower=pl.max_horizontal("quantity_before", "tier_lower"),
            upper=pl.min_horizontal("quantity_after", "tier_upper"),
        )
        .filter(pl.col("lower") < pl.col("upper"))
        .with_columns(
            quantity=pl.col("upper") - pl.col("lower"), unit_price=prorated_price(), price_lane=pl.lit("LIST")
        )
        .with_columns(amount=pl.col("quantity") * pl.col("unit_price"))
        .pipe(as_charges, frames.product_versions)
    )


def unrated_subscriptions(
    periods: pl.LazyFrame, prices: pl.LazyFrame, frames: SubscriptionTerms, fees: pl.LazyFrame
) -> pl.LazyFrame:
    """Grain (subscription, period, step): what would be charged, had the card a rate; CHARGE without prices.

    Their invoices are held, as those with unrated usage are: there is no silent zero.
    """
    return (
        periods.pipe(_with_steps, frames, fees)
        .join(prices.filter(pl.col("segment_status") == "unrated"), on=_PRICE_KEY)
        .with_columns(
            quantity=pl.col("quantity_after") - pl.col("quantity_before"),
            unit_price=pl.lit(None),
            amount=pl.lit(None),
        )
        .pipe(as_charges, frames.product_versions)
    )


def charged_later(periods: pl.LazyFrame, frames: SubscriptionTerms, fees: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Grain (subscription, period, step) that has begun and is charged after the horizon: contract_id, starting_at."""
    has_begun = pl.col("step_at") <= pl.lit(now, dtype=TIMESTAMP)
    return (
        _steps(periods, frames, fees)
        .filter(has_begun, pl.col("placed_at") > pl.col("horizon"))
        .select("contract_id", starting_at="step_at")
    )


def _steps(periods: pl.LazyFrame, frames: SubscriptionTerms, fees: pl.LazyFrame) -> pl.LazyFrame:
    """Steps of the quantity in each period, as far as no final invoice charges them, and where they are charged."""
    steps = quantity_steps(periods, frames.subscription_quantities)
    stepped = periods.join(uncharged_steps(steps, fees), on=SPAN)
    return stepped.with_columns(placed_at=placed_at(), placement=placement())


def _with_steps(periods: pl.LazyFrame, frames: SubscriptionTerms, fees: pl.LazyFrame) -> pl.LazyFrame:
    """Steps of the quantity in each period, placed in since..horizon."""
    return (
        _steps(periods, frames, fees)
        .filter(pl.col("placed_at").is_between("since", "horizon"))
        .with_columns(
            line_type=pl.lit("subscription"),
            starting_at="step_at",
            ending_before="period_end",
            service_start="period_start",
            service_end="period_end",
            charge_number=pl.lit(0),
        )
    )


def placed_at() -> pl.Expr:
    """Arrears at the period's end; in advance at once, or an increase at the next collection: the period's end."""
    at_once = (pl.col("step_at") == pl.col("period_start")) | pl.col("bill_immediately")
    return pl.when((pl.col("collection") == "ADVANCE") & at_once).then("step_at").otherwise("period_end")


def placement() -> pl.Expr:
    return pl.when(pl.col("collection") == "ARREARS").then(pl.lit(WITHIN)).otherwise(pl.lit(AT))


def prorated_price() -> pl.Expr:
    """The price of a seat from the step on: covered hours / hours of the full period where it is prorated."""
    covered = hours_between(pl.col("step_at"), pl.col("period_end"))
    full = hours_between(pl.col("full_start"), pl.col("full_end"))
    price = pl.col("unit_price")
    return pl.when("is_prorated").then(prorated(price, covered, full)).otherwise(price)
