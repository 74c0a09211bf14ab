"""What actions decide about open invoices, as a computation reads them: who is held, and who is released."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.rating import WAIVED
from billing_assets.runs.actions import APP
from billing_assets.storage.lake import Lake

HOLD, RELEASE, WAIVE, CARRY = "hold", "release", "waive", "carry"


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


def carries(lake: Lake, actions_through: int) -> pl.LazyFrame:
    """Grain invoice_id: `carried_by`, the catalog version by which what a final invoice would be now is billed, as the
    last such action up to `actions_through` says; and `carried_since`, its number."""
    actions = carry_actions(lake).filter(pl.col("action_no") <= actions_through).sort("action_no")
    last = actions.group_by("invoice_id", maintain_order=True)
    return last.agg(pl.col("carried_by").last(), carried_since=pl.col("action_no").last())


def carry_actions(lake: Lake) -> pl.LazyFrame:
    """Grain action_no: invoice_id and `carried_by` of every CARRY."""
    version = (
        pl.col("payload").str.json_decode(pl.Struct({"catalog_version": pl.String})).struct.field("catalog_version")
    )
    actions = lake.scan("actions").filter(pl.col("kind") == CARRY)
    return actions.select("action_no", invoice_id="target", carried_by=version)
