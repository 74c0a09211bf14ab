"""Exact numbers of the oracle: every quantity, price and amount is a `Fraction`; nothing here knows the engine.

Rules: docs/semantics.md section 0 (working type, canonical text) and the cases named in each docstring.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

SCALE = 10**12
NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]+))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?", re.ASCII)
MINOR_DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


def exact(value: Any) -> Fraction:
    """A number of the catalog (text, int, Decimal) as it is written; section 0 of docs/semantics.md."""
    if isinstance(value, bool) or value is None:
        raise TypeError(f"not a number: {value!r}")
    return Fraction(repr(value) if isinstance(value, float) else str(value).strip())


def round12(value: Fraction) -> Fraction:
    """One rounding, half to even, at the 12th decimal place; "Terms" of docs/semantics.md's cases."""
    return Fraction(round(value * SCALE), SCALE)


def plain(value: Fraction) -> Decimal:
    """An exact Decimal of a value that has at most 12 decimal places (section 0)."""
    scaled = value * SCALE
    if scaled.denominator != 1:
        raise ValueError(f"more than 12 decimal places: {value}")
    digits = tuple(int(digit) for digit in str(abs(scaled.numerator)))
    if len(digits) > 38:
        raise OverflowError(f"more than 26 integer digits: {value}")
    return Decimal((int(scaled < 0), digits, -12))


def half_away(value: Fraction, places: int) -> Fraction:
    """Half away from zero at `places` (may be negative), for totals and ROUND_HALF_UP; cases 29 and 55."""
    unit = Fraction(10) ** -places
    rounded = (abs(value) / unit + Fraction(1, 2)).__floor__() * unit
    return -rounded if value < 0 else rounded


def rounded(value: Fraction, method: str, places: int) -> Fraction:
    """quantity_rounding, symmetric around zero; case 29."""
    if method == "ROUND_HALF_UP":
        return half_away(value, places)
    unit = Fraction(10) ** -places
    steps = abs(value) / unit
    whole = steps.__ceil__() if method == "ROUND_UP" else steps.__floor__()
    return (-whole if value < 0 else whole) * unit


def canonical(value: Any) -> str | None:
    """Canonical text of a property or group value, None = absent; section 1 of docs/semantics.md, case 31."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    number = Decimal(repr(value) if isinstance(value, float) else str(value))
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def numeric(text: str | None) -> Fraction | None:
    """The number that a property's canonical text writes, None where it is a metric exception; case 0.7."""
    match = NUMBER.fullmatch(text) if text is not None else None
    if match is None:
        return None
    sign, whole, part, bare, power = match.groups()
    fraction = part or bare or ""
    digits = ((whole or "") + fraction).lstrip("0")
    if not digits:
        return Fraction(0)
    exponent = int(power or 0) - len(fraction)
    exponent += len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    if exponent < -12 or len(digits) + exponent > 26:
        return None
    number = Fraction(int(digits)) * Fraction(10) ** exponent
    return -number if sign == "-" else number


def group_text(values: Mapping[str, str | None]) -> str:
    """Canonical JSON text of group values: keys sorted, compact, strings or null; case 31."""
    return json.dumps(dict(sorted(values.items())), separators=(",", ":"), ensure_ascii=False)
