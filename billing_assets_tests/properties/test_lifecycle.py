"""What comes after a first close: late files, moved aliases, new metrics and products; one small customer each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets_tests.pipeline.closing import Books, Closed

STARTED = "2026-01-01"
IN_TIME, CLOSED, LATER = (datetime(2026, 2, day, 12, tzinfo=UTC) for day in (1, 2, 6))
FLAT = {"rate_type": "FLAT", "price": "1", "starting_at": STARTED}
UNITS = {"id": "units", "name": "Units", "aggregation_type": "SUM", "aggregation_key": "v"}
CALLS = {"id": "calls", "name": "Calls", "aggregation_type": "COUNT"}


def catalog(*customers: str, aliases: Mapping[str, str] = {}, **products: Mapping[str, Any]) -> dict[str, Any]:
    """One contract per customer on one card with `products` by id and metric, each at a price of 1."""
    sold = products or {"tokens": UNITS}
    return {
        "settings": {"starting_at": STARTED, "currency": "USD", "backdating_window": "60d"},
        "billable_metrics": [dict(metric) for metric in {str(one["id"]): one for one in sold.values()}.values()],
        "products": [
            {"id": name, "name": name, "type": "USAGE", "billable_metric_id": metric["id"]}
            for name, metric in sold.items()
        ],
        "rate_cards": [
            {"id": "card", "currency": "USD", "rates": [FLAT | {"product_id": name} for name in sold]},
        ],
        "customers": [
            {"id": name, "name": name, "ingest_aliases": [ref for ref, owner in aliases.items() if owner == name]}
            for name in customers
        ],
        "contracts": [
            {"id": name, "customer_id": name, "rate_card_id": "card", "starting_at": STARTED} for name in customers
        ],
    }


def used(name: str, day: int, value: str = "10", customer: str = "acme") -> dict[str, Any]:
    """An event of January."""
    at = datetime(2026, 1, day, 9, tzinfo=UTC).isoformat()
    return {
        "transaction_id": name,
        "customer_id": customer,
        "event_type": "use",
        "timestamp": at,
        "properties": {"v": value},
    }


def january(closed: Closed) -> dict[str, tuple[str, Decimal]]:
    """Status and total of January's invoices by contract."""
    invoices = closed.invoices.filter(pl.col("close_month") == "2026-01")
    return {row["contract_id"]: (row["status"], row["total"]) for row in invoices.iter_rows(named=True)}


def test_a_late_batch_before_finalization_is_billed(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme"))
    books.receive({"a.jsonl": [used("a", 5)]}, datetime(2026, 1, 6, tzinfo=UTC))
    assert january(books.close(datetime(2026, 1, 20, tzinfo=UTC))) == {"acme": ("DRAFT", 10)}
    books.receive({"late.jsonl": [used("b", 5), used("c", 1)]}, IN_TIME)
    assert january(books.close(CLOSED)) == {"acme": ("FINALIZED", 30)}


def test_late_events_after_finalization_are_listed_and_change_no_invoice(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme"))
    books.receive({"a.jsonl": [used("a", 5), used("no-number", 6, "many")]}, IN_TIME)
    before = books.close(CLOSED)
    assert before.dispositions() == {("units", "metric_exception"): 1}

    late = [used("b", 5), used("c", 7, "2"), used("d", 7, "none"), used("a", 5), used("e", 7, customer="ghost")]
    books.receive({"late.jsonl": late}, LATER)
    after = books.close(LATER)
    listed = {
        ("units", "metric_exception"): 1,
        ("units", "late_usage"): 3,
        ("units", "unattributed"): 1,
    }
    assert after.dispositions() == listed
    quantity = after.unbilled.filter(disposition="late_usage")["quantity"].drop_nulls().sum()
    assert quantity == Decimal(12)
    final = [closed.invoices.filter(status="FINALIZED") for closed in (before, after)]
    assert final[0].equals(final[1])
    assert january(after) == {"acme": ("FINALIZED", 10)}
    assert before.lines(close_month="2026-01") == after.lines(close_month="2026-01")
    assert books.close(LATER).dispositions() == listed


def test_an_alias_moved_before_the_close_moves_its_usage(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme", "globex", aliases={"shared": "acme"}))
    books.receive({"a.jsonl": [used("a", 5, customer="shared"), used("b", 6, "1")]}, IN_TIME)
    early = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert january(books.close(early)) == {"acme": ("DRAFT", 11), "globex": ("DRAFT", 0)}
    moved = books.with_catalog(catalog("acme", "globex", aliases={"shared": "globex"}))
    assert january(moved.close(CLOSED)) == {"acme": ("FINALIZED", 1), "globex": ("FINALIZED", 10)}


def test_a_new_metric_and_product_apply_to_open_periods_and_to_no_final_one(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme"))
    february = used("c", 5) | {"timestamp": "2026-02-01T09:00:00Z"}
    books.receive({"a.jsonl": [used("a", 5), used("b", 6), february]}, IN_TIME)
    assert january(books.close(CLOSED)) == {"acme": ("FINALIZED", 20)}
    extended = books.with_catalog(catalog("acme", tokens=UNITS, requests=CALLS, again=UNITS))
    after = extended.close(LATER)
    assert january(after) == {"acme": ("FINALIZED", 20)}
    lines = {line["product_id"]: line["amount"] for line in after.lines(close_month="2026-02", line_type="usage")}
    assert lines == {"tokens": 10, "requests": 1, "again": 10}


def test_an_event_that_fails_two_metrics_is_one_exception_of_its_invoice(tmp_path: Path) -> None:
    """Of the tolerated one. A corrected event under a new id is billed, and does not take the exception away."""
    peaks = {"id": "peaks", "name": "Peaks", "aggregation_type": "MAX", "aggregation_key": "w"}
    terms = catalog("acme", "globex", tokens=UNITS, highest=peaks)
    terms["contracts"] = [contract | {"metric_exception_tolerance": 1} for contract in terms["contracts"]]
    books = Books.open(tmp_path, terms)
    sent = [used("a", 5, "none"), used("b", 6, "none", "globex"), used("c", 7, "none", "globex")]
    books.receive({"a.jsonl": sent}, IN_TIME)
    closed = books.close(CLOSED)
    assert closed.dispositions() == {("peaks", "metric_exception"): 3, ("units", "metric_exception"): 3}
    assert january(closed) == {"acme": ("FINALIZED", 0), "globex": ("DRAFT", 0)}
    books.receive({"b.jsonl": [used("c-again", 7, "5", "globex") | {"properties": {"v": "5", "w": "2"}}]}, LATER)
    assert january(books.close(LATER)) == {"acme": ("FINALIZED", 0), "globex": ("DRAFT", 7)}
    terms["contracts"][1]["metric_exception_tolerance"] = 2
    assert january(books.with_catalog(terms).close(LATER))["globex"] == ("FINALIZED", 7)
