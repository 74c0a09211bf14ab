"""Typed columns of a table file to canonical property text; what a column's type cannot be is a reason."""

from __future__ import annotations

import polars as pl

from billing_assets.ingestion.reasons import Reason
from billing_assets.numerals import shortest_plain

TEXTS = (pl.String, pl.Categorical, pl.Enum)
NESTED = (pl.Struct, pl.List, pl.Array, pl.Map)


def kind(dtype: pl.DataType) -> str:
    """How a type is named in a reject's detail."""
    return str(dtype.base_type()).lower()


def canonical_cell(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Canonical text of a property's value; null where it is absent, or where `cell_reason` says why not.

    Texts as they are; integers, decimals and floats as shortest plain decimals, a float through the shortest text that
    names it; booleans as true and false.
    """
    if dtype in TEXTS:
        return value.cast(pl.String)
    if dtype.is_numeric():
        return shortest_plain(_finite(value, dtype).cast(pl.String))
    if dtype == pl.Boolean:
        return value.cast(pl.String)
    return pl.lit(None, dtype=pl.String)


def cell_reason(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """nested_property, wrong_type, inexact_number (NaN, infinity) or null."""
    if dtype in TEXTS or dtype == pl.Boolean or dtype == pl.Null:
        return pl.lit(None, dtype=pl.String)
    if dtype.is_numeric():
        return _where(value.is_not_null() & _finite(value, dtype).is_null(), Reason.INEXACT_NUMBER)
    return _where(value.is_not_null(), Reason.NESTED_PROPERTY if dtype in NESTED else Reason.WRONG_TYPE)


def _finite(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return pl.when(value.is_finite()).then(value) if dtype.is_float() else value


def _where(condition: pl.Expr, reason: Reason) -> pl.Expr:
    return pl.when(condition).then(pl.lit(reason.value))
