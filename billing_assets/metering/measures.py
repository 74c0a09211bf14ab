"""Metrics compile to measures: what is kept by the hour, shared by all metrics that read the same thing.

A measure is known by its definition, not by the metrics that use it. A new metric that needs nothing new costs nothing;
a changed one has another measure, whose states are made for every open day (docs/semantics.md, Billable metrics).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from billing_assets.catalog.metrics import BillableMetric, KeyedMetric, TimeWeightedMetric
from billing_assets.catalog.sql.plans import Metered, metered
from billing_assets.catalog.sql.tree import Node, nodes, properties
from billing_assets.catalog.values import canonical_text

NO_METRIC = "no_metric"
STATISTICS: dict[str, tuple[str, ...]] = {
    "SUM": ("sum",),
    "AVG": ("sum",),
    "MIN": ("min",),
    "MAX": ("max",),
    "LATEST": ("last",),
    "TIME_WEIGHTED_SUM": ("sum", "held"),
    "TIME_WEIGHTED_LATEST": ("last", "readings"),
}
"""What each aggregation needs of the numbers of its key. COUNT needs the counts, UNIQUE the values. held: each value
times what is left of its hour. readings: every value with its instant, in `usage_values`."""

ConditionOf = tuple[str, bool | None, tuple[str, ...] | None, tuple[str, ...] | None]
"""Property, exists, in_values, not_in_values."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events count, in canonical text; None says nothing. Two metrics with equal filters read the same events.

    `where`: what of an SQL metric's condition the others cannot say.
    """

    in_types: tuple[str, ...] | None
    not_in_types: tuple[str, ...] | None
    conditions: tuple[ConditionOf, ...]
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One state per hour, customer reference and combination of `group_key` (sorted names).

    `kind`: "numbers" (aggregates of the numbers of `key`), "events" (counts alone), "distinct" (texts of `key`, in
    `usage_values`), or NO_METRIC: the events that pass none of `filters`, which has one filter otherwise.
    """

    measure_id: str
    kind: str
    filters: tuple[EventFilter, ...]
    key: str | None
    group_key: tuple[str, ...]
    statistics: tuple[str, ...]


_Source = tuple[str, EventFilter, str | None, tuple[str, ...]]
"""Kind, filter, key, group key: what of a measure does not depend on which statistics its metrics need."""


def compile_measures(metrics: Iterable[BillableMetric | Metered]) -> tuple[Measure, ...]:
    """The measures of the metrics, by id, and one for the events that match none of them."""
    events = event_metrics(metrics)
    needs: dict[_Source, set[str]] = {}
    for metric in events:
        needs.setdefault(_source(metric, events), set()).update(STATISTICS.get(metric.aggregation_type, ()))
    measures = [
        _identified(kind, (one,), key, group_key, tuple(sorted(statistics)))
        for (kind, one, key, group_key), statistics in needs.items()
    ]
    filters = sorted({event_filter(metric) for metric in events}, key=repr)
    unmatched = _identified(NO_METRIC, tuple(filters), None, (), ())
    return tuple(sorted((*measures, unmatched), key=lambda measure: measure.measure_id))


def measure_of(metric: BillableMetric | Metered, metrics: Iterable[BillableMetric | Metered]) -> Measure:
    """The measure that a metric reads, one of those of `metrics`."""
    events = event_metrics(metrics)
    kind, one, key, group_key = _source(metered(metric), events)
    return next(
        measure
        for measure in compile_measures(events)
        if (measure.kind, measure.filters, measure.key, measure.group_key) == (kind, (one,), key, group_key)
    )


def metric_frame(metrics: Iterable[BillableMetric | Metered]) -> pl.LazyFrame:
    """One row per metric: billable_metric_id, measure_id, aggregation_type, and is_whole: by the service period."""
    events = event_metrics(metrics)
    rows = [(one.id, measure_of(one, events).measure_id, one.aggregation_type, is_whole(one)) for one in events]
    texts = ("billable_metric_id", "measure_id", "aggregation_type")
    schema = {**dict.fromkeys(texts, pl.String()), "is_whole": pl.Boolean()}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def event_metrics(metrics: Iterable[BillableMetric | Metered]) -> tuple[Metered, ...]:
    """The metrics as they are metered: a query that says no more than a declared metric is one."""
    return tuple(map(metered, metrics))


def is_whole(metric: Metered) -> bool:
    return getattr(metric, "granularity", "hour") == "service_period"


def promotions(metrics: Iterable[BillableMetric | Metered]) -> tuple[frozenset[str], frozenset[str]]:
    """Properties that metrics read: those whose text is needed (filters, groups, UNIQUE), and those read as numbers."""
    texts: set[str] = set()
    numbers: set[str] = set()
    for metric in event_metrics(metrics):
        texts |= {one.name for one in metric.property_filters} | {name for key in metric.group_keys for name in key}
        where = event_filter(metric).where
        texts |= properties(nodes(where)) if where is not None else set()
        if isinstance(metric, KeyedMetric | TimeWeightedMetric):
            (texts if metric.aggregation_type == "UNIQUE" else numbers).add(metric.aggregation_key)
    return frozenset(texts), frozenset(numbers)


def event_filter(metric: Metered) -> EventFilter:
    """The filter of a metric in its one canonical form, whatever order it was written in."""
    types = metric.event_type_filter
    conditions = {
        (one.name, one.exists, _texts(one.in_values), _texts(one.not_in_values)) for one in metric.property_filters
    }
    return EventFilter(
        in_types=_texts(types.in_values) if types else None,
        not_in_types=_texts(types.not_in_values) if types else None,
        conditions=tuple(sorted(conditions, key=repr)),
        where=getattr(metric, "where", None),
    )


def _source(metric: Metered, metrics: Sequence[Metered]) -> _Source:
    """What a metric reads. A COUNT reads the counts of a number's measure where `metrics` have one of its events."""
    one, group_key = event_filter(metric), _group_key(metric)
    if isinstance(metric, KeyedMetric | TimeWeightedMetric):
        return _keyed_kind(metric), one, metric.aggregation_key, group_key
    hosts = sorted(
        other.aggregation_key
        for other in metrics
        if isinstance(other, KeyedMetric | TimeWeightedMetric) and _keyed_kind(other) == "numbers"
        if (event_filter(other), _group_key(other)) == (one, group_key)
    )
    return ("numbers", one, hosts[0], group_key) if hosts else ("events", one, None, group_key)


def _keyed_kind(metric: KeyedMetric | TimeWeightedMetric) -> str:
    return "distinct" if metric.aggregation_type == "UNIQUE" else "numbers"


def _group_key(metric: Metered) -> tuple[str, ...]:
    """All names of the declared keys: an event has one disposition, which products of several keys decide together."""
    return tuple(sorted({name for key in metric.group_keys for name in key}))


def _identified(
    kind: str,
    filters: tuple[EventFilter, ...],
    key: str | None,
    group_key: tuple[str, ...],
    statistics: tuple[str, ...],
) -> Measure:
    definition: list[Any] = [
        kind, [[one.in_types, one.not_in_types, one.conditions] for one in filters], key, group_key, statistics
    ]  # fmt: skip
    definition += [repr(one.where) for one in filters if one.where is not None]
    digest = hashlib.sha256(msgspec.json.encode(definition)).hexdigest()
    return Measure(f"measure_{digest[:24]}", kind, filters, key, group_key, statistics)


def _texts(values: Iterable[object] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted({canonical_text(value) for value in values}))
