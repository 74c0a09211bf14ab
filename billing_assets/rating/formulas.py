"""CUSTOM rates: the tree of an expression as a Polars expression (docs/semantics.md, CUSTOM)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, mul, sub, truediv
from typing import assert_never

import polars as pl

from billing_assets.catalog.expressions import Constant, Formula, Operation, Quantity, parse_expression
from billing_assets.columns import DECIMAL
from billing_assets.money import decimal

ARITHMETIC = {"+": add, "-": sub, "*": mul, "/": truediv}


def charges(rows: pl.LazyFrame, expressions: Iterable[str], at: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    """`rows` with a column for each of `at`: the charge of the row's `expression` there, null where it has none.

    `expressions` are all texts that the column can have. Each is computed on its own rows alone.
    """
    none = {name: pl.lit(None, dtype=DECIMAL) for name in at}
    texts = list(expressions)
    if not texts:
        return rows.with_columns(**none)
    parts = [rows.filter(pl.col("expression").is_null()).with_columns(**none)]
    for text in texts:
        formula = parse_expression(text)
        found = {name: value_of(formula, quantity).cast(DECIMAL) for name, quantity in at.items()}
        parts.append(rows.filter(pl.col("expression") == text).with_columns(**found))
    return pl.concat(parts)


def value_of(formula: Formula, quantity: pl.Expr) -> pl.Expr:
    """The formula at `quantity`; every product and quotient is rounded once at the 12th place."""
    match formula:
        case Constant():
            return decimal(formula.value)
        case Quantity():
            return quantity
        case Operation():
            return _applied(formula.name, [value_of(each, quantity) for each in formula.operands], formula)
        case _:
            assert_never(formula)


def _applied(name: str, operands: list[pl.Expr], operation: Operation) -> pl.Expr:
    if name in ARITHMETIC:
        return reduce(ARITHMETIC[name], operands)
    value = operands[0]
    match name:
        case "min":
            return pl.min_horizontal(operands)
        case "max":
            return pl.max_horizontal(operands)
        case "abs":
            return value.abs()
        case "floor":
            return value.floor()
        case "ceil":
            return value.ceil()
        case _:
            return value.round(_places(operation), mode="half_away_from_zero")


def _places(operation: Operation) -> int:
    places = operation.operands[1] if len(operation.operands) == 2 else None
    return int(places.value) if isinstance(places, Constant) else 0
