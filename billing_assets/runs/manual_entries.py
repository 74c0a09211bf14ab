"""Manual ledger entries: what adjustments, recorded as actions, write into the ledger."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.identity import stable_id
from billing_assets.runs import batches
from billing_assets.runs.tables import as_table
from billing_assets.storage.lake import Lake

KIND = "adjust"
SEGMENT = ("balance_id", "balance_type", "segment_id", "customer_id", "contract_id", "unit")
"""What an entry says of the access segment that it moves."""


def entries(lake: Lake) -> pl.LazyFrame:
    """Grain action_no: the ledger entry of every adjustment ever recorded."""
    fields = dict.fromkeys((*SEGMENT, "amount", "effective_at"), pl.String)
    return (
        lake.scan("actions")
        .filter(pl.col("kind") == KIND)
        .select("action_no", "reason", decoded=pl.col("payload").str.json_decode(pl.Struct(fields)))
        .unnest("decoded")
        .with_columns(
            pl.col("amount").cast(DECIMAL),
            pl.col("effective_at").str.to_datetime("%+", time_unit="us", time_zone="UTC").cast(TIMESTAMP),
            entry_type=pl.lit("MANUAL"),
            entry_id=stable_id("le", [pl.lit("MANUAL"), pl.col("action_no")]),
        )
        .with_columns(close_month=pl.col("effective_at").dt.strftime("%Y-%m"))
    )


def pending(lake: Lake) -> list[int]:
    """Adjustments that are recorded and have no entry yet, in order."""
    written = lake.scan("ledger_entries").filter(pl.col("entry_type") == "MANUAL").select("entry_id")
    return lake.collect(entries(lake).join(written, on="entry_id", how="anti").sort("action_no"))["action_no"].to_list()


def finish(batch: batches.Batch) -> None:
    """Write and commit a batch of adjustments from its intent alone."""
    chosen = entries(batch.lake).filter(pl.col("action_no").is_in(batch.intent["actions"]))
    rows = chosen.with_columns(batch_no=pl.lit(batch.batch_no, dtype=pl.Int64))
    written = batch.write("ledger_entries", batch.lake.collect(as_table("ledger_entries", rows)))
    batch.commit({"adjusted": written.rows})
