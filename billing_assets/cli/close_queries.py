"""What a close prints besides the reports of its stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from billing_assets.storage.lake import Lake


def late_usage(lake: Lake, ingest_batch: int) -> pl.DataFrame:
    """Events of an ingest batch that fall into a period which was final before: by invoice, how many."""
    final = lake.scan(
        "invoices",
        pl.col("status") == "FINALIZED",
        pl.col("period_end").is_not_null(),
        pl.col("events_through") < ingest_batch,
    ).select("invoice_id", "invoice_number", "customer_id", "contract_id", "period_start", "period_end")
    references = lake.scan("customer_aliases", pl.col("is_current")).select("customer_ref", "customer_id")
    events = lake.scan("events", pl.col("ingest_batch") == ingest_batch).select("customer_ref", "timestamp")
    late = (
        events.join(references, on="customer_ref", how="inner")
        .join(final, on="customer_id", how="inner")
        .filter(pl.col("timestamp") >= pl.col("period_start"), pl.col("timestamp") < pl.col("period_end"))
        .group_by("invoice_id", "invoice_number", "customer_id", "contract_id")
        .agg(events=pl.len().cast(pl.Int64))
    )
    return lake.collect(late.sort("invoice_number", "invoice_id"))


def ledger_movements(lake: Lake, batches: Sequence[int]) -> pl.DataFrame:
    """Ledger entries of these books batches, by kind and unit."""
    entries = lake.scan("ledger_entries", pl.col("batch_no").is_in(list(batches)))
    moved = entries.group_by("entry_type", "unit").agg(entries=pl.len().cast(pl.Int64), amount=pl.col("amount").sum())
    return lake.collect(moved.sort("unit", "entry_type"))


def unbilled(lake: Lake, months: Sequence[str]) -> pl.DataFrame:
    """What is on no invoice of these months, final ones included: events by disposition and metric."""
    rows = lake.scan("unbilled_usage", pl.col("month").is_in(list(months)))
    listed = rows.group_by("disposition", "billable_metric_id").agg(events=pl.col("event_count").sum())
    return lake.collect(listed.sort("disposition", "billable_metric_id"))
