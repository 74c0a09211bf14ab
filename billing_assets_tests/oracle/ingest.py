"""Which input rows become events: rejects, windows and duplicates (docs/semantics.md section 1, cases 0.5, 32, 54)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .exact import canonical

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Batch:
    """One ingest: when its files arrived, and its raw rows (dicts; numbers as int, Decimal or text)."""

    arrived_at: datetime
    events: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Event:
    """One accepted event; `properties` in canonical text without nulls."""

    transaction_id: str
    customer_ref: str
    event_type: str
    at: datetime
    properties: Mapping[str, str]
    batch: int

    @property
    def payload(self) -> str:
        """The canonical payload that decides inside a batch; case 0.5."""
        content = [self.customer_ref, self.event_type, dict(sorted(self.properties.items()))]
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


@dataclass
class Ingested:
    """What became of every row: accepted events, and counts of duplicates, conflicts and rejects per batch."""

    events: list[Event] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)
    rejected: list[Counter[str]] = field(default_factory=list)


def duration(text: Any) -> timedelta | None:
    """`24h`, `34d`, or None for `none`; the settings of docs/catalog.md (case 54)."""
    if text is None or str(text) == "none":
        return None
    return timedelta(**{{"h": "hours", "d": "days"}[str(text)[-1]]: int(str(text)[:-1])})


def instant(value: Any) -> datetime:
    """A catalog date (midnight UTC) or RFC 3339 text as an instant in UTC; section 0 of docs/semantics.md."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def read(row: Mapping[str, Any], batch: int) -> Event | str:
    """The event of a raw row, or the reason why it is rejected; section 1 of docs/semantics.md."""
    for name in ("transaction_id", "customer_id", "event_type", "timestamp"):
        if not isinstance(row.get(name), str) or not row[name]:
            return "malformed"
    if len(row["transaction_id"]) > 128:
        return "malformed"
    properties = row.get("properties") or {}
    if any(isinstance(value, dict | list) for value in properties.values()):
        return "nested_property"
    try:
        at = datetime.fromisoformat(row["timestamp"])
    except ValueError:
        return "malformed"
    if at.tzinfo is None:
        return "malformed"
    texts = {name: text for name, value in properties.items() if (text := canonical(value)) is not None}
    return Event(row["transaction_id"], row["customer_id"], row["event_type"], at.astimezone(UTC), texts, batch)


def outside(event: Event, arrived_at: datetime, window: timedelta | None) -> str | None:
    """`future_timestamp`, `too_old` or None, measured against arrival; case 54."""
    if event.at > arrived_at + 24 * HOUR:
        return "future_timestamp"
    if window is not None and event.at < arrived_at - window:
        return "too_old"
    return None


def ingest(batches: Iterable[Batch], backdating_window: timedelta | None) -> Ingested:
    """Batches in order; the first accepted id wins, inside a batch the smallest (timestamp, payload); cases 0.5, 32."""
    result = Ingested()
    remembered: dict[str, tuple[Event, datetime]] = {}
    for number, batch in enumerate(batches):
        reasons: Counter[str] = Counter()
        readable: list[Event] = []
        for row in batch.events:
            event = read(row, number)
            reason = event if isinstance(event, str) else outside(event, batch.arrived_at, backdating_window)
            if reason is not None:
                reasons[reason] += 1
            elif isinstance(event, Event):
                readable.append(event)
        accepted = duplicates = conflicting = 0
        for event in sorted(readable, key=lambda event: (event.at, event.payload)):
            known = remembered.get(event.transaction_id)
            if known is not None and (
                backdating_window is None or batch.arrived_at - known[1] <= backdating_window + 25 * HOUR
            ):
                duplicates += 1
                conflicting += (known[0].at, known[0].payload) != (event.at, event.payload)
                continue
            remembered[event.transaction_id] = (event, batch.arrived_at)
            result.events.append(event)
            accepted += 1
        result.rows.append(len(batch.events))
        result.accepted.append(accepted)
        result.duplicates.append(duplicates)
        result.conflicting.append(conflicting)
        result.rejected.append(reasons)
    return result
