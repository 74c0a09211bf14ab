"""Sentences with values in them, as expressions."""

from __future__ import annotations

import polars as pl


def worded(template: str, *values: pl.Expr | str) -> pl.Expr:
    """`template` with each `{}` replaced by a value (an expression, or the name of a column); null where one is null.

    As `pl.format`, which can panic in a chunk that a filter has left empty.
    """
    pieces = template.split("{}")
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{template!r} has places for {len(pieces) - 1} values, found {len(values)}")
    found = [pl.col(value) if isinstance(value, str) else value for value in values]
    rest = [part for value, piece in zip(found, pieces[1:], strict=True) for part in (value, pl.lit(piece))]
    return pl.concat_str([pl.lit(pieces[0]), *rest])
