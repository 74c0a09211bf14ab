"""What an SQL metric is to the metering: a declared metric where it says no more than one, else a query over events.

A query is as good as a declared metric if it is one aggregate of one property of events, with properties as its other
columns. Of these only COUNT and SUM may have other columns, since what is no key of a product is summed over: the sum
of the largest values of two regions is no largest value.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from billing_assets.catalog.metrics import (
    BillableMetric,
    CountMetric,
    EventMetric,
    EventTypeFilter,
    KeyedMetric,
    PropertyFilter,
    SqlMetric,
    _EventMetric,
)
from billing_assets.catalog.sql.reading import QueryError, read_query, value_of
from billing_assets.catalog.sql.tree import PROPERTY, Aggregate, Call, Column, Constant, Node, Query

Granularity = Literal["hour", "service_period"]

AGGREGATIONS = {"SUM": "SUM", "MIN": "MIN", "MAX": "MAX", "AVG": "AVG", "COUNT_DISTINCT": "UNIQUE"}


class SqlCount(CountMetric):
    """A query that is a COUNT of events; `where` is what the filters of a declared metric cannot say."""

    where: Any = Field(default=None, description="Condition on events, a tree.")
    granularity: Granularity = Field(description="As of the SQL metric.")


class SqlKeyed(KeyedMetric):
    """A query that is an aggregate of one property."""

    where: Any = Field(default=None, description="Condition on events, a tree.")
    granularity: Granularity = Field(description="As of the SQL metric.")


class SqlQuery(_EventMetric):
    """A query that is computed over events. Its filters and `where` are those of its innermost SELECT."""

    aggregation_type: Literal["SQL"] = Field(description="Neither of the declared ones.")
    where: Any = Field(default=None, description="Condition on events, a tree.")
    granularity: Granularity = Field(description="As of the SQL metric.")
    query: Any = Field(description="The tree of the query.")


Metered = EventMetric | SqlQuery
"""The metrics as metering knows them."""


def metered(metric: BillableMetric | Metered) -> Metered:
    """The metric that is metered: itself, or what its query comes to."""
    return _planned(metric) if isinstance(metric, SqlMetric) else metric


def declared_keys(metric: BillableMetric) -> tuple[tuple[str, ...], ...] | None:
    """The group keys of a metric; a query that declares none has all of its properties. None: it cannot be read."""
    if not isinstance(metric, SqlMetric) or metric.group_keys:
        return metric.group_keys
    try:
        names = property_columns(read_query(metric.sql))
    except QueryError:
        return None
    return (names,) if names else ()


def property_columns(query: Query) -> tuple[str, ...]:
    """Columns that pass on a property under its own name: only these say of an event which group it is in."""
    value = value_of(query)
    return tuple(one.name for one in query.outputs if one is not value and one.origin == one.name)


@lru_cache(maxsize=1024)
def _planned(metric: SqlMetric) -> Metered:
    query = read_query(metric.sql)
    types, conditions, rest = _filters(query.innermost.where)
    common: dict[str, Any] = {
        "id": metric.id,
        "name": metric.name,
        "event_type_filter": types,
        "group_keys": declared_keys(metric),
        "where": rest,
        "granularity": metric.granularity,
    }
    counted = _plain(query)
    if counted is None:
        return SqlQuery(aggregation_type="SQL", property_filters=conditions, query=query, **common)
    kind, key = counted
    if kind == "COUNT":
        present = () if key is None else (PropertyFilter(name=key, exists=True),)
        return SqlCount(aggregation_type="COUNT", property_filters=(*conditions, *present), **common)
    return SqlKeyed.model_validate(
        {**common, "aggregation_type": AGGREGATIONS[kind], "aggregation_key": key, "property_filters": conditions}
    )


def _plain(query: Query) -> tuple[str, str | None] | None:
    """The aggregate of a query that is a declared metric, and its property (None: COUNT of events); else None."""
    value = value_of(query)
    found, others = value.node, [one for one in query.outputs if one is not value]
    if query.source is not None or query.having is not None or query.is_distinct or not isinstance(found, Aggregate):
        return None
    if any(one.origin != one.name for one in others) or {one.node for one in others} != set(query.groups or ()):
        return None
    if found.condition is not None or (others and found.name not in ("COUNT", "SUM")):
        return None
    if found.name == "COUNT" and found.argument is None:
        return "COUNT", None
    key = _property(found.argument)
    return None if key is None else (found.name, key)


def _property(node: Node | None) -> str | None:
    """The property that a node is, as text or as the number that the text says."""
    if isinstance(node, Call) and node.name == "number":
        node = node.arguments[0]
    is_property = isinstance(node, Column) and node.name.startswith(PROPERTY)
    return node.name.removeprefix(PROPERTY) if is_property and isinstance(node, Column) else None


def _filters(where: Node | None) -> tuple[EventTypeFilter | None, tuple[PropertyFilter, ...], Node | None]:
    """A condition as filters of a declared metric, as far as they can say it, and the rest of it."""
    types: EventTypeFilter | None = None
    conditions: list[PropertyFilter] = []
    rest: Node | None = None
    for part in _conjuncts(where):
        found = _condition(part)
        if isinstance(found, EventTypeFilter) and types is None:
            types = found
        elif isinstance(found, PropertyFilter):
            conditions.append(found)
        else:
            rest = part if rest is None else Call("and", (rest, part), "truth")
    return types, tuple(conditions), rest


def _conjuncts(where: Node | None) -> Iterator[Node]:
    if isinstance(where, Call) and where.name == "and":
        for each in where.arguments:
            yield from _conjuncts(each)
    elif where is not None:
        yield where


def _condition(part: Node) -> EventTypeFilter | PropertyFilter | None:
    """A comparison of a column with texts, or a test of its presence; None for anything else."""
    if not isinstance(part, Call):
        return None
    inner = part.arguments[0]
    denied = part.name == "not" and isinstance(inner, Call) and inner.name in ("in", "is_null", "=")
    test = inner if denied and isinstance(inner, Call) else part
    column, *values = test.arguments
    if not isinstance(column, Column) or test.name not in ("=", "<>", "in", "is_null"):
        return None
    texts = tuple(one.value for one in values if isinstance(one, Constant) and isinstance(one.value, str))
    if len(texts) < len(values):
        return None
    outside = denied != (test.name == "<>")
    if column.name == "event_type" and test.name != "is_null":
        return EventTypeFilter(not_in_values=texts) if outside else EventTypeFilter(in_values=texts)
    if not column.name.startswith(PROPERTY):
        return None
    name = column.name.removeprefix(PROPERTY)
    if test.name == "is_null":
        return PropertyFilter(name=name, exists=denied)
    # In SQL nothing is unequal to NULL: what is absent fails both ways.
    return (
        PropertyFilter(name=name, exists=True, not_in_values=texts)
        if outside
        else PropertyFilter(name=name, in_values=texts)
    )
