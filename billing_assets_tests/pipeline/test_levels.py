"""Levels over several closes: what an earlier month left behind is metered, carried and billed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets_tests.pipeline.closing import Books

KINDS = ("TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST")
FEBRUARY, MARCH, APRIL = (datetime(2026, month, 3, tzinfo=UTC) for month in (2, 3, 4))


def catalog(kind: str, *extra: dict[str, Any]) -> dict[str, Any]:
    return {
        "settings": {"starting_at": "2025-12-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": kind, "aggregation_key": "gb"}, *extra],
        "products": [{"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"}],
        "rate_cards": [
            {
                "id": "card",
                "rates": [
                    {"product_id": "p", "starting_at": "2025-12-01", "rate_type": "FLAT", "price": "1"},
                    {"product_id": "p", "starting_at": "2026-02-15", "rate_type": "FLAT", "price": "2"},
                ],
            }
        ],
        "customers": [{"id": "c", "name": "c"}],
        "contracts": [{"id": "k", "customer_id": "c", "rate_card_id": "card", "starting_at": "2026-01-01"}],
    }


def reading(number: int, at: str, value: str) -> dict[str, Any]:
    return {
        "transaction_id": f"t{number}",
        "customer_id": "c",
        "event_type": "e",
        "timestamp": at,
        "properties": {"gb": value},
    }


def amounts(books: Books, now: datetime, month: str) -> list[tuple[Any, ...]]:
    found = books.close(now).lines(close_month=month)
    return [(one["quantity"], one["amount"]) for one in found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_set_before_the_contract_is_billed_each_month(tmp_path: Path, kind: str) -> None:
    """28 since December: 28 in January; in February 28 x 14/28 @ 1 and 28 x 14/28 @ 2, without any event."""
    books = Books.open(tmp_path, catalog(kind))
    books.receive({"a.jsonl": [reading(1, "2025-12-10T12:00:00Z", "28")]}, FEBRUARY)
    assert amounts(books, FEBRUARY, "2026-01") == [(Decimal(28), Decimal(28))]
    assert amounts(books, MARCH, "2026-02") == [(Decimal(14), Decimal(14)), (Decimal(14), Decimal(28))]
    usage = books.lake.scan("usage").filter(month="2026-02").sort("usage_date").collect()
    assert usage["quantity"].sum() == 28
    assert usage.select(pl.col("usage_date").n_unique(), pl.col("event_count").sum()).row(0) == (28, 0)


def test_a_metric_that_comes_later_reads_the_months_that_are_final(tmp_path: Path) -> None:
    """January is closed under SUM of the property; from then on the level counts, January's events with it."""
    books = Books.open(tmp_path, catalog("SUM"))
    books.receive({"a.jsonl": [reading(1, "2026-01-10T12:00:00Z", "28")]}, FEBRUARY)
    assert amounts(books, FEBRUARY, "2026-01") == [(Decimal(28), Decimal(28))]
    later = books.with_catalog(catalog("TIME_WEIGHTED_SUM"))
    assert amounts(later, MARCH, "2026-02") == [(Decimal(14), Decimal(14)), (Decimal(14), Decimal(28))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_change_counts_in_the_months_that_are_open(tmp_path: Path, kind: str) -> None:
    """Of a change on January 17 that comes in March: February as it is, and late what January lacks, 28 x 15/31 @ 1."""
    books = Books.open(tmp_path, catalog(kind))
    books.receive({"a.jsonl": [reading(1, "2026-01-01T00:00:00Z", "0")]}, FEBRUARY)
    assert amounts(books, FEBRUARY, "2026-01") == [(Decimal(0), Decimal(0))]
    books.receive({"b.jsonl": [reading(2, "2026-01-17T00:00:00Z", "28")]}, MARCH)
    february = [(Decimal(14), Decimal(14)), (Decimal(14), Decimal(28))]
    late, rounding = Decimal("13.548387096774"), Decimal("0.001612903226")
    assert amounts(books, MARCH, "2026-02") == [*february, (late, late), (Decimal(1), rounding)]
