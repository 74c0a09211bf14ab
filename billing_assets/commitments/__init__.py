"""Commits and credits: who may draw what in which order, what a draw covers, and the ledger behind it."""
