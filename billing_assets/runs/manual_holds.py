"""The history of holds, releases and waivers: actions that decide about drafts, as rows of the books."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.runs import batches
from billing_assets.runs.decisions import HOLD, RELEASE, WAIVE
from billing_assets.runs.tables import as_table
from billing_assets.storage.lake import Lake

KIND = "hold"
"""The kind of batch that writes them; of releases and waivers, too."""
EVENTS = {HOLD: "HELD", RELEASE: "RELEASED", WAIVE: "WAIVED"}
_KEY = ("invoice_id", "event", "at")


def events(lake: Lake) -> pl.LazyFrame:
    """Grain action_no: the event of every such decision ever recorded."""
    return (
        lake.scan("actions")
        .filter(pl.col("kind").is_in(list(EVENTS)))
        .select(
            "action_no",
            "reason",
            "by",
            pl.col("at").cast(TIMESTAMP),
            invoice_id="target",
            event=pl.col("kind").replace_strict(EVENTS, return_dtype=pl.String),
        )
    )


def pending(lake: Lake) -> list[int]:
    """Holds and releases that have no event yet, in order. One that came after its invoice was final stays without."""
    written = lake.scan("invoice_events").select(_KEY)
    final = lake.scan("invoices").select("invoice_id")
    open_ones = events(lake).join(written, on=_KEY, how="anti").join(final, on="invoice_id", how="anti")
    return lake.collect(open_ones.sort("action_no"))["action_no"].to_list()


def finish(batch: batches.Batch) -> None:
    """Write and commit a batch of holds and releases from its intent alone."""
    chosen = events(batch.lake).filter(pl.col("action_no").is_in(batch.intent["actions"]))
    rows = chosen.sort("action_no").unique(_KEY, keep="first", maintain_order=True)
    rows = rows.with_columns(batch_no=pl.lit(batch.batch_no, dtype=pl.Int64))
    written = batch.write("invoice_events", batch.lake.collect(as_table("invoice_events", rows)))
    batch.commit({"decided": written.rows})
