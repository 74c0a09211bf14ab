"""Where single events belong: per metric the contract, the period and the product that they would be billed by."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets import metering
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.metering.grain import CANDIDATES, PRECEDENCE
from billing_assets.metering.states import STATE
from billing_assets.pipeline.drawing import Hold
from billing_assets.pipeline.usage import terms_of
from billing_assets.schemas import TABLES

PLACE = (
    *("billable_metric_id", "group_values", "place", "customer_id", "contract_id", "period_start", "close_month"),
    *("product_id", "placed_at", "is_unseen"),
)


def places_of(
    events: pl.LazyFrame,
    catalog: Catalog,
    frames: CatalogFrames,
    periods: pl.LazyFrame,
    invoiced: pl.LazyFrame | None,
    now: datetime,
    hold: Hold,
) -> pl.LazyFrame:
    """Grain metric that matches, of one event: PLACE, `place` as of `metering.grain.PRECEDENCE`.

    `billed` says that a product of an open period takes it, and its price decides; `settled` that it is part of a final
    period. Where several contracts or products could have it, the first that a close would choose.
    events: one, with the columns of `events`. periods, invoiced: as of `metering.attribute`, is_billed where open.
    """
    terms = terms_of(catalog)
    measures = metering.compile_measures(terms.metrics)
    states = hold(metering.hourly_states(events, measures, frozenset()))
    values = hold(metering.distinct_values(events, measures, frozenset()))
    none = metering.history(TABLES["usage_states"].empty().cast({"usage_date": STATE["usage_date"]}))
    starts = states.select(at="window_start").unique()
    bounds = hold(pl.concat([starts, starts.select(at=pl.col("at") + pl.duration(hours=1))]))
    found = metering.attribute(states, values, none, terms, frames, periods, now, hold, invoiced, bounds)
    rank = pl.col("level").cast(pl.Int64) * CANDIDATES + pl.col("preference")
    names = pl.col("code").replace_strict(dict(enumerate(PRECEDENCE)), return_dtype=pl.String)
    return (
        found.candidates.with_columns(place=names, rank=rank)
        .sort("billable_metric_id", "rank", nulls_last=True)
        .unique("billable_metric_id", keep="first", maintain_order=True)
        .select(PLACE)
    )
