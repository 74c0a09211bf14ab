"""The order of an invoice's lines: in it fixed discounts and caps are shared out, and balances draw."""

from __future__ import annotations

import polars as pl

ORDER_OF_TYPES = ("usage", "minimum_adjustment", "subscription", "composite", "late_usage")
"""Line types that discounts take from and balances pay for, first to last; other types come after them."""

ORDER_OF_LINES: tuple[tuple[str, str], ...] = (
    ("line_type", "usage, then minimum adjustments, then subscriptions, then composites, then late usage"),
    ("starting_at", "the earlier start"),
    ("list_unit_price", "the higher list price"),
    ("name", "the product's name"),
    ("product_id", "the product's id"),
    ("pricing_group_values", "the pricing group, as canonical JSON"),
    ("presentation_group_values", "the presentation group, as canonical JSON"),
    ("tier_level", "the lower tier"),
    ("is_fee", "the tier before its fee"),
    ("contract_id", "the contract's id"),
    ("tier_lower", ""),
    ("ending_before", ""),
)
"""Sort keys, an absent value first, texts by code point; the sentences are what the documentation shows."""


def order_of_lines() -> list[pl.Expr]:
    """ORDER_OF_LINES as ascending sort keys, for a sort with `nulls_last=False` (docs/semantics.md, Order of lines)."""
    return [_key(name) for name, _ in ORDER_OF_LINES]


def _key(name: str) -> pl.Expr:
    if name == "line_type":
        places = {line_type: place for place, line_type in enumerate(ORDER_OF_TYPES)}
        return pl.col(name).replace_strict(places, default=len(places), return_dtype=pl.Int8)
    return -pl.col(name) if name == "list_unit_price" else pl.col(name)
