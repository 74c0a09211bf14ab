"""Numbers as text: shortest plain decimals, and the decimal that a text stands for (docs/semantics.md, Numeric text).

Everything works on the digits of the text. Nothing goes through a float, so a value has the same digits in the event,
in the filter that compares it and in the sum that adds it.
"""

from __future__ import annotations

import re

import polars as pl

from billing_assets.columns import DECIMAL

NUMERIC_TEXT = r"^[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
"""What counts as a number in a property: ASCII, nothing around it. `5.`, ` 5`, `1_000`, `NaN` do not."""

SHORTEST_PLAIN = r"^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$"
"""Numbers that are their own shortest plain form."""

MAX_DIGITS = 400
"""Digits kept on either side of the point, enough for every IEEE double; a longer JSON number is refused."""

_HELD_BY_DECIMAL = r"-?[0-9]{1,26}(?:\.[0-9]{1,12})?"
_ZEROS = "0" * 128
_PARTS = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_MAX_EXPONENT_DIGITS = 9


def number(text: pl.Expr) -> pl.Expr:
    """The `DECIMAL` that `text` stands for; null where it is no number, or one that does not fit.

    Null for anything but `NUMERIC_TEXT`, more than 12 decimal places or more than 26 integer digits, where leading and
    trailing zeros do not count. A null here is a metric exception, never a zero.
    """
    # Most numbers are cast as they are. The rest is brought to its shortest form, in a column that is null but for it.
    is_held = text.str.contains(f"^{_HELD_BY_DECIMAL}$")
    other = pl.when(~is_held & text.str.contains(NUMERIC_TEXT)).then(text)
    held = pl.when(is_held).then(text).otherwise(shortest_plain(other).str.extract(f"^({_HELD_BY_DECIMAL})$", 1))
    return held.cast(DECIMAL, strict=False)


def shortest_plain(text: pl.Expr) -> pl.Expr:
    """`text`, a `NUMERIC_TEXT`, without exponent, plus sign, or zeros that say nothing: `1e3` -> `1000`, `-0.0` -> `0`.

    Null where an exponent would need more than 128 zeros, which no `DECIMAL` holds.
    """
    # Most numbers are short already. The rest is computed on a column that is null but for them.
    is_short = text.str.contains(SHORTEST_PLAIN)
    other = pl.when(~is_short).then(text)
    exponential = pl.when(other.str.contains("[eE]")).then(other)
    written_out = pl.when(exponential.is_null()).then(other).otherwise(_without_exponent(exponential))
    return pl.when(is_short).then(text).otherwise(_trimmed(written_out))


def _trimmed(text: pl.Expr) -> pl.Expr:
    """A number without an exponent in its shortest form. A chain, so that no part of it is evaluated twice."""
    return (
        text.str.strip_prefix("+")
        .str.replace(r"^(-?)\.", "${1}0.")
        .str.replace(r"^(-?)0+([0-9])", "${1}${2}")
        .str.replace(r"(\.[0-9]*?)0+$", "${1}")
        .str.strip_suffix(".")
        .str.replace("^-0$", "0")
    )


def _without_exponent(text: pl.Expr) -> pl.Expr:
    """`text`, which has an exponent, with its point moved, between as many zeros as it may need."""
    mantissa = text.str.extract(r"^[+-]?([0-9.]+)", 1)
    exponent = text.str.extract(r"[eE]\+?(-?[0-9]+)$", 1).cast(pl.Int64, strict=False)
    digits = pl.concat_str(pl.lit(_ZEROS), mantissa.str.replace(".", "", literal=True), pl.lit(_ZEROS))
    point = len(_ZEROS) + mantissa.str.find(r"\.|$").cast(pl.Int64) + exponent
    inside = pl.when(point.is_between(1, digits.str.len_bytes().cast(pl.Int64))).then(point)
    moved = pl.concat_str(digits.str.slice(0, inside), pl.lit("."), digits.str.slice(inside, None), pl.lit("0"))
    signed = pl.concat_str(text.str.extract("^(-?)", 1), moved)
    return pl.when(mantissa.str.contains("[1-9]")).then(signed).when(mantissa.is_not_null()).then(pl.lit("0"))


def plain_decimal(text: str) -> str | None:
    """`shortest_plain` of one JSON number of any length; null where it needs more than `MAX_DIGITS` on either side."""
    matched = _PARTS.fullmatch(text)
    if matched is None:
        return None
    sign, whole, fraction, exponent = (part or "" for part in matched.groups())
    unpadded = (whole + fraction).lstrip("0")
    digits = unpadded.rstrip("0")
    if not digits:
        return "0"
    if len(exponent.lstrip("+-0")) > _MAX_EXPONENT_DIGITS:
        return None
    # `scale` is the power of ten of the last digit kept.
    scale = len(unpadded) - len(digits) - len(fraction) + int(exponent or 0)
    if len(digits) + scale > MAX_DIGITS or -scale > MAX_DIGITS:
        return None
    return ("-" if sign == "-" else "") + _placed(digits, scale)


def _placed(digits: str, scale: int) -> str:
    if scale >= 0:
        return digits + "0" * scale
    padded = digits.rjust(1 - scale, "0")
    return f"{padded[:scale]}.{padded[scale:]}"
