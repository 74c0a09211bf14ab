"""What queries of SQL metrics come to at the ends of segments, each over the events of its customer and period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.catalog.sql.plans import SqlQuery
from billing_assets.catalog.sql.reading import value_of
from billing_assets.catalog.sql.tree import numbers, of_query, properties
from billing_assets.catalog.versions import takes, usage_versions
from billing_assets.columns import TIMESTAMP
from billing_assets.metering.events import NUMBER, TEXT, matches, readable
from billing_assets.metering.grain import BILLED, CODE, GROUP, NO_PRODUCT, SEPARATOR
from billing_assets.metering.measures import Measure, event_metrics, measure_of
from billing_assets.metering.queries import OUT, result
from billing_assets.metering.states import group_json
from billing_assets.money import or_zero

if TYPE_CHECKING:
    from billing_assets.metering.attribution import Attribution, Terms

PLACE = ("customer_ref", "usage_date")
SPAN = ("group_values", "window_start", "window_end", "batches_after", "batches_through")
SCOPE = ("contract_id", "period_start", "product_id", "taking", "signature")


def queried_places(attributed: Attribution) -> pl.LazyFrame:
    """References and days whose events queries read."""
    asked = pl.col("code").is_in((CODE[BILLED], CODE[NO_PRODUCT])) & (pl.col("aggregation_type") == "SQL")
    return attributed.candidates.filter(asked).select(PLACE).unique()


def query_values(attributed: Attribution, segments: pl.LazyFrame, terms: Terms) -> pl.LazyFrame:
    """Grain (GROUP, taking, segment_end): query_value, from the period's start to there; what is 0 may be left out.

    A query of granularity service_period has a value at the period's end alone.
    """
    ends = segments.select("contract_id", "period_start", "product_id", "segment_end", "period_end").unique()
    schema = {**dict.fromkeys(GROUP, pl.String()), "period_start": TIMESTAMP, "taking": pl.Int64()}
    empty = pl.LazyFrame(schema={**schema, "segment_end": TIMESTAMP, "query_value": pl.Decimal(38, 12)})
    found = [part for metric in _queries(terms) for part in _of_metric(metric, attributed, ends, terms)]
    return pl.concat([empty, *found], how="diagonal")


def _queries(terms: Terms) -> Iterator[SqlQuery]:
    return (one for one in event_metrics(terms.metrics) if isinstance(one, SqlQuery))


def _of_metric(metric: SqlQuery, attributed: Attribution, ends: pl.LazyFrame, terms: Terms) -> Iterator[pl.LazyFrame]:
    """The values of one metric, by each way in which products group it."""
    usage = attributed.usage.filter(pl.col("billable_metric_id") == metric.id)
    bounds = usage.select(SCOPE).unique().join(ends, on=SCOPE[:3])
    if metric.granularity == "service_period":
        bounds = bounds.filter(pl.col("segment_end") == pl.col("period_end"))
    until = bounds.select(*SCOPE, until="segment_end")
    found = totals(metric, measure_of(metric, terms.metrics), usage, until, SCOPE, attributed)
    taken = {takes(each)[1:] for product in terms.products for each in usage_versions(product)
             if each.billable_metric_id == metric.id}  # fmt: skip
    for pricing, presentation in sorted(taken, key=lambda keys: tuple(map(sorted, keys))):
        signature = SEPARATOR.join(sorted(pricing)) + "|" + SEPARATOR.join(sorted(presentation))
        yield (
            found.filter(pl.col("signature") == signature)
            .with_columns(
                pricing_group_values=shown_group(pricing), presentation_group_values=shown_group(presentation)
            )
            .group_by(*GROUP, "taking", segment_end="until")
            .agg(query_value=pl.col("value").sum())
        )


def shown_group(keys: Sequence[str] | frozenset[str]) -> pl.Expr:
    """The combination of group values of a row of a result."""
    return group_json({name: OUT + name for name in keys})


def totals(
    metric: SqlQuery,
    measure: Measure,
    slices: pl.LazyFrame,
    bounds: pl.LazyFrame,
    scope: Sequence[str],
    attributed: Attribution,
) -> pl.LazyFrame:
    """Grain as the query says, within (scope, until): its columns as `out:<name>`, and `value`.

    `slices` say which events each scope has, `bounds` (scope, until) how far each computation reaches.
    """
    assert attributed.events is not None, metric.id
    events = _matching(attributed.events, metric, measure, attributed.now)
    at, batch = pl.col("timestamp"), pl.col("ingest_batch")
    scoped = (
        slices.select(*scope, *PLACE, *SPAN)
        .unique()
        .join(events, on=[*PLACE, "group_values"])
        .filter(at >= pl.col("window_start"), at < pl.col("window_end"))
        .filter(batch > pl.col("batches_after"), batch <= pl.col("batches_through"))
        .drop("window_start", "window_end", "batches_after", "batches_through")
        .join(bounds, on=list(scope))
        .filter(at < pl.col("until"))
    )
    found = result(metric.query, scoped, [*scope, "until"])
    return found.with_columns(value=or_zero(OUT + value_of(metric.query).name))


def _matching(events: pl.LazyFrame, metric: SqlQuery, measure: Measure, now: datetime) -> pl.LazyFrame:
    """Events that the innermost SELECT reads, with the texts of its properties and their group values."""
    begun = pl.col("timestamp").dt.truncate("1h") <= pl.lit(now, dtype=TIMESTAMP)
    query = metric.query.innermost
    read = readable(events.filter(begun), [measure], frozenset(), query)
    return read.filter(matches(measure)).select(
        "customer_ref",
        *("event_type", "transaction_id", "timestamp", "ingest_batch"),
        *(TEXT + name for name in sorted(properties(of_query(query)))),
        *(NUMBER + name for name in sorted(numbers(of_query(query)))),
        usage_date="event_date",
        group_values=group_json({name: TEXT + name for name in measure.group_key}),
    )
