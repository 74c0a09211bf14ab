"""Deterministic ids: stable hashes of business keys.

BLAKE3 of the parts, so that the same contract and period have the same invoice id in every run, on every machine and
under every Polars release (Polars' own `hash` changes between releases).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl
import polars_hash  # noqa: F401 - registers the `chash` namespace on expressions

_SEPARATOR = "\x1f"
_ABSENT = "\x00"


def digest(text: pl.Expr) -> pl.Expr:
    """BLAKE3 of a string, 64 hexadecimal digits."""
    return cast(pl.Expr, text.chash.blake3())  # type: ignore[attr-defined]


def stable_id(prefix: str, parts: Sequence[pl.Expr], digits: int = 24) -> pl.Expr:
    """`<prefix>_<hex>`: the id of what `parts` identify, in that order. A null part differs from an empty text."""
    key = pl.concat_str([part.cast(pl.String).fill_null(_ABSENT) for part in parts], separator=_SEPARATOR)
    return pl.concat_str([pl.lit(f"{prefix}_"), digest(key).str.head(digits)])
