"""Events as a measure reads them: properties from their promoted columns or their JSON text, and predicates on them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_

import polars as pl

from billing_assets import numerals
from billing_assets.catalog.sql.tree import Query, nodes, of_query, properties
from billing_assets.catalog.sql.tree import numbers as numbers_of
from billing_assets.metering import queries
from billing_assets.metering.measures import NO_METRIC, EventFilter, Measure

TEXT, NUMBER = queries.TEXT, queries.NUMBER
"""Prefixes of the working columns that hold a property; no column of the events table has a colon in its name."""


def readable(
    events: pl.LazyFrame, measures: Iterable[Measure], promoted: frozenset[str], query: Query | None = None
) -> pl.LazyFrame:
    """`events` with `text:<name>` and `number:<name>` for every property that `measures` use, and that `query` reads.

    `promoted` names the columns that all rows of `events` have filled; every other property is read from the canonical
    JSON text, in which all values are strings, so that nothing passes through a float.
    """
    texts, numbers = needed_properties(measures)
    if query is not None:
        texts = sorted(properties(of_query(query)).union(texts))
        numbers = sorted(numbers_of(of_query(query)).union(numbers))
    parsed = sorted(
        {name for name in texts if f"property_{name}" not in promoted}
        | {name for name in numbers if f"number_{name}" not in promoted}
    )
    if parsed:
        shape = pl.Struct({name: pl.String() for name in parsed})
        events = events.with_columns(pl.col("properties").str.json_decode(shape).alias("parsed:"))

    def text(name: str) -> pl.Expr:
        column = f"property_{name}"
        return pl.col(column) if column in promoted else pl.col("parsed:").struct.field(name)

    def number(name: str) -> pl.Expr:
        column = f"number_{name}"
        return pl.col(column) if column in promoted else numerals.number(pl.col("parsed:").struct.field(name))

    return events.with_columns(
        *(text(name).alias(TEXT + name) for name in texts), *(number(name).alias(NUMBER + name) for name in numbers)
    )


def needed_properties(measures: Iterable[Measure]) -> tuple[list[str], list[str]]:
    """Names of the properties that are needed as text, and as numbers."""
    texts: set[str] = set()
    numbers: set[str] = set()
    for measure in measures:
        texts.update(measure.group_key)
        texts.update(name for one in measure.filters for name, *_ in one.conditions)
        for one in measure.filters:
            texts.update(properties(nodes(one.where)) if one.where is not None else ())
            numbers.update(numbers_of(nodes(one.where)) if one.where is not None else ())
        if measure.key is not None:
            (texts if measure.kind == "distinct" else numbers).add(measure.key)
    return sorted(texts), sorted(numbers)


def matches(measure: Measure) -> pl.Expr:
    """True for the events that a measure counts; never null."""
    if measure.kind == NO_METRIC:
        return ~pl.any_horizontal(pl.lit(value=False), *(passes(one) for one in measure.filters))
    return passes(measure.filters[0])


def passes(one: EventFilter) -> pl.Expr:
    """True for the events that pass a filter; never null."""
    conditions = [pl.lit(value=True)]
    if one.in_types is not None:
        conditions.append(pl.col("event_type").is_in(one.in_types))
    if one.not_in_types is not None:
        conditions.append(~pl.col("event_type").is_in(one.not_in_types))
    for name, exists, in_values, not_in_values in one.conditions:
        conditions.extend(_conditions(pl.col(TEXT + name), exists, in_values, not_in_values))
    if one.where is not None:
        conditions.append(queries.expression(one.where, {}).fill_null(value=False))
    return reduce(and_, conditions)


def _conditions(
    value: pl.Expr, exists: bool | None, in_values: tuple[str, ...] | None, not_in_values: tuple[str, ...] | None
) -> Iterable[pl.Expr]:
    """An absent property fails `exists: true` and `in_values`, and passes `not_in_values`."""
    if exists is not None:
        yield value.is_not_null() if exists else value.is_null()
    if in_values is not None:
        yield value.is_in(in_values).fill_null(value=False)
    if not_in_values is not None:
        yield ~value.is_in(not_in_values).fill_null(value=False)


def usable(measure: Measure) -> pl.Expr:
    """True where the event has a value for the measure's key: a number, or any text for distinct values."""
    if measure.key is None:
        return pl.lit(value=True)
    return pl.col((TEXT if measure.kind == "distinct" else NUMBER) + measure.key).is_not_null()
