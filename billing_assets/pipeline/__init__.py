"""The composition, pure: states, catalog, periods and `now` to draft invoices and all that explains them."""

from billing_assets.pipeline.bill import Bill, bill
from billing_assets.pipeline.charging import open_scheduled
from billing_assets.pipeline.drawing import Books, Count, Hold, Settled, month_after
from billing_assets.pipeline.given import EventsAt, Inputs
from billing_assets.pipeline.thresholds import with_purchases
from billing_assets.pipeline.usage import charging_terms

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
    "with_purchases",
]
