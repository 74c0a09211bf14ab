"""Billable metrics: which events count, and what is counted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Flag, Id, Key, PropertyText, Text

KeyedAggregation = Literal["SUM", "MAX", "MIN", "LATEST", "UNIQUE", "AVG"]
TimeWeightedAggregation = Literal["TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST"]


class EventTypeFilter(Term):
    """Which types of event a metric reads."""

    in_values: tuple[Text, ...] | None = Field(default=None, description="The type must be one of these.")
    not_in_values: tuple[Text, ...] | None = Field(default=None, description="The type must be none of these.")


class PropertyFilter(Term):
    """A condition on one property; all filters of a metric must pass."""

    name: Key = Field(description="Name of the property.")
    exists: Flag | None = Field(default=None, description="true: present and not null; false: absent or null.")
    in_values: tuple[PropertyText, ...] | None = Field(
        default=None, description="One of these, compared as canonical text; an absent property fails."
    )
    not_in_values: tuple[PropertyText, ...] | None = Field(
        default=None, description="None of these, compared as canonical text; an absent property passes."
    )


class _Metric(Term):
    id: Id = Field(description="Identifies the metric.")
    name: Text | None = Field(default=None, description="Name for people; the id where absent.")

    @property
    def label(self) -> str:
        return self.name or self.id


class _EventMetric(_Metric):
    event_type_filter: EventTypeFilter | None = Field(
        default=None, description="Which types of event; absent: every type."
    )
    property_filters: tuple[PropertyFilter, ...] = Field(
        default=(), description="Conditions on properties; all must pass."
    )
    group_keys: tuple[tuple[Key, ...], ...] = Field(
        default=(), description="Combinations of properties by which usage can be priced, shown or filtered."
    )


class CountMetric(_EventMetric):
    """The number of matching events."""

    aggregation_type: Literal["COUNT"] = Field(description="How events become a quantity.")


class KeyedMetric(_EventMetric):
    """An aggregate of one property: SUM, MAX, MIN, LATEST, UNIQUE (distinct texts) or AVG."""

    aggregation_type: KeyedAggregation = Field(description="How events become a quantity.")
    aggregation_key: Key = Field(description="The property that is aggregated.")


class TimeWeightedMetric(_EventMetric):
    """The integral over the period of a level that persists across periods, divided by the period's length."""

    aggregation_type: TimeWeightedAggregation = Field(
        description="TIME_WEIGHTED_SUM: the property changes the level; TIME_WEIGHTED_LATEST: it sets it."
    )
    aggregation_key: Key = Field(description="The property that changes or sets the level.")


class SqlMetric(_Metric):
    """One SELECT over `events`: column `value` (or the first) is the quantity, the others are group keys."""

    aggregation_type: Literal["SQL"] = Field(description="How events become a quantity.")
    sql: Text = Field(description="One SELECT over the relation `events`; properties are `properties.<name>`, as text.")
    granularity: Literal["hour", "service_period"] = Field(
        default="hour",
        description="hour: increments by hour; service_period: the whole quantity falls in the period's last hour.",
    )
    group_keys: tuple[tuple[Key, ...], ...] = Field(
        default=(), description="Combinations of the query's other columns."
    )


BillableMetric = Annotated[
    CountMetric | KeyedMetric | TimeWeightedMetric | SqlMetric, Field(discriminator="aggregation_type")
]
EventMetric = CountMetric | KeyedMetric | TimeWeightedMetric
"""The metrics that compile to measures."""
