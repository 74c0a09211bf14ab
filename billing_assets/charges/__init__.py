"""What a contract charges beside its usage: subscriptions, scheduled charges, purchases and recurrences of commits."""

from billing_assets.charges.schedules import scheduled_lines
from billing_assets.charges.subscriptions import subscription_lines, subscription_periods, unrated_subscriptions

__all__ = ["scheduled_lines", "subscription_lines", "subscription_periods", "unrated_subscriptions"]
