"""Actions: what people decided, numbered 1, 2, 3, ... with reason, author and time; an input like the events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.storage.lake import Lake

APP = "actions"
"""Transaction id under which an action enters the table; its number is the action's."""


@dataclass(frozen=True, slots=True)
class Action:
    """One decision. `target` is the invoice, balance or usage that it is about; `payload` its details."""

    kind: str
    target: str
    payload: Mapping[str, Any]
    reason: str
    by: str
    at: datetime


def record_action(lake: Lake, action: Action) -> int:
    """Append the action under the next free number, and return that; two at a time get two numbers."""
    while True:
        number = (lake.transaction("actions", APP) or 0) + 1
        row = {
            "action_no": number,
            "kind": action.kind,
            "target": action.target,
            "payload": json.dumps(action.payload, sort_keys=True),
            "reason": action.reason,
            "by": action.by,
            "at": action.at,
        }
        frame = pl.DataFrame([row], schema_overrides={"at": TIMESTAMP})
        if lake.append_fenced("actions", frame, APP, number).written:
            return number
