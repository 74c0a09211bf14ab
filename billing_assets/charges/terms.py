"""Which frames of the catalog charges are made from."""

from __future__ import annotations

from typing import Protocol

import polars as pl


class ScheduledTerms(Protocol):
    """What scheduled charges and commit purchases are made from; `CatalogFrames` has it."""

    @property
    def contracts(self) -> pl.LazyFrame:
        """One row per contract."""

    @property
    def product_versions(self) -> pl.LazyFrame:
        """One row per (product, span between two of its updates)."""

    @property
    def scheduled_charges(self) -> pl.LazyFrame:
        """One row per (scheduled charge, named instant)."""

    @property
    def recurring_charges(self) -> pl.LazyFrame:
        """One row per scheduled charge that comes back."""


class SubscriptionTerms(Protocol):
    """What subscriptions are charged from; `CatalogFrames` has it."""

    @property
    def contracts(self) -> pl.LazyFrame:
        """One row per contract."""

    @property
    def product_versions(self) -> pl.LazyFrame:
        """One row per (product, span between two of its updates)."""

    @property
    def subscriptions(self) -> pl.LazyFrame:
        """One row per subscription."""

    @property
    def subscription_quantities(self) -> pl.LazyFrame:
        """One row per (subscription, instant at which its quantity changes): the quantity from then on."""
