"""The composition, pure: states, catalog, periods and `now` to draft invoices and all that explains them."""

from billing_assets.pipeline.bill import Bill, Hold, Inputs, bill

__all__ = ["Bill", "Hold", "Inputs", "bill"]
