"""Expressions of a query: each kind of node that is allowed, with its types; any other is refused by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NoReturn

from pydantic_core import PydanticCustomError
from sqlglot import exp

from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.sql.tree import PROPERTY, Aggregate, Call, Column, Constant, Kind, Node
from billing_assets.catalog.values import number

EVENT_COLUMNS: Mapping[str, Kind] = {"event_type": "text", "transaction_id": "text", "timestamp": "instant"}
UNITS = ("hour", "day", "week", "month", "year")
PARTS = ("year", "month", "day", "hour")


class QueryError(ValueError):
    """What was found in a query, and what was expected."""


def refuse(node: exp.Expression, expected: str = "an expression of the documented kind") -> NoReturn:
    text = node.sql(dialect="postgres")
    shown = text if len(text) <= 60 else text[:57] + "..."
    raise QueryError(f"found {shown!r} ({node.key}), expected {expected}")


def only(node: exp.Expression, *names: str) -> None:
    """Nothing of a node may be passed over: it has these parts and no others."""
    for name, part in node.args.items():
        if part and name not in names:
            refuse(node, f"no {name.strip('_').replace('_', ' ')} in it")


class Scope:
    """The columns that expressions of one SELECT can name, and the reading of those expressions.

    `columns` of another query; None over events. `alias`: what the relation may be called in front of a column.
    """

    def __init__(self, columns: Mapping[str, Kind] | None, alias: str | None) -> None:
        self.columns, self.alias = columns, alias
        self._inside_aggregate = False

    def node(self, found: exp.Expression) -> Node:
        read = READERS.get(type(found))
        if read is None:
            refuse(found, "columns, literals, arithmetic, comparisons, CASE, and the documented functions")
        return read(self, found)

    def number(self, found: exp.Expression) -> Node:
        """A node as a number; text is read as one, and is NULL where it is none."""
        return as_number(self.node(found), found)

    def text(self, found: exp.Expression) -> Node:
        node = self.node(found)
        return node if node.kind == "text" else refuse(found, f"text, not {node.kind}")

    def truth(self, found: exp.Expression) -> Node:
        node = self.node(found)
        return node if node.kind == "truth" else refuse(found, f"a condition, not {node.kind}")

    def instant(self, found: exp.Expression) -> Node:
        node = self.node(found)
        return node if node.kind == "instant" else refuse(found, f"a timestamp, not {node.kind}")

    def aggregated(self, found: exp.Expression, read: Callable[[exp.Expression], Node]) -> Node:
        if self._inside_aggregate:
            refuse(found, "no aggregate inside an aggregate")
        self._inside_aggregate = True
        node = read(found)
        self._inside_aggregate = False
        return node


def as_number(node: Node, found: exp.Expression) -> Node:
    match node:
        case Constant(value=None):
            return Constant(None, "number")
        case _ if node.kind == "number":
            return node
        case Constant():
            refuse(found, f"a number, not {node.kind}")
        case _ if node.kind == "text":
            return Call("number", (node,), "number")
    refuse(found, f"a number, not {node.kind}")


def _column(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "table", "db")
    assert isinstance(found, exp.Column)
    if not isinstance(found.this, exp.Identifier):
        refuse(found, "the names of the columns")
    name, parts = found.name, [part for part in (found.db, found.table) if part]
    if parts and parts[0] in (scope.alias, "events" if scope.columns is None else None) and parts[0] != "properties":
        parts = parts[1:]
    if scope.columns is None:
        if parts == ["properties"]:
            return Column(PROPERTY + name, "text")
        if not parts and name.lower() in EVENT_COLUMNS:
            return Column(name.lower(), EVENT_COLUMNS[name.lower()])
        wanted = [*EVENT_COLUMNS, "properties.<name>"]
        refuse(found, f"a column of events ({', '.join(wanted)}){suggestion(name, EVENT_COLUMNS)}")
    if parts or name not in scope.columns:
        refuse(found, f"a column of the query below ({', '.join(scope.columns)}){suggestion(name, scope.columns)}")
    return Column(name, scope.columns[name])


def _literal(scope: Scope, found: exp.Expression) -> Node:
    if found.args.get("is_string"):
        return Constant(str(found.this), "text")
    try:
        return Constant(number(str(found.this)), "number")
    except PydanticCustomError as error:
        raise QueryError(error.message()) from None


def _truth_literal(scope: Scope, found: exp.Expression) -> Node:
    return Constant(bool(found.this), "truth")


def _null(scope: Scope, found: exp.Expression) -> Node:
    return Constant(None, "text")


def _paren(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this")
    return scope.node(found.this)


def _arithmetic(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this", "expression", "typed", "safe")
        return Call(name, (scope.number(found.this), scope.number(found.expression)), "number")

    return read


def _negative(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this")
    operand = scope.number(found.this)
    if isinstance(operand, Constant) and isinstance(operand.value, Decimal):
        return Constant(-operand.value, "number")
    return Call("-", (Constant(Decimal(0), "number"), operand), "number")


def _comparison(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this", "expression")
        return Call(name, _alike(scope, found, [found.this, found.expression]), "truth")

    return read


def _alike(scope: Scope, found: exp.Expression, parts: list[exp.Expression]) -> tuple[Node, ...]:
    """Nodes of one kind: as they are, or all as numbers where any of them is one."""
    read = [scope.node(part) for part in parts]
    kinds = {node.kind for node in read if not (isinstance(node, Constant) and node.value is None)}
    if len(kinds) <= 1:
        kind = kinds.pop() if kinds else "text"
        return tuple(Constant(None, kind) if node == Constant(None, "text") else node for node in read)
    if kinds <= {"number", "text"}:
        return tuple(as_number(node, part) for node, part in zip(read, parts, strict=True))
    refuse(found, f"parts of one kind, not {' and '.join(sorted(kinds))}")


def _logic(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this", "expression")
        return Call(name, (scope.truth(found.this), scope.truth(found.expression)), "truth")

    return read


def _not(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this")
    return Call("not", (scope.truth(found.this),), "truth")


def _is(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expression", "negate")
    if not isinstance(found.expression, exp.Null):
        refuse(found, "IS NULL or IS NOT NULL")
    test = Call("is_null", (scope.node(found.this),), "truth")
    return Call("not", (test,), "truth") if found.args.get("negate") else test


def _in(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expressions")
    nodes = _alike(scope, found, [found.this, *found.expressions]) if found.expressions else ()
    if not nodes or not all(isinstance(one, Constant) and one.value is not None for one in nodes[1:]):
        refuse(found, "IN with a list of literals")
    return Call("in", nodes, "truth")


def _between(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "low", "high")
    value, low, high = _alike(scope, found, [found.this, found.args["low"], found.args["high"]])
    return Call("and", (Call(">=", (value, low), "truth"), Call("<=", (value, high), "truth")), "truth")


def _like(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expression")
    pattern = scope.node(found.expression)
    if not isinstance(pattern, Constant) or not isinstance(pattern.value, str) or "\\" in pattern.value:
        refuse(found, "LIKE with a literal pattern without escapes")
    return Call("like", (scope.text(found.this), pattern), "truth")


def _case(scope: Scope, found: exp.Expression) -> Node:
    only(found, "ifs", "default")
    whens = found.args["ifs"]
    default = found.args.get("default")
    results = _alike(scope, found, [one.args["true"] for one in whens] + [default or exp.Null()])
    parts: list[Node] = []
    for when, result in zip(whens, results, strict=False):
        parts += [scope.truth(when.this), result]
    return Call("case", (*parts, results[-1]), results[0].kind)


def _coalesce(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expressions", "is_null", "is_nvl")
    parts = _alike(scope, found, [found.this, *found.expressions])
    return Call("coalesce", parts, parts[0].kind)


def _numeric(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this")
        return Call(name, (scope.number(found.this),), "number")

    return read


def _round(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "decimals")
    places = scope.node(found.args["decimals"]) if found.args.get("decimals") else Constant(Decimal(0), "number")
    return _rounded(scope.number(found.this), places, found)


def _rounded(value: Node, places: Node, found: exp.Expression) -> Node:
    if not isinstance(places, Constant) or places.value not in range(13):
        refuse(found, "a whole number of places from 0 to 12")
    if places.value == 12:
        return value
    return Call("round", (value, places), "number")


def _textual(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this")
        return Call(name, (scope.text(found.this),), "text")

    return read


def _concatenated(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expression", "safe")
    return Call("concat", (scope.text(found.this), scope.text(found.expression)), "text")


def _cast(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "to")
    to = found.args["to"]
    value, kind = scope.node(found.this), str(to.this.value)
    if kind in ("DECIMAL", "BIGDECIMAL", "INT", "BIGINT", "SMALLINT"):
        scale = to.expressions[1:] if kind == "DECIMAL" and to.expressions else None
        places = scope.node(scale[0].this) if scale else Constant(Decimal(0), "number")
        exact = as_number(value, found.this)
        return exact if kind.endswith("DECIMAL") and not to.expressions else _rounded(exact, places, found)
    if kind in ("TEXT", "VARCHAR") and value.kind == "text" and not to.expressions:
        return value
    if kind == "DATE" and value.kind == "instant":
        return Call("trunc", (value, Constant("day", "text")), "instant")
    is_float = kind in ("FLOAT", "DOUBLE", "REAL")
    refuse(found, f"a cast to {'DECIMAL: a float would round' if is_float else 'DECIMAL, BIGINT, TEXT or DATE'}")


def _trunc(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "unit")
    unit = str(found.args["unit"].name).lower()
    if unit not in UNITS:
        refuse(found, f"one of {', '.join(UNITS)}")
    return Call("trunc", (scope.instant(found.this), Constant(unit, "text")), "instant")


def _extract(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expression")
    part = str(found.this.name).lower()
    if part not in PARTS:
        refuse(found, f"one of {', '.join(PARTS)}")
    return Call("extract", (scope.instant(found.expression), Constant(part, "text")), "number")


def _count(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "big_int")
    of = found.this
    if isinstance(of, exp.Star):
        only(of)
        scope.aggregated(found, lambda _: Constant(None, "text"))
        return Aggregate("COUNT", None, None, "number")
    if isinstance(of, exp.Distinct):
        only(of, "expressions")
        if len(of.expressions) != 1:
            refuse(found, "COUNT(DISTINCT ...) of one expression")
        return Aggregate("COUNT_DISTINCT", scope.aggregated(of.expressions[0], scope.node), None, "number")
    return Aggregate("COUNT", scope.aggregated(of, scope.node), None, "number")


def _aggregate(name: str) -> Reader:
    def read(scope: Scope, found: exp.Expression) -> Node:
        only(found, "this")
        return Aggregate(name, scope.aggregated(found.this, scope.number), None, "number")

    return read


def _filtered(scope: Scope, found: exp.Expression) -> Node:
    only(found, "this", "expression")
    aggregate = scope.node(found.this)
    if not isinstance(aggregate, Aggregate) or not isinstance(found.expression, exp.Where):
        refuse(found, "FILTER (WHERE ...) after an aggregate")
    condition = scope.aggregated(found.expression.this, scope.truth)
    return Aggregate(aggregate.name, aggregate.argument, condition, "number")


Reader = Callable[[Scope, exp.Expression], Node]

READERS: Mapping[type[exp.Expression], Reader] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _truth_literal,
    exp.Null: _null,
    exp.Paren: _paren,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.Neg: _negative,
    exp.EQ: _comparison("="),
    exp.NEQ: _comparison("<>"),
    exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="),
    exp.GT: _comparison(">"),
    exp.GTE: _comparison(">="),
    exp.And: _logic("and"),
    exp.Or: _logic("or"),
    exp.Not: _not,
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _like,
    exp.Case: _case,
    exp.Coalesce: _coalesce,
    exp.Abs: _numeric("abs"),
    exp.Floor: _numeric("floor"),
    exp.Ceil: _numeric("ceil"),
    exp.Round: _round,
    exp.Lower: _textual("lower"),
    exp.Upper: _textual("upper"),
    exp.DPipe: _concatenated,
    exp.Cast: _cast,
    exp.TimestampTrunc: _trunc,
    exp.Extract: _extract,
    exp.Count: _count,
    exp.Sum: _aggregate("SUM"),
    exp.Min: _aggregate("MIN"),
    exp.Max: _aggregate("MAX"),
    exp.Avg: _aggregate("AVG"),
    exp.Filter: _filtered,
}
"""The allow-list: the reader of each node that a query may have."""
