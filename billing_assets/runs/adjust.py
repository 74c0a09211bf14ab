"""Manual ledger entries: a balance raised or lowered by a person's decision, as a batch of the books of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from billing_assets.errors import UsageError
from billing_assets.money import ZERO
from billing_assets.runs.actions import Action, record_action
from billing_assets.runs.books import apply_decisions
from billing_assets.runs.inputs import sealed_months
from billing_assets.runs.manual_entries import KIND, SEGMENT
from billing_assets.storage.lake import Lake


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A movement of one access segment: its row of `balances`, the signed amount, and when it takes effect."""

    segment: Mapping[str, Any]
    amount: Decimal
    effective_at: datetime


def segments(lake: Lake) -> pl.LazyFrame:
    """Grain segment_id: every access segment that the ledger or the last refresh of the balances knows, by SEGMENT."""
    known = (lake.scan("ledger_entries").drop_nulls("segment_id"), lake.scan("balances"))
    return pl.concat([frame.select(SEGMENT) for frame in known]).unique("segment_id", keep="any").sort("segment_id")


def refuse(lake: Lake, adjustment: Adjustment) -> None:
    """Raise UsageError for a movement that must not be written: of nothing, or inside a sealed month."""
    if adjustment.amount == ZERO:
        raise UsageError("--amount: found 0, expected an amount to add (+) or to take (-)")
    month = f"{adjustment.effective_at:%Y-%m}"
    if month in sealed_months(lake):
        raise UsageError(f"--at: {month} is sealed, and its ledger movements are final; give a later time")


def adjust(lake: Lake, adjustment: Adjustment, reason: str, by: str, now: datetime) -> int:
    """Record the decision and write its ledger entry; the number of the action. Raises UsageError as `refuse` does."""
    refuse(lake, adjustment)
    payload = {
        **{name: adjustment.segment[name] for name in SEGMENT},
        "amount": f"{adjustment.amount:f}",
        "effective_at": adjustment.effective_at.isoformat(),
    }
    action = Action(KIND, str(adjustment.segment["segment_id"]), payload, reason, by, now)
    number = record_action(lake, action)
    apply_decisions(lake, by, now)
    return number
