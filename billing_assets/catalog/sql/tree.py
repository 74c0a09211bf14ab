"""The tree of a query. Every number in it is an exact decimal: there is no node that a float could come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Kind = Literal["text", "number", "truth", "instant"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of what is selected from. Of events: event_type, transaction_id, timestamp, or `property:<name>`."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; None is NULL."""

    value: str | Decimal | bool | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar operation on its arguments; `queries` in metering has one expression for each name."""

    name: str
    arguments: tuple[Node, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT, COUNT_DISTINCT, SUM, MIN, MAX or AVG of the rows for which `condition` is true. No argument: of rows."""

    name: str
    argument: Node | None
    condition: Node | None
    kind: Kind


Node = Column | Constant | Call | Aggregate


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a result. `origin`: the property that it passes on as it is; None for anything computed."""

    name: str
    node: Node
    origin: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT, over events (`source` None) or over another query. `groups` None: no GROUP BY and no aggregate."""

    source: Query | None
    where: Node | None
    groups: tuple[Node, ...] | None
    having: Node | None
    outputs: tuple[Output, ...]
    is_distinct: bool

    @property
    def innermost(self) -> Query:
        """The SELECT that reads events."""
        return self if self.source is None else self.source.innermost


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    match node:
        case Call():
            for argument in node.arguments:
                yield from nodes(argument)
        case Aggregate():
            for part in (node.argument, node.condition):
                if part is not None:
                    yield from nodes(part)
        case Column() | Constant():
            pass


def of_query(query: Query) -> Iterator[Node]:
    """Every node of one SELECT, not of what it selects from."""
    parts = [query.where, query.having, *(query.groups or ()), *(output.node for output in query.outputs)]
    for part in parts:
        if part is not None:
            yield from nodes(part)


PROPERTY = "property:"


def properties(found: Iterator[Node]) -> frozenset[str]:
    """Names of the properties that nodes over events read."""
    return frozenset(name for node in found if (name := _property(node)) is not None)


def numbers(found: Iterator[Node]) -> frozenset[str]:
    """Names of the properties that nodes over events read as numbers."""
    calls = (node for node in found if isinstance(node, Call) and node.name == "number")
    return frozenset(name for call in calls if (name := _property(call.arguments[0])) is not None)


def _property(node: Node) -> str | None:
    is_one = isinstance(node, Column) and node.name.startswith(PROPERTY)
    return node.name.removeprefix(PROPERTY) if is_one and isinstance(node, Column) else None


REPEATED = {"number": 40, "/": 2}
"""How often an operation needs its arguments."""


def weight(node: Node) -> int:
    """How large a node is when it is written out as it is computed."""
    match node:
        case Call(name="number", arguments=(Column(),)) | Column() | Constant():
            return 1
        case Call():
            return 1 + REPEATED.get(node.name, 1) * sum(map(weight, node.arguments))
        case Aggregate():
            return 1 + 2 * sum(weight(part) for part in (node.argument, node.condition) if part is not None)
