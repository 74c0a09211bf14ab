"""Combinations of group values, as canonical JSON text: keys sorted, compact, values strings or null."""

from __future__ import annotations

import polars as pl

_ENTRY = r'"(?:[^"\\]|\\.)*":(?:null|"(?:[^"\\]|\\.)*")'


def entries(values: pl.Expr) -> pl.Expr:
    """The `"key":value` texts of a combination. In canonical text two entries are equal when key and value are."""
    return values.str.extract_all(_ENTRY)


def is_part_of(selector: pl.Expr, values: pl.Expr) -> pl.Expr:
    """Whether every key of `selector` is in `values` with that value; a null must be met by a null.

    An empty selector is part of everything (docs/semantics.md, Overrides).
    """
    return entries(selector).list.set_difference(entries(values)).list.len() == 0


def pair_text(key: pl.Expr, value: pl.Expr) -> pl.Expr:
    """The combination of one key and its value, `{"key":"value"}`; null where there is no key."""
    named = pl.struct(key=key, value=value).struct.json_encode()
    combination = named.str.replace(r'^\{"key":', "{").str.replace(r',"value":("(?:[^"\\]|\\.)*")\}$', ":${1}}")
    return pl.when(key.is_not_null()).then(combination)
