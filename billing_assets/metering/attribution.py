"""Whose usage it is: references become customers, and their hours fall into contracts, billing periods and products.

Aliases are resolved here, when usage is aggregated, and never stored on an event: moving an alias moves its usage in
every open period.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.products import Product, UsageProduct
from billing_assets.columns import TIMESTAMP
from billing_assets.metering.grain import (
    BILLED,
    CODE,
    ELSEWHERE,
    EXCLUDED,
    GROUP,
    LATE,
    NO_CONTRACT,
    NO_PRODUCT,
    SETTLED,
    UNATTRIBUTED,
)
from billing_assets.metering.measures import Measure, compile_measures, event_metrics, measure_of
from billing_assets.metering.states import group_json

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Attribution:
    """States and values by what they may be billed as.

    candidates: grain (metric, state, contract product that it may be billed as); `code` is the disposition so far, BILLED
    where it depends on the price. usage, values: of these the ones that a product of an open period takes, with GROUP.
    """

    candidates: pl.LazyFrame
    usage: pl.LazyFrame
    values: pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Terms:
    """What attribution needs of the catalog, beside its frames: the metrics and products as they were written."""

    metrics: Sequence[BillableMetric]
    products: Sequence[Product]
    has_filters: bool


def attribute(
    states: pl.LazyFrame,
    values: pl.LazyFrame,
    terms: Terms,
    frames: CatalogFrames,
    periods: pl.LazyFrame,
    now: datetime,
    hold: Callable[[pl.LazyFrame], pl.LazyFrame],
) -> Attribution:
    """Attribute the hours that have begun by `now`. `hold` computes a frame once that is read many times.

    `periods` has every billing period that has started: contract_id, period_start, period_end, `is_billed` (this
    computation is about it) and `events_through` (not null: final, with the last ingest batch that it has seen).
    """
    begun = pl.col("window_start") <= pl.lit(now, dtype=TIMESTAMP)
    metrics = metric_frame(terms.metrics)
    counted = states.filter(begun).join(metrics, on="measure_id")
    routed = hold(counted.pipe(_route, takers(metrics, frames), frames, periods))
    if terms.has_filters:
        routed = _filtered(routed, frames.usage_filters, terms.metrics)
    candidates = hold(routed.with_columns(code=_code(terms.has_filters)))
    combinations = states.select("measure_id", "group_values").unique()
    groups = group_map(combinations, terms)
    usage = _of_products(candidates, groups)
    keys = ["measure_id", "customer_ref", "group_values", "window_start"]
    owners = usage.filter(pl.col("aggregation_type") == "UNIQUE").select(*keys, *GROUP).unique()
    return Attribution(candidates, usage, values.filter(begun).join(owners, on=keys))


def metric_frame(metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """One row per metric: its measure and its aggregation."""
    measures = compile_measures(metrics)
    rows = [(one.id, measure_of(one, measures).measure_id, one.aggregation_type) for one in event_metrics(metrics)]
    schema = {"billable_metric_id": pl.String, "measure_id": pl.String, "aggregation_type": pl.String}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def takers(metrics: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (contract, metric, product of the contract that uses it); product_id null where none does."""
    products = frames.products.filter(pl.col("billable_metric_id").is_not_null()).select(
        "product_id", "billable_metric_id", signature=signature(pl.col("pricing_keys"), pl.col("presentation_keys"))
    )
    of_contract = frames.contract_products.join(products, on="product_id")
    contracts = frames.contracts.select("contract_id", "customer_id", "starting_at", "ending_before")
    return contracts.join(metrics.select("billable_metric_id"), how="cross").join(of_contract, on=["contract_id", "billable_metric_id"], how="left")


def signature(pricing: pl.Expr, presentation: pl.Expr) -> pl.Expr:
    """Text that two products share if they group alike."""
    return pl.concat_str([pricing.list.join(SEPARATOR), pl.lit("|"), presentation.list.join(SEPARATOR)])


def _route(states: pl.LazyFrame, taken: pl.LazyFrame, frames: CatalogFrames, periods: pl.LazyFrame) -> pl.LazyFrame:
    """States with their customer, contract, period and product, each null where there is none.

    A state outside all contracts of its customer keeps one row for each of them, as outside.
    """
    hour = pl.col("window_start")
    inside = (hour >= pl.col("starting_at")) & (hour < pl.col("ending_before").fill_null(hour + pl.duration(hours=1)))
    matched = (
        states.join(frames.customer_aliases, on="customer_ref", how="left")
        .join(taken, on=["customer_id", "billable_metric_id"], how="left")
        .with_columns(inside=inside.fill_null(value=False))
    )
    span = periods.select(
        "contract_id", "period_start", "period_end", "is_billed", "events_through", "close_month"
    )
    within = (
        matched.filter("inside")
        .join(span, on="contract_id")
        .filter(hour >= pl.col("period_start"), hour < pl.col("period_end"))
    )
    return pl.concat([within, matched.filter(~pl.col("inside"))], how="diagonal")


