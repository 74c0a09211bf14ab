"""Queries of SQL metrics as Polars plans, for all customers at once: every SELECT keeps the scope of its rows apart.

All numbers are exact decimals; text where a number is needed is the number that it says, or null; AVG is SUM / COUNT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import assert_never

import polars as pl

from billing_assets import numerals
from billing_assets.catalog.sql.tree import PROPERTY, Aggregate, Call, Column, Constant, Node, Query, nodes
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.money import share

TEXT, NUMBER = "text:", "number:"
OUT = "out:"
"""Prefix of the columns of a result, so that they never meet those of the scope."""

Columns = Mapping[Node, str]
"""Nodes that have been computed already, and the working columns that hold them."""

DTYPES: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "number": DECIMAL,
    "truth": pl.Boolean(),
    "instant": TIMESTAMP,
}


def result(query: Query, events: pl.LazyFrame, scope: Sequence[str]) -> pl.LazyFrame:
    """Grain as the query says, within each scope: the columns of `scope`, and `out:<name>` of each output.

    `events` has the scope, event_type, transaction_id, timestamp, and `text:<name>` of the properties it reads,
    and `number:<name>` of those that it reads as numbers.
    """
    rows = events if query.source is None else result(query.source, events, scope)
    below = query.source is not None
    if query.where is not None:
        rows = rows.filter(expression(query.where, {}, below=below))
    computed: dict[Node, str] = {}
    if query.groups is not None:
        rows, computed = _grouped(query, rows, scope, below=below)
        if query.having is not None:
            rows = rows.filter(expression(query.having, computed, below=below))
    outputs = [expression(one.node, computed, below=below).alias(OUT + one.name) for one in query.outputs]
    shown = rows.select(*scope, *outputs)
    return shown.unique() if query.is_distinct else shown


def _grouped(
    query: Query, rows: pl.LazyFrame, scope: Sequence[str], *, below: bool
) -> tuple[pl.LazyFrame, dict[Node, str]]:
    parts = [one.node for one in query.outputs] + ([query.having] if query.having is not None else [])
    aggregates = dict.fromkeys(one for part in parts for one in nodes(part) if isinstance(one, Aggregate))
    groups = dict.fromkeys(query.groups or ())
    computed: dict[Node, str] = {node: f"group:{place}" for place, node in enumerate(groups)}
    keys = [expression(node, {}, below=below).alias(name) for node, name in computed.items()]
    found = {node: f"aggregate:{place}" for place, node in enumerate(aggregates)}
    values = [aggregate(node, below=below).alias(name) for node, name in found.items()]
    return rows.group_by(*scope, *keys).agg(values), computed | {**found}


def aggregate(node: Aggregate, *, below: bool) -> pl.Expr:
    """An aggregate of the rows for which its condition is true; of nothing it is null, but for counts."""
    condition = None if node.condition is None else expression(node.condition, {}, below=below)
    if node.argument is None:
        return (pl.len() if condition is None else condition.sum()).cast(DECIMAL)
    value = expression(node.argument, {}, below=below)
    value = value if condition is None else pl.when(condition).then(value)
    count = value.count().cast(DECIMAL)
    match node.name:
        case "COUNT":
            return count
        case "COUNT_DISTINCT":
            return value.drop_nulls().n_unique().cast(DECIMAL)
        case "SUM":
            return pl.when(value.count() > 0).then(value.sum())
        case "AVG":
            return share(value.sum(), count)
        case "MIN":
            return value.min()
        case _:
            return value.max()


def expression(node: Node, computed: Columns, *, below: bool = False) -> pl.Expr:
    """A node over rows of events, or of the query below; what `computed` has is taken from there."""
    if node in computed:
        return pl.col(computed[node])
    match node:
        case Column():
            if below:
                return pl.col(OUT + node.name)
            name = node.name
            return pl.col(TEXT + name.removeprefix(PROPERTY) if name.startswith(PROPERTY) else name)
        case Constant():
            return pl.lit(node.value, dtype=DTYPES[node.kind])
        case Call(name="number", arguments=(Column(name=name),)) if not below and name.startswith(PROPERTY):
            return pl.col(NUMBER + name.removeprefix(PROPERTY))
        case Call():
            return OPERATIONS[node.name]([expression(one, computed, below=below) for one in node.arguments], node)
        case Aggregate():
            raise AssertionError(node)
        case _:
            assert_never(node)


Operation = Callable[[list[pl.Expr], Call], pl.Expr]


def _case(parts: list[pl.Expr], call: Call) -> pl.Expr:
    """Conditions and their results in turn, then the default."""
    *whens, default = parts
    pairs = list(zip(whens[::2], whens[1::2], strict=True))
    return reduce(lambda otherwise, pair: pl.when(pair[0]).then(pair[1]).otherwise(otherwise), reversed(pairs), default)


def _like(parts: list[pl.Expr], call: Call) -> pl.Expr:
    """% is any text and _ any character; the pattern covers the whole text."""
    pattern = call.arguments[1]
    assert isinstance(pattern, Constant)
    special = {"%": ".*", "_": "."}
    regex = "".join(special.get(one) or (one if one.isalnum() or ord(one) > 127 else "\\" + one)
                    for one in str(pattern.value))  # fmt: skip
    return parts[0].str.contains(f"(?s)^{regex}$")


def _round(parts: list[pl.Expr], call: Call) -> pl.Expr:
    places = call.arguments[1]
    assert isinstance(places, Constant)
    return parts[0].round(int(places.value or 0), mode="half_away_from_zero")


def _in(parts: list[pl.Expr], call: Call) -> pl.Expr:
    values = [one.value for one in call.arguments[1:] if isinstance(one, Constant)]
    return parts[0].is_in(pl.Series(values, dtype=DTYPES[call.arguments[0].kind]).implode())


def _trunc(parts: list[pl.Expr], call: Call) -> pl.Expr:
    every = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo", "year": "1y"}
    return parts[0].dt.truncate(every[_word(call)])


def _extract(parts: list[pl.Expr], call: Call) -> pl.Expr:
    found: pl.Expr = getattr(parts[0].dt, _word(call))()
    return found.cast(DECIMAL)


def _word(call: Call) -> str:
    word = call.arguments[1]
    assert isinstance(word, Constant)
    return str(word.value)


OPERATIONS: Mapping[str, Operation] = {
    "+": lambda parts, call: parts[0] + parts[1],
    "-": lambda parts, call: parts[0] - parts[1],
    "*": lambda parts, call: parts[0] * parts[1],
    "/": lambda parts, call: share(parts[0], parts[1]),
    "=": lambda parts, call: parts[0] == parts[1],
    "<>": lambda parts, call: parts[0] != parts[1],
    "<": lambda parts, call: parts[0] < parts[1],
    "<=": lambda parts, call: parts[0] <= parts[1],
    ">": lambda parts, call: parts[0] > parts[1],
    ">=": lambda parts, call: parts[0] >= parts[1],
    "and": lambda parts, call: parts[0] & parts[1],
    "or": lambda parts, call: parts[0] | parts[1],
    "not": lambda parts, call: ~parts[0],
    "is_null": lambda parts, call: parts[0].is_null(),
    "in": _in,
    "like": _like,
    "case": _case,
    "coalesce": lambda parts, call: pl.coalesce(parts),
    "number": lambda parts, call: numerals.number(parts[0]),
    "abs": lambda parts, call: parts[0].abs(),
    "floor": lambda parts, call: parts[0].floor(),
    "ceil": lambda parts, call: parts[0].ceil(),
    "round": _round,
    "lower": lambda parts, call: parts[0].str.to_lowercase(),
    "upper": lambda parts, call: parts[0].str.to_uppercase(),
    "concat": lambda parts, call: parts[0] + parts[1],
    "trunc": _trunc,
    "extract": _extract,
}
"""The expression of each `Call`, by its name."""
