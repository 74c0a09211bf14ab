"""A slice of a table as a literal predicate: the same text for Delta's replaceWhere and the same filter for Polars."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

import polars as pl

from billing_assets.errors import LakeError
from billing_assets.schemas import TableSpec

Value = str | int | date
Slice = Mapping[str, Value | Collection[Value]]
"""Column -> value or values; the columns are AND-ed. `{"usage_date": date(2026, 1, 5), "ingest_batch": [3, 4]}`."""


def as_sql(spec: TableSpec, where: Slice) -> str:
    """The predicate as Delta SQL. Values are literals of str, int, bool or date; anything else is refused."""
    return " AND ".join(_condition(_known(spec, name), _values(value)) for name, value in where.items())


def as_filter(spec: TableSpec, where: Slice) -> pl.Expr:
    """The same predicate as an expression."""
    return pl.all_horizontal(
        pl.lit(value=True),
        *(pl.col(_known(spec, name)).is_in(list(_values(value))) for name, value in where.items()),
    )


def _condition(name: str, values: tuple[Value, ...]) -> str:
    if not values:
        return "false"
    literals = ", ".join(_literal(value) for value in values)
    return f'"{name}" = {literals}' if len(values) == 1 else f'"{name}" IN ({literals})'


def _values(value: Value | Collection[Value]) -> tuple[Value, ...]:
    if isinstance(value, str | int | date):
        return (value,)
    return tuple(sorted(set(value), key=repr))


def _literal(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case date() if not isinstance(value, datetime):
            return f"DATE '{value.isoformat()}'"
    raise LakeError(f"a slice is named by text, whole numbers and dates; found {value!r}")


def _known(spec: TableSpec, name: str) -> str:
    if name not in spec.columns:
        raise LakeError(f"table {spec.name} has no column {name!r} to slice by")
    return name
