"""What a contract charges beside its usage: subscriptions, scheduled charges, purchases and recurrences of commits."""

from billing_assets.charges.schedules import scheduled_lines

__all__ = ["scheduled_lines"]
