"""What actions decide about open invoices, as a computation reads them: who is held, and who is released."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.rating import WAIVED
from billing_assets.runs.actions import APP
from billing_assets.storage.lake import Lake

HOLD, RELEASE, WAIVE = "hold", "release", "waive"


def last_action(lake: Lake) -> int:
    """The number of the last action that is recorded; 0 where there is none."""
    return lake.transaction("actions", APP) or 0


def decided(lake: Lake, actions_through: int) -> pl.LazyFrame:
    """Grain invoice_id: `decision`, the last of HOLD and RELEASE up to the action `actions_through`."""
    actions = lake.scan("actions").filter(pl.col("kind").is_in((HOLD, RELEASE)), pl.col("action_no") <= actions_through)
    return actions.group_by(invoice_id="target").agg(decision=pl.col("kind").sort_by("action_no").last())


_USAGE = pl.List(pl.Struct(dict.fromkeys(WAIVED, pl.String)))


def waived(lake: Lake, actions_through: int) -> pl.LazyFrame:
    """Grain WAIVED: usage that actions up to `actions_through` have waived."""
    actions = lake.scan("actions").filter(pl.col("kind") == WAIVE, pl.col("action_no") <= actions_through)
    usage = pl.col("payload").str.json_decode(pl.Struct({"usage": _USAGE})).struct.field("usage")
    rows = actions.select(usage).explode("usage").unnest("usage").unique()
    return rows.with_columns(pl.col("period_start").str.to_datetime(time_unit="us", time_zone="UTC").cast(TIMESTAMP))
