"""What a contract charges beside its usage: subscriptions, scheduled charges, purchases and recurrences of commits."""

from billing_assets.charges.purchases import purchase_lines
from billing_assets.charges.recurrences import recurrences, recurring_access
from billing_assets.charges.schedules import scheduled_lines
from billing_assets.charges.seats import seat_access
from billing_assets.charges.subscriptions import (
    FEE,
    charged_later,
    subscription_lines,
    subscription_periods,
    unrated_subscriptions,
)

__all__ = [
    "FEE",
    "charged_later",
    "purchase_lines",
    "recurrences",
    "recurring_access",
    "scheduled_lines",
    "seat_access",
    "subscription_lines",
    "subscription_periods",
    "unrated_subscriptions",
]