def _code(has_filters: bool) -> pl.Expr:
    """The disposition so far: BILLED where the product's price decides."""
    final = pl.col("events_through").is_not_null()
    excluded = pl.col("is_excluded") if has_filters else pl.lit(value=False)
    return (
        pl.when(pl.col("customer_id").is_null())
        .then(CODE[UNATTRIBUTED])
        .when(~pl.col("inside"))
        .then(CODE[NO_CONTRACT])
        .when(final & (pl.col("ingest_batch") > pl.col("events_through")))
        .then(CODE[LATE])
        .when(final)
        .then(CODE[SETTLED])
        .when(~pl.col("is_billed"))
        .then(CODE[ELSEWHERE])
        .when(pl.col("product_id").is_null())
        .then(CODE[NO_PRODUCT])
        .when(excluded)
        .then(CODE[EXCLUDED])
        .otherwise(CODE[BILLED])
        .cast(pl.Int8)
    )


def _filtered(routed: pl.LazyFrame, filters: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """`routed` with `is_excluded`: a usage filter of the contract is in force in the hour and refuses its value."""
    key = ["contract_id", "measure_id", "group_values", "window_start"]
    hour = pl.col("window_start")
    in_force = (hour >= pl.col("filter_start")) & (hour < pl.col("filter_end").fill_null(hour + pl.duration(hours=1)))
    dated = filters.select("contract_id", name="group_key", allowed="group_values", filter_start="starting_at",
                           filter_end="ending_before")  # fmt: skip
    filtered = routed.filter("inside").select(key).unique().join(dated, on="contract_id").filter(in_force)
    named = group_names(filtered.select("measure_id", "group_values").unique(), metrics)
    refused = (
        filtered.join(named, on=["measure_id", "group_values", "name"], how="left")
        .filter(~pl.col("value").is_in(pl.col("allowed")).fill_null(value=False))
        .select(key)
        .unique()
        .with_columns(is_excluded=pl.lit(value=True))
    )
    return routed.join(refused, on=key, how="left").with_columns(pl.col("is_excluded").fill_null(value=False))


def group_names(combinations: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (measure, group values, name): the value of each name in the combination."""
    parts = [
        decoded(combinations, measure)
        .unpivot(index=["measure_id", "group_values"], on=list(measure.group_key), variable_name="name")
        .select("measure_id", "group_values", "name", "value")
        for measure in compile_measures(metrics)
        if measure.group_key
    ]
    schema = dict.fromkeys(("measure_id", "group_values", "name", "value"), pl.String)
    return pl.concat([pl.LazyFrame(schema=schema), *parts])


def decoded(combinations: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    """The combinations of one measure with a column per name of its group key."""
    of_measure = combinations.filter(pl.col("measure_id") == measure.measure_id)
    if not measure.group_key:
        return of_measure
    shape = pl.Struct({name: pl.String() for name in measure.group_key})
    return of_measure.with_columns(decoded=pl.col("group_values").str.json_decode(shape)).unnest("decoded")


def group_map(combinations: pl.LazyFrame, terms: Terms) -> pl.LazyFrame:
    """Grain (measure, signature, group values): the pricing and presentation values that a product sees of it."""
    measures = compile_measures(terms.metrics)
    by_id = {one.id: measure_of(one, measures) for one in event_metrics(terms.metrics)}
    wanted = {
        (by_id[one.billable_metric_id], tuple(sorted(one.pricing_group_key)), tuple(sorted(one.presentation_group_key)))
        for one in terms.products
        if isinstance(one, UsageProduct) and one.billable_metric_id in by_id
    }
    parts = [_mapped(combinations, *each) for each in sorted(wanted, key=repr)]
    schema = dict.fromkeys(
        ("measure_id", "signature", "group_values", "pricing_group_values", "presentation_group_values"), pl.String
    )
    return pl.concat([pl.LazyFrame(schema=schema), *parts])


def _mapped(
    combinations: pl.LazyFrame, measure: Measure, pricing: tuple[str, ...], presentation: tuple[str, ...]
) -> pl.LazyFrame:
    return decoded(combinations, measure).select(
        "measure_id",
        signature=pl.lit(SEPARATOR.join(pricing) + "|" + SEPARATOR.join(presentation)),
        group_values="group_values",
        pricing_group_values=group_json({name: name for name in pricing}),
        presentation_group_values=group_json({name: name for name in presentation}),
    )


def _of_products(candidates: pl.LazyFrame, groups: pl.LazyFrame) -> pl.LazyFrame:
    return candidates.filter(pl.col("code") == CODE[BILLED]).join(
        groups, on=["measure_id", "signature", "group_values"]
    )


def usage_groups(usage: pl.LazyFrame) -> pl.LazyFrame:
    """The groups that saw an event in their period. Grain GROUP."""
    return usage.select(GROUP).unique()


