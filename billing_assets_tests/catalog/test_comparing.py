"""Which contracts another catalog says something else of, and of which time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing_assets.catalog import changed_contracts
from billing_assets_tests.pipeline.closing import Obj, write_catalog

JANUARY, JUNE, JULY = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 6, 7))
EVER = (None, None)


def catalog(**changes: Any) -> Obj:
    """Two contracts, each with a card of its own; both have product p."""
    rate = {"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT", "price": "1"}
    found: dict[str, Any] = {
        "settings": {"starting_at": "2024-01-01", "currency": "USD"},
        "billable_metrics": [{"id": "m", "aggregation_type": "COUNT"}],
        "products": [{"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"}],
        "rate_cards": [{"id": name, "rates": [{**rate}]} for name in ("one", "two")],
        "customers": [{"id": name, "name": name} for name in ("a", "b")],
        "contracts": [
            {"id": name, "customer_id": name, "rate_card_id": card, "starting_at": "2024-01-01"}
            for name, card in (("a", "one"), ("b", "two"))
        ],
    }
    for part, edit in changes.items():
        edit(found[part])
    return found


def add_rate(start: str, price: str) -> Any:
    rate = {"product_id": "p", "starting_at": start, "rate_type": "FLAT", "price": price}
    return lambda cards: cards[0]["rates"].append(rate)


def override(contracts: list[dict[str, Any]]) -> None:
    contracts[1]["overrides"] = [
        {
            "id": "o",
            "starting_at": "2024-06-01",
            "ending_before": "2024-07-01",
            "type": "MULTIPLIER",
            "multiplier": "2",
            "override_specifiers": [{"product_id": "p"}],
        }
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"customers": lambda rows: rows[0].update(name="another")}, set()),
        ({"rate_cards": lambda cards: cards[0]["rates"][0].update(price="2")}, {("a", JANUARY, None)}),
        ({"rate_cards": add_rate("2024-06-01", "2")}, {("a", JUNE, None)}),
        ({"contracts": override}, {("b", JUNE, JULY)}),
        ({"customers": lambda rows: rows[1].update(ingest_aliases=["b2"])}, {("b", *EVER)}),
        ({"billable_metrics": lambda rows: rows[0].update(event_type_filter={"in_values": ["x"]})},
         {("a", *EVER), ("b", *EVER)}),
    ],
)  # fmt: skip
def test_what_changed(tmp_path: Path, changes: dict[str, Any], expected: set[tuple[Any, ...]]) -> None:
    before = write_catalog(catalog(), tmp_path / "before")
    after = write_catalog(catalog(**changes), tmp_path / "after")
    assert set(changed_contracts(before, after).collect().rows()) == expected
    alone = changed_contracts(before, after, terms_alone=True).collect()
    assert alone.is_empty() or "customers" not in changes
