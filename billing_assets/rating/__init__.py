"""Usage becomes priced lines: segments of one price, running quantities, bands, adjustments in one order.

segments(groups, periods, frames, cuts)   which price holds when, cut where a discount or a balance begins or ends
(metering adds each segment's cumulative)
lanes(groups, periods, access, frames)    prices that commits and credits pay instead of the list price, and their cuts
quantify(segments, frames)                where each segment moves the running quantity
rate(quantified, frames)                  usage lines
cut_at_lanes(lines, lane_bands(...))      cut where a commit-side price changes; lane_prices says what it is
discount(lines, ...)                      percentages and fixed amounts, also of subscriptions and composites
adjust(lines, limits(...), frames)        maximum and minimum
composite_quantities(lines, ...)          the spend of composites; composites, discount, adjust make its lines
conversion_lines(lines, ...)              what balances in a custom pricing unit leave, in money of the card
minimum_spend(lines, periods, frames)     shortfalls of contracts
unrated(quantified)                       what has no price, and holds its invoice
waive(quantified, waived)                 what has none, and is not billed, since a person said so
"""

from __future__ import annotations

from billing_assets.rating.access import access_cuts
from billing_assets.rating.adjustments import adjust
from billing_assets.rating.composites import composite_limits, composite_quantities, composites
from billing_assets.rating.conversions import conversion_lines
from billing_assets.rating.discounts import Discounted, discount, discount_cuts, nothing_used
from billing_assets.rating.lane_prices import cut_at_lanes, lane_bands, lane_prices
from billing_assets.rating.lanes import lane_cuts, lanes
from billing_assets.rating.limits import limits
from billing_assets.rating.lines import RATED_LINE, rate
from billing_assets.rating.order import ORDER_OF_CHARGES
from billing_assets.rating.quantities import quantify
from billing_assets.rating.segments import segments, standing_groups
from billing_assets.rating.spend import minimum_spend
from billing_assets.rating.subscriptions import subscription_prices
from billing_assets.rating.unrated import WAIVED, unrated, waive

__all__ = [
    "ORDER_OF_CHARGES",
    "RATED_LINE",
    "WAIVED",
    "Discounted",
    "access_cuts",
    "adjust",
    "composite_limits",
    "composite_quantities",
    "composites",
    "conversion_lines",
    "cut_at_lanes",
    "discount",
    "discount_cuts",
    "lane_bands",
    "lane_cuts",
    "lane_prices",
    "lanes",
    "limits",
    "minimum_spend",
    "nothing_used",
    "quantify",
    "rate",
    "segments",
    "standing_groups",
    "subscription_prices",
    "unrated",
    "waive",
]
