"""A query's text to its tree: one SELECT over `events`, or over SELECTs below it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from billing_assets.catalog.sql.scalars import QueryError, Scope, only, refuse
from billing_assets.catalog.sql.tree import PROPERTY, Aggregate, Call, Column, Kind, Node, Output, Query, nodes, weight

LONGEST = 10_000
DEEPEST = 8
HEAVIEST = 20_000
"""Bounds of a query: characters, SELECTs below each other, and the size of one SELECT's expressions."""


@lru_cache(maxsize=1024)
def read_query(text: str) -> Query:
    """The tree of a query; QueryError says what is wrong with it."""
    if len(text) > LONGEST:
        raise QueryError(f"found {len(text)} characters, expected at most {LONGEST}")
    try:
        found = [one for one in sqlglot.parse(text, read="postgres") if isinstance(one, exp.Expression)]
        if len(found) != 1:
            raise QueryError(f"found {len(found)} statements, expected one SELECT")
        query = _select(found[0], {}, 0)
    except SqlglotError as error:
        raise QueryError(f"found SQL that cannot be read: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise QueryError("found a query nested too deeply to be read, expected a simpler one") from None
    value = value_of(query).node
    if value.kind != "number":
        raise QueryError(
            f"found a value that is {value.kind}, expected a number: CAST(... AS DECIMAL) makes one of text"
        )
    return query


def value_of(query: Query) -> Output:
    """The column that is the quantity: the one called `value`, or the first."""
    return next((output for output in query.outputs if output.name == "value"), query.outputs[0])


ONLY_EVENTS = "the relation events: no file, no function and no other table can be read"

Below = Mapping[str, exp.Expression]
"""Queries that a WITH has named so far."""

_SELECT_PARTS = ("expressions", "from_", "where", "group", "having", "distinct", "with_")


def _select(found: exp.Expression, named: Below, depth: int) -> Query:
    if not isinstance(found, exp.Select):
        refuse(found, "one SELECT")
    if depth > DEEPEST:
        raise QueryError(f"found SELECTs more than {DEEPEST} deep, expected fewer")
    only(found, *_SELECT_PARTS)
    named = {**named, **_named(found)}
    source, alias = _source(found, named, depth)
    scope = Scope(None if source is None else {one.name: one.node.kind for one in source.outputs}, alias)
    where = scope.truth(found.args["where"].this) if found.args.get("where") else None
    outputs = _outputs(found, scope, source)
    groups = _groups(found, scope, outputs)
    having = scope.truth(found.args["having"].this) if found.args.get("having") else None
    if where is not None and _aggregates(where):
        refuse(found.args["where"], "no aggregate in WHERE")
    if groups is None and (having is not None or any(_aggregates(one.node) for one in outputs)):
        groups = ()
    query = Query(source, where, groups, having, outputs, _is_distinct(found))
    if sum(weight(one) for one in (where, having, *(groups or ()), *(one.node for one in outputs)) if one) > HEAVIEST:
        raise QueryError("found expressions that are too large when they are written out, expected simpler ones")
    _check_grouping(found, query)
    return query


def _named(found: exp.Expression) -> dict[str, exp.Expression]:
    below = found.args.get("with_")
    if below is None:
        return {}
    only(below, "expressions")
    tables: dict[str, exp.Expression] = {}
    for each in below.expressions:
        only(each, "this", "alias")
        if each.alias == "events" or each.args["alias"].args.get("columns"):
            refuse(each, "WITH name AS (SELECT ...), and another name than events")
        tables[each.alias] = each.this
    return tables


def _source(found: exp.Expression, named: Below, depth: int) -> tuple[Query | None, str | None]:
    """What is selected from (None: events), and what it is called."""
    clause = found.args.get("from_")
    if clause is None:
        refuse(found, "FROM events")
    only(clause, "this")
    table = clause.this
    alias = table.args.get("alias")
    if alias is not None:
        only(alias, "this")
    name = table.alias or None
    if isinstance(table, exp.Subquery):
        only(table, "this", "alias")
        return _select(table.this, named, depth + 1), name
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        refuse(table, ONLY_EVENTS)
    only(table, "this", "alias")
    if table.name == "events":
        return None, name
    if table.name not in named:
        refuse(table, ONLY_EVENTS)
    rest = {key: value for key, value in named.items() if key != table.name}
    return _select(named[table.name], rest, depth + 1), name or table.name


def _outputs(found: exp.Expression, scope: Scope, source: Query | None) -> tuple[Output, ...]:
    outputs: list[Output] = []
    for place, each in enumerate(found.expressions):
        inner = each.this if isinstance(each, exp.Alias) else each
        if isinstance(each, exp.Alias):
            only(each, "this", "alias")
        if isinstance(inner, exp.Star):
            refuse(each, "the names of the columns")
        name = each.alias_or_name or f"column{place + 1}"
        if any(name == one.name for one in outputs):
            raise QueryError(f"found the column {name!r} twice, expected each name once")
        node = scope.node(inner)
        outputs.append(Output(name, node, _origin(node, source)))
    return tuple(outputs)


def _origin(node: Node, source: Query | None) -> str | None:
    if not isinstance(node, Column):
        return None
    if source is None:
        return node.name.removeprefix(PROPERTY) if node.name.startswith(PROPERTY) else None
    return next(one.origin for one in source.outputs if one.name == node.name)


def _groups(found: exp.Expression, scope: Scope, outputs: tuple[Output, ...]) -> tuple[Node, ...] | None:
    """What GROUP BY names: expressions, output columns by their name, or by their place."""
    clause = found.args.get("group")
    if clause is None:
        return None
    only(clause, "expressions")
    by_name = {one.name: one.node for one in outputs}
    groups: list[Node] = []
    for each in clause.expressions:
        if isinstance(each, exp.Literal) and not each.is_string:
            place = int(each.this) if str(each.this).isdigit() else 0
            if not 1 <= place <= len(outputs):
                refuse(each, f"a column from 1 to {len(outputs)}")
            groups.append(outputs[place - 1].node)
        elif isinstance(each, exp.Column) and not each.table and each.name in by_name:
            groups.append(by_name[each.name])
        else:
            groups.append(scope.node(each))
        if _aggregates(groups[-1]):
            refuse(each, "no aggregate in GROUP BY")
    return tuple(groups)


def _check_grouping(found: exp.Expression, query: Query) -> None:
    """Beside aggregates only what is grouped by can be selected."""
    if query.groups is None:
        return
    for part in (*(one.node for one in query.outputs), *([query.having] if query.having else [])):
        for column in ungrouped(part, query.groups):
            shown = column.name.replace(PROPERTY, "properties.")
            raise QueryError(f"found {shown!r} outside an aggregate, expected it in GROUP BY")


def ungrouped(node: Node, groups: tuple[Node, ...]) -> list[Column]:
    """Columns of a node that are neither in an aggregate nor part of a group."""
    if node in groups or isinstance(node, Aggregate):
        return []
    if isinstance(node, Column):
        return [node]
    return [one for each in node.arguments for one in ungrouped(each, groups)] if isinstance(node, Call) else []


def _aggregates(node: Node) -> bool:
    return any(isinstance(one, Aggregate) for one in nodes(node))


def _is_distinct(found: exp.Expression) -> bool:
    distinct = found.args.get("distinct")
    if distinct is not None:
        only(distinct)
    return distinct is not None


__all__ = ["Kind", "QueryError", "read_query", "value_of"]
