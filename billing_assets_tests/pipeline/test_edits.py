"""What an edited catalog says otherwise of final invoices, before it is applied."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.runs.edits import FinalEdits, edits_of_final
from billing_assets_tests.pipeline.closing import Books, Obj

FEBRUARY, LATER = datetime(2024, 2, 3, tzinfo=UTC), datetime(2024, 2, 9, tzinfo=UTC)
SINCE = "2024-01-01"


def catalog(
    price: str = "2", seat: str = "15", charge: str = "500", credit: str = "4", kind: str = "SUM", currency: str = "USD"
) -> Obj:
    """Ten units, three seats and a charge; a credit pays 4 of it."""
    rates = [
        {"product_id": "p", "starting_at": SINCE, "rate_type": "FLAT", "price": price},
        {
            "product_id": "seat",
            "starting_at": SINCE,
            "rate_type": "FLAT",
            "price": seat,
            "billing_frequency": "MONTHLY",
        },
    ]
    seats = {"product_id": "seat", "collection_schedule": "ARREARS", "billing_frequency": "MONTHLY"}
    items = [{"timestamp": "2024-01-15", "amount": charge}, {"timestamp": "2024-09-15", "amount": credit}]
    access = [{"amount": credit, "starting_at": SINCE, "ending_before": "2024-02-01"}]
    contract = {
        "id": "c", "customer_id": "u", "rate_card_id": "card", "starting_at": SINCE,
        "scheduled_charges_on_usage_invoices": "ALL",
        "subscriptions": [{"id": "s", "starting_at": SINCE, "initial_quantity": 3, **seats}],
        "scheduled_charges": [
            {"id": "once", "product_id": "fee", "schedule": {"schedule_items": items}}
        ],
        "credits": [
            {"id": "free", "product_id": "fee", "access_schedule": access}
        ],
    }  # fmt: skip
    return {
        "settings": {"starting_at": SINCE, "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": kind, "aggregation_key": "v"}],
        "products": [
            {"id": "p", "name": "Units", "type": "USAGE", "billable_metric_id": "m"},
            {"id": "seat", "name": "Seats", "type": "SUBSCRIPTION"},
            {"id": "fee", "name": "Fee", "type": "FIXED"},
        ],
        "rate_cards": [{"id": "card", "currency": currency, "rates": rates}],
        "customers": [{"id": "u", "name": "u"}],
        "contracts": [contract],
    }


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    found = Books.open(tmp_path_factory.mktemp("edits"), catalog())
    event = {"customer_id": "u", "event_type": "e", "timestamp": "2024-01-05T00:00:00Z"}
    events = [{**event, "transaction_id": f"t{value}", "properties": {"v": value}} for value in (7, 3)]
    found.receive({"1.jsonl": events}, FEBRUARY)
    found.close(FEBRUARY)
    return found


def by(books: Books, root: Path, edited: Obj) -> FinalEdits:
    """By a catalog of its own folder."""
    before = {one: books.lake.version(one) for one in ("invoices", "draft_invoices", "invoice_variances")}
    found = edits_of_final(books.lake, Books.open(root, edited).catalog, LATER)
    assert before == {one: books.lake.version(one) for one in before}
    return found


def figures(found: FinalEdits) -> list[tuple[Any, ...]]:
    rows = found.edited.select("name", "invoiced", "would_be", "difference").rows()
    return [(name, *(int(Decimal(figure)) for figure in sums)) for name, *sums in rows]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({}, []),
        ({"price": "3"}, [("Units", 20, 30, 10)]),
        ({"seat": "12"}, [("Seats", 45, 36, -9)]),
        ({"charge": "400"}, [("Fee", 500, 400, -100)]),
        ({"kind": "MAX"}, [("Units", 20, 14, -6)]),
    ],
)
def test_what_lines_would_be(books: Books, tmp_path: Path, edit: Obj, expected: list[tuple[Any, ...]]) -> None:
    found = by(books, tmp_path, catalog(**edit))
    assert figures(found) == expected
    assert found.unpriced.is_empty()


@pytest.mark.parametrize(
    ("edit", "what"), [({"credit": "3"}, ["balances"]), ({"currency": "EUR"}, ["balances", "measures"])]
)
def test_what_has_no_sum_is_named(books: Books, tmp_path: Path, edit: Obj, what: list[str]) -> None:
    found = by(books, tmp_path, catalog(**edit))
    assert figures(found) == []
    assert found.unpriced.select("contract_id", "what").rows() == [("c", one) for one in what]


def test_an_edit_of_open_periods_alone_is_none(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even computed."""
    monkeypatch.setattr("billing_assets.runs.edits.OfBatch.of", None)
    edited = catalog()
    [units, seats] = edited["rate_cards"][0]["rates"]
    edited["rate_cards"][0]["rates"] = [
        {**units, "ending_before": "2024-02-01"}, {**units, "starting_at": "2024-02-01", "price": "9"}, seats
    ]  # fmt: skip
    found = by(books, tmp_path, edited)
    assert figures(found) == []
    assert found.unpriced.is_empty()
