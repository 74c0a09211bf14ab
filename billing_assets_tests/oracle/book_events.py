"""The events of a generated book, in the ingest batches in which they arrive."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from .book_terms import ARRIVALS, NOW, VALUES, Terms
from .choices import Choices, chance, number, several
from .ingest import instant
from .terms import covers

Obj = dict[str, Any]
VALUE_KEY = {"use": "amount", "peak": "level", "low": "level", "seat": "level", "load": "level", "pay": "paid"} | {
    "picked": "amount"
}
NOT_NUMBERS: list[Any] = ["abc", "5.", " 5", "1_000", "NaN", "", True, None, "0.0000000000001", "1" + "0" * 26]
TICK = timedelta(microseconds=1)


class Events:
    """Raw rows of one book."""

    def __init__(self, choices: Choices, terms: Terms):
        self.choices, self.terms = choices, terms
        self.count = 0
        self.latest = ARRIVALS[-1]
        self.moments: list[datetime] = []

    def batches(self) -> list[list[Obj]]:
        """Up to 40 events with their duplicates, each in the batch of its arrival; some late, some too late."""
        rows: list[list[Obj]] = [[] for _ in ARRIVALS]
        for row in several(self.choices, 0, 40, self.row, 96):
            first = self.arrival(instant(row["timestamp"]))
            rows[first].append(row)
            if chance(self.choices, 12):
                rows[self.choices.integer(first, len(ARRIVALS) - 1)].append(self.duplicate(row))
        return rows

    def arrival(self, at: datetime) -> int:
        """The first batch after the event, or a later one."""
        first = next(index for index, arrival in enumerate(ARRIVALS) if arrival >= at)
        if chance(self.choices, 2):
            return 0
        return self.choices.integer(first, len(ARRIVALS) - 1) if chance(self.choices, 30) else first

    def moment(self) -> datetime:
        """Inside the contracts mostly; at, or a tick around, the hours in which something changes; ties."""
        choices, terms = self.choices, self.terms
        contract = choices.pick(terms.contracts)
        start, end = instant(contract["starting_at"]), instant(contract.get("ending_before", self.latest))
        kind = choices.integer(0, 11)
        instants = [at for at in terms.instants if start <= at <= self.latest]
        if kind == 11 and self.moments:
            return choices.pick(self.moments)
        if kind >= 8 and instants:
            at = choices.pick(instants) + choices.pick([timedelta(0), -TICK, TICK, timedelta(hours=1)])
        elif kind == 7:
            at = datetime(2026, choices.integer(1, 3), 1, tzinfo=UTC) + choices.pick([timedelta(0), -TICK])
        else:
            margin = timedelta(days=3 * (kind == 6))
            low, high = start - margin, min(end + margin, self.latest)
            if terms.focus and low < terms.window[1] and terms.window[0] < high and chance(choices, 85):
                low, high = max(low, terms.window[0]), min(high, terms.window[1])
            hours = max(1, (high - low) // timedelta(hours=1))
            at = low + timedelta(hours=choices.integer(0, hours - 1), seconds=choices.pick([0, 1800, 3599]))
        self.moments.append(min(at, self.latest))
        return self.moments[-1]

    def stamp(self, at: datetime) -> str:
        """RFC 3339, in UTC or with an offset."""
        if chance(self.choices, 5):
            return at.astimezone(timezone(timedelta(hours=2))).isoformat()
        return at.isoformat().replace("+00:00", "Z")

    def customer_ref(self) -> str:
        """The id, an alias (known or not), or a stranger."""
        terms, kind = self.terms, self.choices.integer(0, 39)
        if kind == 39:
            return f"{terms.prefix}-{self.choices.pick(['ghost', 'alias1', 'CUSTOMER'])}"
        return self.choices.pick(terms.aliases) if terms.aliases and kind > 30 else f"{terms.prefix}-customer"

    def event_type(self) -> str:
        """The type of one of the book's metrics, or sometimes any."""
        if chance(self.choices, 8):
            return self.choices.pick(["noise", "rest", "peak", "use", "calls", "picked"])
        return self.choices.pick(self.terms.event_types)

    def value(self, event_type: str) -> Any:
        """A number as text or as a JSON number; pay is never negative."""
        value = number(
            self.choices, self.terms.largest, negative=0 if event_type == "pay" else 45 if self.terms.zigzag else 20
        )
        if "." not in value and chance(self.choices, 50):
            return int(value)
        if chance(self.choices, 5):
            return self.choices.pick(["1e3", ".5", "+2", "1.50", 2.5, 0.25, "1000000000000000.123456789012"])
        return value

    def groups(self) -> Obj:
        """Group values: mostly those of the rates; absent, null and others sometimes."""
        found: Obj = {}
        for key, values in VALUES.items():
            if self.terms.focus and chance(self.choices, 85):
                found[key] = values[0]
                continue
            value = self.choices.pick([*[one for one in values if one is not None], *values])
            if value is not None or chance(self.choices, 30):
                found[key] = 1 if value == "1" and chance(self.choices, 50) else value
        if self.terms.holes and chance(self.choices, 4):
            found["model"] = "unheard-of"
        return found

    def row(self) -> Obj:
        """One raw event."""
        choices, event_type = self.choices, self.event_type()
        self.count += 1
        row: Obj = {"transaction_id": f"{self.terms.prefix}-{self.count}", "customer_id": self.customer_ref()}
        row |= {"event_type": event_type, "timestamp": self.stamp(self.moment()), "properties": self.groups()}
        properties = row["properties"]
        if event_type in VALUE_KEY:
            properties[VALUE_KEY[event_type]] = self.value(event_type)
            if chance(choices, 4) and (self.terms.contested or self.plain(row)):
                properties[VALUE_KEY[event_type]] = choices.pick(NOT_NUMBERS)
        if event_type in ("login", "rest") or chance(choices, 5):
            properties["user"] = choices.pick(["ann", "bob", "1", 1, 1.5, "1.0", True, None])
        if event_type == "picked" and chance(choices, 40):
            properties["kind"] = choices.pick(["keep", "skip", 1, None])
        if chance(choices, 1):
            properties["deep"] = {"nested": 1}
        return row

    def plain(self, row: Obj) -> bool:
        """Whether an exception of this event is undisputed: a known customer, under a contract without a filter, which
        has the product, and no other metric of the event."""
        at = instant(row["timestamp"])
        live = [one for one in self.terms.contracts if covers(one, at)]
        known = row["customer_id"] in [f"{self.terms.prefix}-customer", *self.terms.aliases]
        used = [one["billable_metric_id"] for one in self.terms.products]
        fits = self.terms.layout in ("one", "sequence") and len(live) == 1 and "usage_filter" not in live[0]
        return known and fits and row["event_type"] in used and row["event_type"] != "picked"

    def duplicate(self, row: Obj) -> Obj:
        """The same id again: the same event, or another payload or timestamp (conflicting)."""
        other = copy.deepcopy(row)
        kind = self.choices.integer(0, 3)
        if kind == 1:
            other["timestamp"] = self.stamp(min(instant(row["timestamp"]) + timedelta(hours=5), self.latest))
        elif kind == 2:
            other["properties"]["region"] = "us"
        elif kind == 3 and row["event_type"] in VALUE_KEY:
            other["properties"][VALUE_KEY[row["event_type"]]] = "7"
        return other


__all__ = ["NOW", "Events"]
