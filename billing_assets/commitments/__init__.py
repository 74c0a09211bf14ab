"""Commits and credits: who may draw what in which order, what a draw covers, and the ledger behind it.

rollovers(access, contracts)          the balances that renewals make, beside those of the catalog (as_balances)
openings(access, ledger), order(...)  what each balance has, and its place in its pool
settle(lines, opened, terms, ...)     what every balance pays of every line
covered_lines(lines, draws, ...)      the lines as an invoice shows them
trueups(opened, draws, ...)           what postpaid commits miss
predecessors(invoices, uses(...))     which invoices have to wait for others of their pool
entries(settled, ..., batch)          the ledger rows of a batch, or, of a batch of all drafts, the pending ones
balances(access, ledger, pending)     the table of what is left
"""

from __future__ import annotations

from billing_assets.commitments.access import BALANCE, DRAWABLE_TYPES, DRAWING_LINE, as_balances
from billing_assets.commitments.balances import balances
from billing_assets.commitments.covered import covered_lines
from billing_assets.commitments.drawdown import DRAW, Lanes, depth, drawdown
from billing_assets.commitments.ledger import ENTRY, Batch, openings, waited_for
from billing_assets.commitments.order import ORDER_OF_BALANCES, order
from billing_assets.commitments.pools import crowded, in_pool_order, predecessors, uses
from billing_assets.commitments.reach import Reach, reach
from billing_assets.commitments.rollover import ROLLOVER, rollovers
from billing_assets.commitments.segments import known_segments, recorded_segments
from billing_assets.commitments.settling import Settlement, Terms, Written, entries, settle
from billing_assets.commitments.thresholds import (
    PURCHASE,
    as_if_bought,
    purchase_charges,
    purchased_segments,
    recharges,
    spend_purchases,
    watched_lines,
)
from billing_assets.commitments.trueup import TRUEUP, dated_trueups, issued, ready, trueup_lines, trueups

__all__ = [
    "BALANCE",
    "DRAW",
    "DRAWABLE_TYPES",
    "DRAWING_LINE",
    "ENTRY",
    "ORDER_OF_BALANCES",
    "PURCHASE",
    "ROLLOVER",
    "TRUEUP",
    "Batch",
    "Lanes",
    "Reach",
    "Settlement",
    "Terms",
    "Written",
    "as_balances",
    "as_if_bought",
    "balances",
    "covered_lines",
    "crowded",
    "dated_trueups",
    "depth",
    "drawdown",
    "entries",
    "in_pool_order",
    "issued",
    "known_segments",
    "openings",
    "order",
    "predecessors",
    "purchase_charges",
    "purchased_segments",
    "reach",
    "ready",
    "recharges",
    "recorded_segments",
    "rollovers",
    "settle",
    "spend_purchases",
    "trueup_lines",
    "trueups",
    "uses",
    "waited_for",
    "watched_lines",
]
