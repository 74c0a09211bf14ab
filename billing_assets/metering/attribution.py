"""Whose usage it is: slices of states become candidates for what products of contracts bill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.products import Product
from billing_assets.catalog.sql.plans import SqlQuery
from billing_assets.catalog.versions import usage_versions, versions
from billing_assets.columns import TIMESTAMP
from billing_assets.metering.events import TEXT
from billing_assets.metering.grain import (
    BILLED,
    CODE,
    ELSEWHERE,
    EXCLUDED,
    GROUP,
    LATE,
    NO_PRODUCT,
    PRODUCTS,
    SEPARATOR,
    SETTLED,
    SLICE_OF_METRIC,
    UNMATCHED,
)
from billing_assets.metering.invoiced import WINDOW, settled_stays
from billing_assets.metering.levels import opening_levels, openings
from billing_assets.metering.measures import (
    NO_METRIC,
    Measure,
    compile_measures,
    event_metrics,
    measure_of,
    metric_frame,
)
from billing_assets.metering.placement import placements
from billing_assets.metering.slices import hours_of_cut_days, slices, value_slices, watermarks
from billing_assets.metering.states import group_json
from billing_assets.money import zero

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames


@dataclass(frozen=True, slots=True)
class Attribution:
    """Slices and values by what they may be billed as.

    candidates: grain (slice, metric, contract, product); `code` is the disposition so far, BILLED where it depends on
    the price; `level` is its place in PRECEDENCE, see `_level`. is_first: the first product of its slice, metric and
    contract; is_sole: the only candidate of its slice and metric; is_excluded: refused by a usage filter.
    usage: of these the ones that a product of a billed period takes, with GROUP; and where a product takes another
    metric, or by other keys, for a part of the period, the slices of the other part as well: is_current is false there.
    values: grain (measure, reference, group values, window, value), the distinct values of the same windows.
    openings: grain (billed period, measure, group values), what levels had come to when the period began; see `levels`.
    opening_levels: grain (GROUP, taking), opening_level, not 0.
    events: those of `queried_places`, where a metric is a query over events.
    """

    candidates: pl.LazyFrame
    usage: pl.LazyFrame
    values: pl.LazyFrame
    openings: pl.LazyFrame
    opening_levels: pl.LazyFrame
    now: datetime
    events: pl.LazyFrame | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What attribution needs of the catalog, beside its frames: the metrics and products as they were written."""

    metrics: Sequence[BillableMetric]
    products: Sequence[Product]
    has_filters: bool

    @property
    def has_queries(self) -> bool:
        """Whether any metric is a query that reads events."""
        return any(isinstance(metric, SqlQuery) for metric in event_metrics(self.metrics))

    @property
    def has_swaps(self) -> bool:
        """Whether any product changes what usage it takes: its metric or its keys."""
        return any(versions(product)[-1].taking for product in self.products)


