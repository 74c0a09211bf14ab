"""The composition, pure: (states, values, events, catalog, periods, now) -> draft invoices with all that explains them."""

from billing_assets.pipeline.bill import Bill, Hold, Inputs, bill

__all__ = ["Bill", "Hold", "Inputs", "bill"]
