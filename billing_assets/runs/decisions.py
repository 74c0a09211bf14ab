"""What actions decide about open invoices, as a computation reads them: who is held, and who is released."""

from __future__ import annotations

import polars as pl

from billing_assets.runs.actions import APP
from billing_assets.storage.lake import Lake

HOLD, RELEASE = "hold", "release"


def last_action(lake: Lake) -> int:
    """The number of the last action that is recorded; 0 where there is none."""
    return lake.transaction("actions", APP) or 0


def decided(lake: Lake, actions_through: int) -> pl.LazyFrame:
    """Grain invoice_id: `decision`, the last of HOLD and RELEASE up to the action `actions_through`."""
    actions = lake.scan("actions").filter(pl.col("kind").is_in((HOLD, RELEASE)), pl.col("action_no") <= actions_through)
    return actions.group_by(invoice_id="target").agg(decision=pl.col("kind").sort_by("action_no").last())
