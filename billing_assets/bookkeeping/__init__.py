"""Double-entry bookkeeping of what is final: invoices and ledger movements in, vouchers that add up to zero out.

journal(books, hold)        the exact entries, each of one line, invoice or ledger entry; and what is posted of them
control_totals(posted)      opening + debits - credits = closing, per month, account and currency
ACCOUNTS                    the chart of accounts

A frame is read by several others; `hold` computes one once. The rules are in docs/bookkeeping.md.
"""

from __future__ import annotations

from billing_assets.bookkeeping.accounts import ACCOUNTS, Account
from billing_assets.bookkeeping.controls import control_totals
from billing_assets.bookkeeping.invariants import (
    liabilities_at_cost,
    liabilities_below_zero,
    receivables_of_seals,
    unbalanced,
    unrounded,
)
from billing_assets.bookkeeping.journal import Books, Journal, journal

__all__ = [
    "ACCOUNTS",
    "Account",
    "Books",
    "Journal",
    "control_totals",
    "journal",
    "liabilities_at_cost",
    "liabilities_below_zero",
    "receivables_of_seals",
    "unbalanced",
    "unrounded",
]
