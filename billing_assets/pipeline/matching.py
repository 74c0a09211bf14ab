"""Which metrics count an event, and of those that do not, which condition it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from billing_assets import metering
from billing_assets.catalog.metrics import BillableMetric, CountMetric
from billing_assets.catalog.sql.plans import Metered, SqlQuery
from billing_assets.metering.events import passes, readable, usable
from billing_assets.metering.measures import EventFilter, event_metrics

NOTHING = EventFilter(in_types=None, not_in_types=None, conditions=())


def conditions_of(events: pl.LazyFrame, metrics: Sequence[BillableMetric]) -> pl.LazyFrame:
    """Grain (event, metric, condition): `condition` as text and whether the event `passes` it; is_usable: the metric
    can read its value. A metric without conditions has one that all pass.

    events: of any number, with transaction_id, event_type and properties.
    """
    found = [part for metric in event_metrics(metrics) for part in _of_metric(events, metric, metrics)]
    schema = {"transaction_id": pl.String(), "billable_metric_id": pl.String(), "condition": pl.String(),
              "passes": pl.Boolean(), "is_usable": pl.Boolean()}  # fmt: skip
    return pl.concat([pl.LazyFrame(schema=schema), *found])


def _of_metric(events: pl.LazyFrame, metric: Metered, metrics: Sequence[BillableMetric]) -> Iterator[pl.LazyFrame]:
    measure = metering.measure_of(metric, metrics)
    takes_all = isinstance(metric, CountMetric | SqlQuery)
    is_usable = pl.lit(value=True) if takes_all else usable(measure)
    read = readable(events, [measure], frozenset())
    for text, one in single_conditions(measure.filters[0]):
        yield read.select(
            "transaction_id",
            billable_metric_id=pl.lit(metric.id),
            condition=pl.lit(text),
            passes=passes(one),
            is_usable=is_usable,
        )


def single_conditions(one: EventFilter) -> Iterator[tuple[str, EventFilter]]:
    """The conditions of a filter, each as text and as a filter of its own."""
    if one.in_types is not None:
        yield f"event_type in [{', '.join(one.in_types)}]", replace(NOTHING, in_types=one.in_types)
    if one.not_in_types is not None:
        yield f"event_type not in [{', '.join(one.not_in_types)}]", replace(NOTHING, not_in_types=one.not_in_types)
    for condition in one.conditions:
        name, exists, in_values, not_in_values = condition
        parts = [
            *([f"{name} {'exists' if exists else 'is absent'}"] if exists is not None else []),
            *([f"{name} in [{', '.join(in_values)}]"] if in_values is not None else []),
            *([f"{name} not in [{', '.join(not_in_values)}]"] if not_in_values is not None else []),
        ]
        yield " and ".join(parts) or name, replace(NOTHING, conditions=(condition,))
    if one.where is not None:
        yield "the WHERE of its query", replace(NOTHING, where=one.where)
    if one == NOTHING:
        yield "every event", NOTHING