def attribute(
    states: pl.LazyFrame,
    values: pl.LazyFrame,
    past: pl.LazyFrame,
    terms: Terms,
    frames: CatalogFrames,
    periods: pl.LazyFrame,
    now: datetime,
    hold: Callable[[pl.LazyFrame], pl.LazyFrame],
    invoiced: pl.LazyFrame | None = None,
    bounds: pl.LazyFrame | None = None,
) -> Attribution:
    """Attribute the hours that have begun by `now`. `hold` computes a frame once that is read many times.

    `past` is `levels.history` of all states before the first of `states`.
    `periods` has every billing period that the usage can lie in: contract_id, period_start, period_end, close_month,
    `is_billed` (this computation is about it) and `events_through` (not null: final, with the last ingest batch that it
    has seen). `invoiced`: references that moved since final invoices counted them (`with_invoiced`). `bounds`: `at`,
    instants at which usage can be cut beside those of the catalog's frames (`hours_of_cut_days`).
    """
    begun = pl.col("window_start") <= pl.lit(now, dtype=TIMESTAMP)
    measures = compile_measures(terms.metrics)
    hours, marks = hold(hours_of_cut_days(frames, periods, bounds)), hold(watermarks(periods))
    merged = hold(slices(states.filter(begun), measures, hours, marks))
    placed = hold(placements(merged.select(WINDOW).unique(), frames, periods, invoiced))
    possible = _candidates(merged, placed, terms, frames)
    possible = hold(possible if invoiced is None else settled_stays(hold(possible)))
    candidates = hold(pl.concat([possible.filter("is_current"), _unmatched(merged, measures)], how="diagonal"))
    found = hold(
        openings(past, merged, measures, frames, periods).pipe(_excluded, terms.metrics).filter(~pl.col("is_excluded"))
    )
    combinations = pl.concat([frame.select("measure_id", "group_values") for frame in (merged, found)]).unique()
    groups = group_map(combinations, terms)
    taken = possible if terms.has_swaps else candidates
    usage = taken.filter(pl.col("code") == CODE[BILLED]).join(groups, on=["measure_id", "signature", "group_values"])
    levels = found.pipe(_opening_levels, groups, terms, frames)
    return Attribution(candidates, usage, value_slices(values.filter(begun), hours), found, levels, now)


def usage_groups(attributed: Attribution) -> pl.LazyFrame:
    """The groups that saw an event in their period, or that a level from before it stands in. Grain GROUP."""
    seen = attributed.usage.filter("is_current").select(GROUP)
    return pl.concat([seen, attributed.opening_levels.select(GROUP)]).unique()


