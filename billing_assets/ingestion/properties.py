"""Properties as stored: canonical JSON text, and the expressions that read it (docs/semantics.md, Usage events).

Canonical: one object, keys sorted by code point, values always strings, nulls left out, no spaces, nothing escaped
beyond what JSON requires. Equal properties are equal texts, and nothing in it can lose a digit.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

EMPTY = "{}"

_TO_ESCAPE = r'["\\\x00-\x1f]'


def json_string(text: pl.Expr) -> pl.Expr:
    """`text` as a JSON string with its quotes; null stays null."""
    # The encoder of a struct {"v": text} writes {"v":"..."}; it is asked only where something must be escaped.
    special = pl.when(text.str.contains(_TO_ESCAPE)).then(text)
    encoded = pl.struct(special.alias("v")).struct.json_encode()
    escaped = encoded.str.slice(5).str.strip_suffix("}")
    return pl.when(special.is_not_null()).then(escaped).otherwise(pl.concat_str(pl.lit('"'), text, pl.lit('"')))


def property_texts(properties: pl.Expr, names: Iterable[str]) -> pl.Expr:
    """Canonical texts of the named properties, as one struct; null where a property is absent.

    All values of canonical properties are JSON strings, so that no number is read, and none re-formatted.
    """
    return properties.str.json_decode(pl.Struct({name: pl.String() for name in names}))
