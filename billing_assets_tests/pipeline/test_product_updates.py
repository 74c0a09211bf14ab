"""Products that change inside a month, through a whole close: lines, what is unbilled, and the equation behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.pipeline.closing import Closed, close_books

NOW = datetime(2026, 2, 3, tzinfo=UTC)


def used(customer: str, day: int, **properties: str) -> dict[str, Any]:
    return {
        "transaction_id": f"{customer}-{day}",
        "customer_id": customer,
        "event_type": "e",
        "timestamp": f"2026-01-{day:02}T12:00:00Z",
        "properties": properties,
    }


def product(name: str, *updates: dict[str, Any], **terms: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": "USAGE", "billable_metric_id": "old", "updates": updates, **terms}


def rate(name: str, start: str = "2026-01-01", **terms: Any) -> dict[str, Any]:
    return {"product_id": name, "starting_at": start, "rate_type": "FLAT", "price": "1", **terms}


CATALOG = {
    "settings": {"starting_at": "2026-01-01", "currency": "USD", "backdating_window": "none"},
    "billable_metrics": [
        {"id": "old", "aggregation_type": "SUM", "aggregation_key": "a", "group_keys": [["model"]]},
        {"id": "new", "aggregation_type": "SUM", "aggregation_key": "b", "group_keys": [["model"]]},
    ],
    "products": [
        product("swap", {"starting_at": "2026-01-15", "billable_metric_id": "new", "name": "swapped"}),
        product("keyed", {"starting_at": "2026-01-15T06:00:00Z", "pricing_group_key": ["model"]}),
        product("tagged", {"starting_at": "2026-01-15", "tags": ["sale"]}),
    ],
    "rate_cards": [
        {
            "id": name,
            "rates": [rate(name), *more],
        }
        for name, more in {
            "swap": [],
            "keyed": [rate("keyed", "2026-01-15", pricing_group_values={"model": "x"}, price="5")],
            "tagged": [],
        }.items()
    ],
    "customers": [{"id": name, "name": name} for name in ("swap", "keyed", "tagged")],
    "contracts": [
        {"id": name, "customer_id": name, "rate_card_id": name, "starting_at": "2026-01-01"}
        | (
            {
                "overrides": [
                    {
                        "type": "MULTIPLIER",
                        "multiplier": "0.5",
                        "starting_at": "2026-01-01",
                        "applicable_product_tags": ["sale"],
                    }
                ]
            }
            if name == "tagged"
            else {}
        )
        for name in ("swap", "keyed", "tagged")
    ],
}
EVENTS = [used(name, day, a="7", b="100", model="x") for name in ("swap", "keyed", "tagged") for day in (3, 20)]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    root: Path = tmp_path_factory.mktemp("updates")
    return close_books(root, CATALOG, [(NOW, {"events.jsonl": EVENTS})], NOW)


def lines(closed: Closed, contract: str) -> list[tuple[Any, ...]]:
    found = closed.lines(contract_id=contract, close_month="2026-01")
    return [(one["name"], one["starting_at"].day, one["quantity"], one["amount"]) for one in found]


def test_a_swap_is_another_line_by_the_new_metric(closed: Closed) -> None:
    assert lines(closed, "swap") == [("swap", 1, Decimal(7), Decimal(7)), ("swapped", 15, Decimal(100), Decimal(100))]


def test_usage_that_no_product_takes_any_more_is_listed(closed: Closed) -> None:
    found = closed.unbilled.filter(contract_id="swap").sort("usage_date")
    assert found.select("billable_metric_id", "disposition", "event_count").rows() == [
        ("new", "no_product", 1), ("old", "no_product", 1)
    ]  # fmt: skip


def test_a_new_key_inside_a_day_has_lines_of_its_own(closed: Closed) -> None:
    assert lines(closed, "keyed") == [("keyed", 15, Decimal(7), Decimal(35)), ("keyed", 1, Decimal(7), Decimal(7))]


def test_an_override_by_tag_holds_while_the_product_has_it(closed: Closed) -> None:
    assert lines(closed, "tagged") == [
        ("tagged", 1, Decimal(7), Decimal(7)), ("tagged", 15, Decimal(7), Decimal("3.5"))
    ]  # fmt: skip


def test_every_invoice_is_final(closed: Closed) -> None:
    assert set(closed.invoices.filter(close_month="2026-01")["status"]) == {"FINALIZED"}
