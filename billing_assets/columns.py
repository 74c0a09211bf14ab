"""Dtypes and shared names: the vocabulary in which stages speak to each other."""

from __future__ import annotations

import polars as pl

DECIMAL = pl.Decimal(38, 12)
"""Every quantity, rate and amount: 26 integer digits, 12 decimal places (docs/semantics.md, Exact numbers)."""

TIMESTAMP = pl.Datetime("us", "UTC")

HISTORY_COLUMNS = (
    "arrived_at",
    "batch_no",
    "ingest_batch",
    "first_ingest_batch",
    "events_through",
    "ledger_through",
    "actions_through",
    "invoice_number",
    "number_sequence",
    "finalized_at",
    "engine_version",
)
"""Recorded history: inputs of an invoice, not results. Comparisons of two lakes leave these columns out."""

NO_GROUP = "{}"
"""Canonical JSON of an empty combination of group values."""