def _opening_levels(found: pl.LazyFrame, groups: pl.LazyFrame, terms: Terms, frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (GROUP, taking): the levels of `openings` as products that take them in the period group them."""
    taken = (
        takings(frames.product_versions)
        .join(metric_frame(terms.metrics), on="billable_metric_id")
        .join(frames.contract_products, on="product_id")
    )
    since, until = pl.col("taken_from"), pl.col("taken_until")
    meets = (since.is_null() | (since < pl.col("period_end"))) & (until.is_null() | (until > pl.col("period_start")))
    levels = (
        found.join(taken, on=["contract_id", "measure_id"])
        .filter(meets)
        .join(groups, on=["measure_id", "signature", "group_values"])
        .pipe(opening_levels, (*GROUP, "taking"))
    )
    return levels.filter(pl.col("opening_level") != zero())


def _candidates(merged: pl.LazyFrame, placed: pl.LazyFrame, terms: Terms, frames: CatalogFrames) -> pl.LazyFrame:
    """Slices by metric, contract and product, with `code` and is_current: the product takes the metric's usage then."""
    # A COUNT may read the states of a number: what is an exception there is an event like any other for it.
    exceptions = pl.when(~pl.col("aggregation_type").is_in(["COUNT", "SQL"])).then("exception_count").otherwise(0)
    rows = (
        merged.join(metric_frame(terms.metrics), on="measure_id")
        .with_columns(exception_count=exceptions)
        .join(placed, on=[*WINDOW])
        .pipe(_taken, _takers(frames), has_swaps=terms.has_swaps)
    )
    if terms.has_filters:
        rows = rows.pipe(_excluded, terms.metrics)
    else:
        rows = rows.with_columns(is_excluded=pl.lit(value=False))
    # A metric by the service period has all of its usage in the period's last hour.
    last_hour = pl.when(pl.col("is_whole")).then(pl.col("period_end") - pl.duration(hours=1))
    coded = rows.with_columns(
        code=_code(),
        placed_at=pl.coalesce(last_hour, "window_start"),
        preference=pl.col("contract_position").fill_null(0) * PRODUCTS + pl.col("product_position").fill_null(0),
        is_first=pl.col("is_first").fill_null(value=True),
        is_sole=(pl.col("contracts_of_window") == 1) & pl.col("is_sole").fill_null(value=True),
    )
    return coded.with_columns(level=_level()).drop(
        "filter_key", "filter_values", "place", "contracts_of_window", "contract_position", "product_position"
    )


def _taken(rows: pl.LazyFrame, takers: pl.LazyFrame, *, has_swaps: bool) -> pl.LazyFrame:
    """`rows` by the products that take them, with `is_current`; one row without a product where none does."""
    by_metric = ["contract_id", "billable_metric_id"]
    if not has_swaps:
        found = rows.join(takers, on=by_metric, how="left")
        return found.with_columns(is_current=pl.lit(value=True)).drop("taken_from", "taken_until")
    at, slice_of_contract = pl.col("window_start"), [*SLICE_OF_METRIC, "contract_id"]
    until, since = pl.col("taken_until"), pl.col("taken_from")
    met = rows.join(takers, on=by_metric).filter(
        pl.col("period_start").is_null()
        | ((since.is_null() | (since < pl.col("period_end"))) & (until.is_null() | (until > pl.col("period_start"))))
    )
    in_force = (since.is_null() | (since <= at)) & (until.is_null() | (at < until))
    now, then = met.filter(in_force), met.filter(~in_force)
    first = pl.col("product_position") == pl.col("product_position").min().over(slice_of_contract)
    untaken = rows.join(now.select(slice_of_contract).unique(), on=slice_of_contract, how="anti")
    parts = [
        now.with_columns(is_first=first, is_current=pl.lit(value=True)),
        then.with_columns(is_current=pl.lit(value=False)),
        untaken.with_columns(is_current=pl.lit(value=True)),
    ]
    return pl.concat(parts, how="diagonal").drop("taken_from", "taken_until")


def takings(versions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (product, run of versions that take the same usage): its metric and keys, taken_from, taken_until."""
    return (
        versions.filter(pl.col("billable_metric_id").is_not_null())
        .sort("product_id", "product_version")
        .group_by("product_id", "taking")
        .agg(
            pl.col("billable_metric_id").first(),
            signature=_signature(pl.col("pricing_keys").first(), pl.col("presentation_keys").first()),
            taken_from=pl.col("starting_at").first(),
            taken_until=pl.col("ending_before").last(),
        )
    )


def _takers(frames: CatalogFrames) -> pl.LazyFrame:
    """Grain (contract, taking of a product): its metric, and whether the product is the first or the sole one."""
    positions = frames.products.sort("product_id").with_row_index("product_position")
    products = positions.select("product_id", pl.col("product_position").cast(pl.Int64)).join(
        takings(frames.product_versions), on="product_id"
    )
    position, metric = pl.col("product_position"), ("contract_id", "billable_metric_id")
    return frames.contract_products.join(products, on="product_id").with_columns(
        is_first=position == position.min().over(metric), is_sole=pl.len().over(metric) == 1
    )


def _code() -> pl.Expr:
    """The disposition so far: BILLED where the product's price decides."""
    final = pl.col("events_through").is_not_null()
    after = pl.col("batches_after") >= pl.col("events_through")
    return (
        pl.when(pl.col("place") != CODE[BILLED])
        .then("place")
        .when(final & (pl.col("is_unseen").fill_null(value=False) | after))
        .then(CODE[LATE])
        .when(final)
        .then(CODE[SETTLED])
        .when(~pl.col("is_billed"))
        .then(CODE[ELSEWHERE])
        .when(pl.col("product_id").is_null())
        .then(CODE[NO_PRODUCT])
        .when("is_excluded")
        .then(CODE[EXCLUDED])
        .otherwise(CODE[BILLED])
        .cast(pl.Int8)
    )


def _level() -> pl.Expr:
    """Which candidates of a slice come first: the code, but for a contract that can bill nothing of it.

    Whether such a contract's period is final or computed elsewhere must not decide: the computation that lists the
    slice would be another one before and after.
    """
    is_closed = pl.col("contract_id").is_not_null() & pl.col("code").is_in((CODE[SETTLED], CODE[LATE], CODE[ELSEWHERE]))
    return (
        pl.when(is_closed & pl.col("product_id").is_null())
        .then(CODE[NO_PRODUCT])
        .when(is_closed & pl.col("is_excluded"))
        .then(CODE[EXCLUDED])
        .otherwise("code")
        .cast(pl.Int8)
    )


def _unmatched(merged: pl.LazyFrame, measures: Sequence[Measure]) -> pl.LazyFrame:
    """The events that match no metric: whoever sent them, nothing can bill them."""
    measure_id = next(each.measure_id for each in measures if each.kind == NO_METRIC)
    return merged.filter(pl.col("measure_id") == measure_id).with_columns(
        code=pl.lit(CODE[UNMATCHED], dtype=pl.Int8),
        level=pl.lit(CODE[UNMATCHED], dtype=pl.Int8),
        preference=pl.lit(0, dtype=pl.Int64),
        is_sole=pl.lit(value=True),
        is_current=pl.lit(value=True),
        billable_metric_id=pl.lit(None, dtype=pl.String),
    )


def _signature(pricing: pl.Expr, presentation: pl.Expr) -> pl.Expr:
    """Text that two products share if they group alike."""
    return pl.concat_str([pricing.list.join(SEPARATOR), pl.lit("|"), presentation.list.join(SEPARATOR)])


def _excluded(rows: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """`rows` with `is_excluded`: the contract's usage filter refuses the event's value, or the lack of one."""
    key = ["measure_id", "group_values", "filter_key"]
    asked = rows.filter(pl.col("filter_key").is_not_null()).select("measure_id", "group_values").unique()
    parts = [
        decoded(asked, measure).select(*key[:2], filter_key=pl.lit(name), filtered=TEXT + name)
        for measure in compile_measures(metrics)
        for name in measure.group_key
    ]
    schema = dict.fromkeys((*key, "filtered"), pl.String)
    passes = pl.col("filtered").is_in(pl.col("filter_values")).fill_null(value=False)
    return (
        rows.join(pl.concat([pl.LazyFrame(schema=schema), *parts]), on=key, how="left")
        .with_columns(is_excluded=pl.col("filter_key").is_not_null() & ~passes)
        .drop("filtered")
    )


def decoded(combinations: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    """The combinations of one measure with a column `text:<name>` per name of its group key."""
    of_measure = combinations.filter(pl.col("measure_id") == measure.measure_id)
    if not measure.group_key:
        return of_measure
    found = pl.col("group_values").str.json_decode(pl.Struct({name: pl.String() for name in measure.group_key}))
    return of_measure.with_columns(found.struct.field(name).alias(TEXT + name) for name in measure.group_key)


def group_map(combinations: pl.LazyFrame, terms: Terms) -> pl.LazyFrame:
    """Grain (measure, signature, group values): the pricing and presentation values that a product sees of it.

    `combinations` has measure_id and group_values; products that group alike share a signature.
    """
    by_id = {each.id: measure_of(each, terms.metrics) for each in event_metrics(terms.metrics)}
    wanted = {
        (
            by_id[each.billable_metric_id],
            tuple(sorted(each.pricing_group_key)),
            tuple(sorted(each.presentation_group_key)),
        )
        for product in terms.products
        for each in usage_versions(product)
        if each.billable_metric_id in by_id
    }
    parts = [_mapped(combinations, *each) for each in sorted(wanted, key=repr)]
    columns = ("measure_id", "signature", "group_values", "pricing_group_values", "presentation_group_values")
    return pl.concat([pl.LazyFrame(schema=dict.fromkeys(columns, pl.String)), *parts])


def _mapped(
    combinations: pl.LazyFrame, measure: Measure, pricing: tuple[str, ...], presentation: tuple[str, ...]
) -> pl.LazyFrame:
    return decoded(combinations, measure).select(
        "measure_id",
        signature=pl.lit(SEPARATOR.join(pricing) + "|" + SEPARATOR.join(presentation)),
        group_values="group_values",
        pricing_group_values=group_json({name: TEXT + name for name in pricing}),
        presentation_group_values=group_json({name: TEXT + name for name in presentation}),
    )
