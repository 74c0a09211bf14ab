"""The composition, pure: states, catalog, periods and `now` to draft invoices and all that explains them."""

from billing_assets.pipeline.bill import Bill, EventsAt, Hold, Inputs, bill, charging_terms
from billing_assets.pipeline.charging import open_scheduled
from billing_assets.pipeline.drawing import Books, Count, Settled, month_after

__all__ = [
    "Bill",
    "Books",
    "Count",
    "EventsAt",
    "Hold",
    "Inputs",
    "Settled",
    "bill",
    "charging_terms",
    "month_after",
    "open_scheduled",
]
