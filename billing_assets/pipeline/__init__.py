"""The composition, pure: states, catalog, periods and `now` to draft invoices and all that explains them."""

from billing_assets.pipeline.bill import Bill, EventsAt, Hold, Inputs, bill, charging_terms
from billing_assets.pipeline.charging import open_scheduled

__all__ = ["Bill", "EventsAt", "Hold", "Inputs", "bill", "charging_terms", "open_scheduled"]
