"""A reference that moves after an invoice is final: what was billed stays billed, once; the rest is listed or moves."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.runs import carry, checks
from billing_assets.runs.lifecycle import Decision
from billing_assets_tests.pipeline.closing import Books, Closed

FEBRUARY, MARCH, APRIL = (datetime(2024, month, 3, tzinfo=UTC) for month in (2, 3, 4))
QUARTERLY = {"usage_statement_schedule": {"frequency": "QUARTERLY", "day": "FIRST_OF_MONTH"}}


def catalog(aliases: dict[str, list[str]], **terms: dict[str, Any]) -> dict[str, Any]:
    """Customers a (monthly), b (as `terms` say) and none (without a contract) with these references."""
    dated = {"rate_card_id": "card", "starting_at": "2024-01-01"}
    return {
        "settings": {"starting_at": "2024-01-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": "SUM", "aggregation_key": "v"}],
        "products": [{"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"}],
        "rate_cards": [
            {"id": "card", "rates": [{"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT", "price": 1}]}
        ],
        "customers": [{"id": one, "name": one, "ingest_aliases": aliases.get(one, [])} for one in ("a", "b", "none")],
        "contracts": [
            {"id": "of-a", "customer_id": "a", **dated, **terms.get("a", {})},
            {"id": "of-b", "customer_id": "b", **dated, **terms.get("b", {})},
        ],
    }


def event(number: int, reference: str, value: int) -> dict[str, Any]:
    return {
        "transaction_id": f"t{number}", "customer_id": reference, "event_type": "e",
        "timestamp": "2024-01-05T00:00:00Z", "properties": {"v": value},
    }  # fmt: skip


def billed(closed: Closed) -> dict[tuple[str, str], Decimal]:
    found = closed.invoices.filter(period_start=datetime(2024, 1, 1, tzinfo=UTC)).sort("contract_id")
    return {(one["contract_id"], one["status"]): one["total"] for one in found.to_dicts()}


def listed(closed: Closed) -> list[tuple[Any, ...]]:
    columns = ("customer_ref", "disposition", "contract_id", "reason", "quantity")
    return sorted(closed.unbilled.select(columns).rows(), key=repr)


def closed_with(tmp_path: Path, aliases: dict[str, list[str]], **terms: dict[str, Any]) -> Books:
    """January is final for a: 100 of the reference r, 1 of its own; 1000 of `lost` are nobody's."""
    books = Books.open(tmp_path, catalog(aliases, **terms))
    books.receive({"1.jsonl": [event(1, "r", 100), event(2, "lost", 1000), event(3, "a", 1)]}, FEBRUARY)
    books.close(FEBRUARY)
    return books


@pytest.mark.parametrize("owner", ["b", "none", None])
def test_what_was_billed_stays_with_its_invoice(tmp_path: Path, owner: str | None) -> None:
    books = closed_with(tmp_path, {"a": ["r"]}, b=QUARTERLY)
    moved = books.with_catalog(catalog({owner: ["r"]} if owner else {}, b=QUARTERLY))
    for now in (MARCH, APRIL):
        closed = moved.close(now)
        status = "FINALIZED" if now == APRIL else "DRAFT"
        assert billed(closed) == {("of-a", "FINALIZED"): 101, ("of-b", status): 0}
        assert listed(closed) == [("lost", "unattributed", None, None, Decimal(1000))]


