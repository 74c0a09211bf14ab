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


class PurchaseTerms(Protocol):
    """What purchases of commits are charged from; `CatalogFrames` has it."""

    @property
    def contracts(self) -> pl.LazyFrame:
        """One row per contract."""

    @property
    def product_versions(self) -> pl.LazyFrame:
        """One row per (product, span between two of its updates)."""

    @property
    def commit_charges(self) -> pl.LazyFrame:
        """One row per (PREPAID commit, item of its invoice schedule)."""

    @property
    def thresholds(self) -> pl.LazyFrame:
        """One row per (contract, kind of threshold)."""


class RecurrenceTerms(Protocol):
    """What recurring commits and credits are made from; `CatalogFrames` has it."""

    @property
    def contracts(self) -> pl.LazyFrame:
        """One row per contract."""

    @property
    def recurring_balances(self) -> pl.LazyFrame:
        """One row per recurring commit or credit."""

    @property
    def subscriptions(self) -> pl.LazyFrame:
        """One row per subscription."""

    @property
    def subscription_quantities(self) -> pl.LazyFrame:
        """One row per (subscription, instant at which its quantity changes): the quantity from then on."""

    @property
    def subscription_seats(self) -> pl.LazyFrame:
        """One row per (subscription, seat, span in which it is assigned)."""
