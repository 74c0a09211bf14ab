"""Usage without a price that a person waives: listed, not billed, and no hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing_assets.errors import UsageError
from billing_assets.runs import checks, reissue, waive
from billing_assets.runs.lifecycle import Decision
from billing_assets_tests.pipeline.closing import Books, Obj

FEBRUARY, LATER = datetime(2024, 2, 3, tzinfo=UTC), datetime(2024, 2, 9, tzinfo=UTC)


def catalog(rate_from: str = "2024-06-01") -> Obj:
    """One customer, who uses a product with a price, and two whose rates begin later."""
    rates = [{"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT", "price": "1"}] + [
        {"product_id": name, "starting_at": rate_from, "rate_type": "FLAT", "price": "2"} for name in ("beta", "gamma")
    ]
    return {
        "settings": {"starting_at": "2024-01-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [
            {"id": name, "aggregation_type": "SUM", "aggregation_key": "v", "event_type_filter": {"in_values": [name]}}
            for name in ("p", "beta", "gamma")
        ],
        "products": [
            {"id": name, "name": name, "type": "USAGE", "billable_metric_id": name} for name in ("p", "beta", "gamma")
        ],
        "rate_cards": [{"id": "card", "rates": rates}],
        "customers": [{"id": "acme", "name": "Acme"}],
        "contracts": [{"id": "acme", "customer_id": "acme", "rate_card_id": "card", "starting_at": "2024-01-01"}],
    }


def used(product: str, number: int, value: int) -> Obj:
    return {
        "transaction_id": f"{product}{number}", "customer_id": "acme", "event_type": product,
        "timestamp": "2024-01-05T00:00:00Z", "properties": {"v": value},
    }  # fmt: skip


def draft(books: Books) -> dict[str, Any]:
    [found] = books.lake.scan("draft_invoices").filter(close_month="2024-01").collect().to_dicts()
    return dict(found)


def decided(now: datetime = FEBRUARY) -> Decision:
    return Decision("beta features are free", "tester", now)


def waived(books: Books, product: str | None = None) -> dict[str, Any]:
    usage = waive.unpriced_usage(books.lake, books.catalog, draft(books), decided(), product)
    return waive.waive(books.lake, books.catalog, draft(books), usage, decided())


def listed(books: Books) -> list[tuple[str, str, int]]:
    rows = books.lake.scan("unbilled_usage").select("product_id", "disposition", "event_count")
    return sorted(rows.collect().rows())


@pytest.fixture
def books(tmp_path: Path) -> Books:
    found = Books.open(tmp_path, catalog())
    found.receive({"1.jsonl": [used("p", 1, 10), used("beta", 1, 10), used("gamma", 1, 3)]}, FEBRUARY)
    found.close(FEBRUARY)
    assert json.loads(draft(found)["hold_reasons"]) == ["UNRATED_USAGE"]
    return found


def test_what_is_waived_is_listed_and_holds_nothing(books: Books) -> None:
    assert json.loads(waived(books, "beta")["hold_reasons"]) == ["UNRATED_USAGE"]
    assert listed(books) == [("beta", "waived", 1), ("gamma", "unrated", 1)]
    assert waived(books)["hold_reasons"] == "[]"
    assert listed(books) == [("beta", "waived", 1), ("gamma", "waived", 1)]
    books.close(FEBRUARY)
    [invoice] = books.lake.scan("invoices").collect().to_dicts()
    assert (str(invoice["total"]), invoice["actions_through"]) == ("10.000000000000", 2)
    events = books.lake.scan("invoice_events").filter(event="WAIVED").select("reason").collect()
    assert events["reason"].to_list() == ["beta features are free"]
    assert [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height] == []

    # usage that comes late of it stays listed, and its replacement does not bill it either
    books.receive({"2.jsonl": [used("beta", 2, 10)]}, LATER)
    books.close(LATER)
    assert ("beta", "late_usage", 1) in listed(books)
    reissue.void(books.lake, books.catalog, invoice, decided(LATER))
    [void] = books.lake.scan("invoices").collect().to_dicts()
    replaced = reissue.regenerate(books.lake, books.catalog, void, decided(LATER)).rows["invoices"]
    assert replaced["total"].to_list() == [10]
    books.close(LATER)
    assert {row[1:] for row in listed(books)} == {("waived", 2), ("waived", 1)}


def test_what_has_a_price_after_all_is_billed(books: Books) -> None:
    waived(books)
    books.with_catalog(catalog("2024-01-01")).close(FEBRUARY)
    assert books.lake.scan("invoices").collect()["total"].to_list() == [36]
    assert listed(books) == []


def test_what_cannot_be_waived_is_refused(books: Books) -> None:
    with pytest.raises(UsageError, match="these have usage without a price: beta, gamma"):
        waived(books, "p")
    mine = draft(books)
    waived(books)
    with pytest.raises(UsageError, match="no usage without a price, so there is nothing to waive"):
        waived(books)
    books.close(FEBRUARY)
    with pytest.raises(UsageError, match="is final, and no hold changes it"):
        waive.unpriced_usage(books.lake, books.catalog, mine, decided(), None)
