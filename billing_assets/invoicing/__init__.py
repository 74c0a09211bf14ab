"""Priced lines to invoices: identity and dates, lines in order, sums, holds, finalization, the seal of a month."""
