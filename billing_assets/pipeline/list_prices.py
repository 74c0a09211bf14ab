"""Everything before balances: whose usage it is, what it costs at list prices, and what else is charged."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from billing_assets import metering, rating
from billing_assets.pipeline import charging
from billing_assets.pipeline.charging import Charged, Features, charged
from billing_assets.pipeline.drawing import Balances, Hold, balances_of
from billing_assets.pipeline.given import Inputs
from billing_assets.pipeline.usage import attribution, charging_terms, priced


@dataclass(frozen=True, slots=True)
class ListPrices:
    """balances: None in a book without any. quantified: as of `Priced`. unrated: what holds invoices, composites among
    it; as `rating.unrated` has it."""

    balances: Balances | None
    attributed: metering.Attribution
    quantified: pl.LazyFrame
    unrated: pl.LazyFrame
    charged: Charged


def at_list_prices(given: Inputs, hold: Hold) -> ListPrices:
    """The billed periods of `given`, which has what thresholds bought (`with_purchases`), before balances draw."""
    terms = charging_terms(given)
    has = Features.of(given.catalog)
    balances = balances_of(given.frames, hold(charging.charge_spans(terms)), hold) if has.balances else None
    attributed = attribution(given, hold, None if balances is None else balances.bounds())
    of_usage = priced(given, attributed, balances, hold)
    found = charged(terms, of_usage, balances.found if balances else None, hold)
    unrated = rating.unrated(of_usage.quantified)
    unrated = unrated if found.unrated is None else pl.concat([unrated, found.unrated], how="diagonal")
    unrated = unrated.join(given.waived, on=list(rating.WAIVED), how="anti")
    quantified = hold(rating.waive(of_usage.quantified, given.waived))
    return ListPrices(balances, attributed, quantified, hold(unrated), found)
