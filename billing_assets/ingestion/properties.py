"""Properties as stored: canonical JSON text, and the expressions that read it (docs/semantics.md, Usage events).

Canonical: one object, keys sorted by code point, values always strings, nulls left out, no spaces, nothing escaped
beyond what JSON requires. Equal properties are equal texts, and nothing in it can lose a digit.
"""

from __future__ import annotations

import re

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


def property_text(properties: pl.Expr, name: str) -> pl.Expr:
    """Canonical text of property `name` of the canonical `properties`; null where it is absent.

    In canonical text a key's opening quote follows `{` or `,`, and inside a string every quote has a backslash before
    it; so the pattern finds the key and nothing else. `name` needs no escape in JSON (promoted names are `[a-z0-9_]`).
    """
    found = properties.str.extract(rf'[{{,]"{re.escape(name)}":"((?:[^"\\]|\\.)*)"', 1)
    special = pl.when(found.str.contains("\\", literal=True)).then(pl.concat_str(pl.lit('"'), found, pl.lit('"')))
    return pl.when(special.is_null()).then(found).otherwise(special.str.json_decode(pl.String))
