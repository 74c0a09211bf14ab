"""SQL metrics through a whole close: plain aggregates, queries over events, by the hour and by the service period."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.pipeline.closing import Books, Closed

NOW, LATER = (datetime(2026, month, 3, tzinfo=UTC) for month in (2, 3))
SQL = {
    "plain": "SELECT SUM(properties.n) AS value, properties.region FROM events WHERE event_type = 'e' GROUP BY region",
    "peak": "SELECT region, SUM(top) AS value FROM (SELECT properties.region, DATE_TRUNC('day', timestamp) AS d, "
    "MAX(CAST(properties.n AS DECIMAL)) AS top FROM events WHERE event_type = 'e' GROUP BY 1, 2) t GROUP BY region",
    "users": "SELECT COUNT(DISTINCT LOWER(properties.who)) AS value, properties.region FROM events "
    "WHERE event_type = 'e' GROUP BY properties.region",
}
PRODUCTS = {"plain": ("plain", "hour"), "peak": ("peak", "hour"), "users": ("users", "service_period")}


def catalog() -> dict[str, Any]:
    rates = [
        {"product_id": name, "starting_at": start, "rate_type": "FLAT", "price": price, "pricing_group_values": group}
        for name in PRODUCTS
        for start, price in (("2026-01-01", "1"), ("2026-01-15", "10"))
        for group in ([{"region": "eu"}, {"region": "us"}] if name == "peak" else [{}])
    ]
    return {
        "settings": {"starting_at": "2026-01-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [
            {"id": name, "aggregation_type": "SQL", "sql": SQL[name], "granularity": granularity}
            for name, granularity in PRODUCTS.values()
        ],
        "products": [
            {"id": name, "name": name, "type": "USAGE", "billable_metric_id": metric}
            | ({"pricing_group_key": ["region"]} if name == "peak" else {})
            for name, (metric, _) in PRODUCTS.items()
        ],
        "rate_cards": [{"id": "card", "rates": rates}],
        "customers": [{"id": "c", "name": "c", "ingest_aliases": ["c2"]}, {"id": "d", "name": "d"}],
        "contracts": [
            {"id": name, "customer_id": name, "rate_card_id": "card", "starting_at": "2026-01-01"} for name in "cd"
        ],
    }


def used(number: int, at: str, n: str, who: str, region: str = "eu", customer: str = "c") -> dict[str, Any]:
    return {
        "transaction_id": f"t{number}",
        "customer_id": customer,
        "event_type": "e",
        "timestamp": at,
        "properties": {"n": n, "who": who, "region": region},
    }


EVENTS = [
    used(1, "2026-01-03T10:00:00Z", "5", "Ann"),
    used(2, "2026-01-03T12:00:00Z", "7", "bob", customer="c2"),
    used(3, "2026-01-20T10:00:00Z", "2", "ANN"),
    used(4, "2026-01-20T10:00:00Z", "3", "Eve", "us"),
    used(5, "2026-01-20T10:00:00Z", "4", "Ann", customer="d"),
    used(6, "2026-01-31T23:30:00Z", "1", "Zoe", customer="d"),
]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    root: Path = tmp_path_factory.mktemp("sql")
    books = Books.open(root, catalog())
    books.receive({"a.jsonl": EVENTS[:3]}, NOW)
    books.receive({"b.jsonl": EVENTS[3:]}, NOW)
    return books


@pytest.fixture(scope="module")
def closed(books: Books) -> Closed:
    return books.close(NOW)


def lines(closed: Closed, contract: str, product: str) -> list[tuple[Any, ...]]:
    found = closed.lines(contract_id=contract, product_id=product, close_month="2026-01")
    return [(one["pricing_group_values"], one["starting_at"].day, one["quantity"], one["amount"]) for one in found]


def test_a_plain_aggregate_is_priced_by_the_hour(closed: Closed) -> None:
    assert lines(closed, "c", "plain") == [("{}", 1, Decimal(12), Decimal(12)), ("{}", 15, Decimal(5), Decimal(50))]


def test_a_query_is_evaluated_where_the_price_changes(closed: Closed) -> None:
    """Daily peaks: 7 in the first half; 2 and 3 after it. Of d: 4 and 1."""
    assert lines(closed, "c", "peak") == [
        ('{"region":"eu"}', 1, Decimal(7), Decimal(7)), ('{"region":"eu"}', 15, Decimal(2), Decimal(20)),
        ('{"region":"us"}', 15, Decimal(3), Decimal(30)),
    ]  # fmt: skip
    assert lines(closed, "d", "peak") == [('{"region":"eu"}', 15, Decimal(5), Decimal(50))]


def test_by_the_service_period_all_of_it_has_the_last_price(closed: Closed) -> None:
    """Ann and Bob in the eu, Eve in the us: 3, all at the price of the last hour."""
    assert lines(closed, "c", "users") == [("{}", 1, Decimal(0), Decimal(0)), ("{}", 15, Decimal(3), Decimal(30))]
    assert lines(closed, "d", "users")[-1] == ("{}", 15, Decimal(2), Decimal(20))


def test_everything_is_billed_and_final(closed: Closed) -> None:
    assert closed.unbilled.is_empty()
    assert set(closed.invoices.filter(close_month="2026-01")["status"]) == {"FINALIZED"}


def test_what_comes_late_is_billed_and_changes_no_final_line(books: Books, closed: Closed) -> None:
    books.receive({"c.jsonl": [used(7, "2026-01-04T10:00:00Z", "100", "Kim")]}, LATER)
    again = books.close(LATER)
    assert lines(again, "c", "peak") == lines(closed, "c", "peak")
    assert again.dispositions() == {}
    # the sum, another day's peak, and Kim at the price of the last hour
    late = again.line_items.filter(line_type="late_usage").sort("product_id")
    found = late.select("product_id", "quantity", "amount").rows()
    assert found == [("peak", Decimal(100), Decimal(100)), ("plain", Decimal(100), Decimal(100)), ("users", 1, 10)]
