"""A company whose every customer is one case, so that one close shows them all.

Each case names its products (on the company's few metrics) with their rates, its events, and what its contract adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from billing_assets_tests.pipeline.closing import Obj

NOW = datetime(2026, 3, 3, tzinfo=UTC)
START = "2025-12-01"
SETTINGS = {"starting_at": START, "currency": "USD", "backdating_window": "none"}
KINDS = ("COUNT", "SUM", "MAX", "LATEST", "UNIQUE")
GROUP_KEYS = [["region", "org"]]


def metrics() -> list[Obj]:
    """One metric of each aggregation; it takes events of its own type, of the property v, `europe` or without area."""
    return [
        {
            "id": kind,
            "name": kind.capitalize(),
            "aggregation_type": kind,
            "group_keys": GROUP_KEYS,
            "event_type_filter": {"in_values": [kind]},
            "property_filters": [{"name": "area", "not_in_values": ["other"]}],
            **({} if kind == "COUNT" else {"aggregation_key": "v"}),
        }
        for kind in KINDS
    ]


@dataclass(frozen=True)
class Sold:
    """One product of a case: its metric, its rates (all of them from the company's start on), and what it adds."""

    metric: str
    rates: Sequence[Obj]
    name: str = "p"
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Used:
    """One event: an instant in 2026 unless it says otherwise, the metric it feeds, and its properties."""

    at: datetime
    metric: str
    properties: Mapping[str, Any] = field(default_factory=dict)


def january(day: int, hour: int = 12) -> datetime:
    """Days before the first are in December."""
    return datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)


@dataclass(frozen=True)
class Case:
    """One customer with one contract, named after the case."""

    name: str
    sold: Sequence[Sold]
    used: Sequence[Used]
    contract: Mapping[str, Any] = field(default_factory=dict)

    def products(self) -> list[Obj]:
        return [
            {"id": f"{self.name}-{one.name}", "name": one.name, "type": "USAGE", "billable_metric_id": one.metric}
            | dict(one.more)
            for one in self.sold
        ]

    def card(self) -> Obj:
        rates = [
            {"product_id": f"{self.name}-{one.name}", "starting_at": START} | dict(rate)
            for one in self.sold
            for rate in one.rates
        ]
        return {"id": self.name, "currency": "USD", "rates": rates}

    def agreed(self) -> Obj:
        usual = {"id": self.name, "customer_id": self.name, "rate_card_id": self.name, "starting_at": START}
        return usual | dict(self.contract)

    def events(self) -> list[Obj]:
        return [
            {
                "transaction_id": f"{self.name}-{number}",
                "customer_id": self.name,
                "event_type": one.metric,
                "timestamp": one.at.isoformat(),
                "properties": one.properties,
            }
            for number, one in enumerate(self.used)
        ]


def company(cases: Iterable[Case]) -> tuple[Obj, list[Obj]]:
    """The catalog and the events of all cases."""
    cases = list(cases)
    catalog = {
        "settings": SETTINGS,
        "billable_metrics": metrics(),
        "products": [one for case in cases for one in case.products()],
        "rate_cards": [case.card() for case in cases],
        "customers": [{"id": case.name, "name": case.name} for case in cases],
        "contracts": [case.agreed() for case in cases],
    }
    return catalog, [event for case in cases for event in case.events()]