def test_what_comes_after_the_move_is_of_the_new_customer(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r"]}, b=QUARTERLY)
    moved = books.with_catalog(catalog({"b": ["r"]}, b=QUARTERLY))
    moved.receive({"2.jsonl": [event(4, "r", 7)]}, MARCH)
    closed = moved.close(MARCH)
    assert billed(closed) == {("of-a", "FINALIZED"): 101, ("of-b", "DRAFT"): 7}
    assert listed(closed) == [("lost", "unattributed", None, None, Decimal(1000))]


def test_a_reference_that_comes_to_a_final_period_is_listed(tmp_path: Path) -> None:
    """The invoice has not seen it, though its events were there in time: late, by a change of attribution."""
    books = closed_with(tmp_path, {"a": ["r"]})
    closed = books.with_catalog(catalog({"a": ["r", "lost"]})).close(MARCH)
    assert billed(closed) == {("of-a", "FINALIZED"): 101, ("of-b", "FINALIZED"): 0}
    assert listed(closed) == [("lost", "late_usage", "of-a", "attribution", Decimal(1000))]


def test_a_reference_that_comes_to_an_open_period_is_billed_there_and_no_longer_listed(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r"]}, b=QUARTERLY)
    closed = books.with_catalog(catalog({"a": ["r"], "b": ["lost"]}, b=QUARTERLY)).close(MARCH)
    assert billed(closed) == {("of-a", "FINALIZED"): 101, ("of-b", "DRAFT"): 1000}
    assert listed(closed) == []


def test_an_open_period_gives_its_usage_away(tmp_path: Path) -> None:
    """From a period that is open to one that is final: nothing was billed, so it is late there."""
    books = closed_with(tmp_path, {"a": ["r"]}, a=QUARTERLY)
    closed = books.with_catalog(catalog({"b": ["r"]}, a=QUARTERLY)).close(MARCH)
    assert billed(closed) == {("of-a", "DRAFT"): 1, ("of-b", "FINALIZED"): 0}
    assert listed(closed) == [
        ("lost", "unattributed", None, None, Decimal(1000)),
        ("r", "late_usage", "of-b", "attribution", Decimal(100)),
    ]


def carry_january(books: Books, contract: str, now: datetime) -> None:
    january = books.lake.scan("invoices").filter(contract_id=contract, close_month="2024-01").collect()
    carry.carry(books.lake, books.catalog, january.row(0, named=True), Decision("ticket", "tester", now))


def of_february(closed: Closed) -> dict[str, Decimal]:
    rows = closed.invoices.filter(close_month="2024-02", status="FINALIZED").select("contract_id", "total")
    return dict(sorted(rows.iter_rows()))


def sound(books: Books) -> bool:
    return [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height] == []


def test_a_reference_that_came_is_listed_until_it_is_carried(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r"]})
    came = books.with_catalog(catalog({"a": ["r", "lost"]}))
    late = ("lost", "late_usage", "of-a", "attribution", Decimal(1000))
    assert listed(came.close(FEBRUARY)) == [late]
    carry_january(came, "of-a", FEBRUARY)
    assert listed(came.close(FEBRUARY)) == [late]
    closed = came.close(MARCH)
    assert of_february(closed) == {"of-a": 1000, "of-b": 0}
    assert listed(closed) == []
    came.receive({"2.jsonl": [event(4, "lost", 7)]}, MARCH)
    again = came.close(MARCH)
    assert listed(again) == [("lost", "late_usage", "of-a", None, Decimal(7))]
    closed = came.close(APRIL)
    assert closed.totals() == {"of-a": 1 + 100 + 1000 + 7, "of-b": 0}
    assert listed(closed) == []
    assert sound(came)


@pytest.mark.long
def test_a_reference_that_moved_is_listed_while_nobody_is_billed_for_it(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r", "lost"]})
    moved = books.with_catalog(catalog({"a": ["lost"], "b": ["r"]}))
    assert listed(moved.close(FEBRUARY)) == []
    carry_january(moved, "of-a", FEBRUARY)
    closed = moved.close(MARCH)
    assert of_february(closed) == {"of-a": -100, "of-b": 0}
    assert listed(moved.close(MARCH)) == [("r", "late_usage", "of-b", "attribution", Decimal(100))]
    carry_january(moved, "of-b", MARCH)
    assert listed(moved.close(APRIL)) == []
    assert sound(moved)


@pytest.mark.long
def test_there_and_back_changes_nothing(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r"]})
    before = books.close(FEBRUARY)
    books.with_catalog(catalog({"b": ["r"]})).close(FEBRUARY)
    after = books.with_catalog(catalog({"a": ["r"]})).close(FEBRUARY)
    assert (billed(after), listed(after)) == (billed(before), listed(before))
