"""Which frames of the catalog are read by parts of rating that need few of them; `CatalogFrames` has them all."""

from __future__ import annotations

from typing import Protocol

import polars as pl


class DiscountTerms(Protocol):
    """What discounts are made from."""

    @property
    def discounts(self) -> pl.LazyFrame:
        """One row per discount: discount_id, contract_id, name, discount_type, value, dates, discount_position."""

    @property
    def discount_targets(self) -> pl.LazyFrame:
        """One row per (discount, product that it selects)."""
