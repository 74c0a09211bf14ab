"""Exact decimal arithmetic as Polars expressions.

`*` and `/` of two `DECIMAL` columns round once, half to even, at the 12th place; sums and differences are exact.
Nothing here, and nothing that uses it, goes through a float.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing_assets.columns import DECIMAL

ZERO = Decimal(0)
ONE = Decimal(1)


def decimal(value: Decimal | int | str) -> pl.Expr:
    """A literal of the working type. A bare `pl.lit(Decimal)` would take its own scale and lose digits in a product."""
    return pl.lit(Decimal(value), dtype=DECIMAL)


def zero() -> pl.Expr:
    return decimal(ZERO)


def or_zero(column: str) -> pl.Expr:
    return pl.col(column).fill_null(zero())


def symmetric_round(value: pl.Expr, method: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """`value` rounded to a multiple of `unit` (10 ** -decimal_places) by `method`, the same for both signs.

    ROUND_UP goes away from zero, ROUND_DOWN toward it, ROUND_HALF_UP half away from it (docs/semantics.md, Quantities).
    A remainder is used, not a quotient, since a quotient is itself rounded at the 12th place.
    """
    magnitude = value.abs()
    remainder = magnitude % unit
    truncated = magnitude - remainder
    raised = truncated + unit
    rounded = (
        pl.when(remainder == zero())
        .then(magnitude)
        .when(method == "ROUND_UP")
        .then(raised)
        .when(method == "ROUND_DOWN")
        .then(truncated)
        .when(remainder + remainder >= unit)
        .then(raised)
        .otherwise(truncated)
    )
    return pl.when(value < zero()).then(-rounded).otherwise(rounded)


def to_minor_unit(amount: pl.Expr, digits: pl.Expr) -> pl.Expr:
    """`amount` rounded half away from zero to `digits` decimal places of its currency (ISO 4217: 0 to 4)."""
    rounded = amount
    for places in range(5):
        rounded = pl.when(digits == places).then(amount.round(places, mode="half_away_from_zero")).otherwise(rounded)
    return rounded


def proportion(part: pl.Expr, whole: pl.Expr, of: pl.Expr) -> pl.Expr:
    """`part x of / whole`, rounded once, half to even, at the 12th place; 0 < part <= whole, 0 <= of; else null.

    A product that is rounded before it is divided is rounded twice. So an estimate is corrected by its exact remainder
    in units of 1e-24: the two products wrap, but their difference is small and therefore right. The estimate never
    multiplies `part` with `of`, which may be too much for a decimal where the result is not: it takes the ratio, and
    then what the ratio's rounding left.
    """
    divisor = pl.when((whole > zero()) & (whole != of)).then(whole)
    ratio = part / divisor
    estimate = ratio * of + (part - ratio * divisor) * of / divisor
    parts, wholes, ofs, estimated = (value.to_physical() for value in (part, divisor, of, estimate))
    remainder = parts * ofs - estimated * wholes
    steps = remainder // wholes
    rest = remainder - steps * wholes
    twice = rest + rest
    raised = (twice > wholes) | ((twice == wholes) & ((estimated + steps) % 2 != 0))
    rounded = estimate + (steps + raised.cast(pl.Int128)).cast(DECIMAL) * decimal("0.000000000001")
    return pl.when(whole == of).then(part).otherwise(rounded)


def share(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """`numerator / denominator`, null for a zero denominator (a decimal division by zero fails the whole query)."""
    return numerator / pl.when(denominator != zero()).then(denominator)
