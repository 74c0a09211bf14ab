"""Hold and release: what a person decides about drafts, and what a close makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.errors import UsageError
from billing_assets.runs import checks, holds
from billing_assets.runs.lifecycle import Decision
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.pipeline.closing import Books, Obj

JANUARY = datetime(2024, 1, 20, tzinfo=UTC)
FEBRUARY, LATER = datetime(2024, 2, 3, tzinfo=UTC), datetime(2024, 2, 9, tzinfo=UTC)
HELD, OTHER = "held", "other"


def catalog() -> Obj:
    """Two customers who use 10 @ 1 in January; whoever comes to more than 50 is held."""
    contracts = [
        {"id": name, "customer_id": name, "rate_card_id": "card", "starting_at": "2024-01-01"} for name in (HELD, OTHER)
    ]
    return {
        "settings": {
            "starting_at": "2024-01-01", "currency": "USD", "backdating_window": "none", "hold_total_over": "50"
        },
        "billable_metrics": [{"id": "m", "aggregation_type": "SUM", "aggregation_key": "v"}],
        "products": [{"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"}],
        "rate_cards": [
            {
                "id": "card",
                "rates": [{"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT", "price": "1"}],
            }
        ],
        "customers": [{"id": name, "name": name} for name in (HELD, OTHER)],
        "contracts": contracts,
    }  # fmt: skip


def used(customer: str, number: int, value: int) -> Obj:
    return {
        "transaction_id": f"{customer}{number}", "customer_id": customer, "event_type": "e",
        "timestamp": "2024-01-05T00:00:00Z", "properties": {"v": value},
    }  # fmt: skip


def draft(books: Books, contract: str = HELD) -> dict[str, Any]:
    rows = books.lake.scan("draft_invoices").filter(contract_id=contract, close_month="2024-01").collect()
    [found] = rows.to_dicts()
    return dict(found)


def decided(now: datetime) -> Decision:
    return Decision("ticket 4711", "tester", now)


def january(books: Books) -> dict[str, int]:
    """The last action that final invoices of January have seen, by contract."""
    rows = books.lake.scan("invoices").filter(close_month="2024-01").select("contract_id", "actions_through")
    return dict(rows.collect().iter_rows())


def told(books: Books) -> list[tuple[str, str, datetime]]:
    rows = books.lake.scan("invoice_events").filter(pl.col("event").is_in(("HELD", "RELEASED"))).sort("at")
    return rows.select("event", "reason", "at").collect().rows()


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """January is not over; the drafts are as of its 20th."""
    found = Books.open(tmp_path, catalog())
    found.receive({"1.jsonl": [used(HELD, 1, 10), used(OTHER, 1, 10)]}, JANUARY)
    found.close(JANUARY)
    return found


def test_what_is_held_by_hand_waits_alone_until_it_is_released(books: Books) -> None:
    after = holds.hold(books.lake, books.catalog, draft(books), decided(JANUARY))
    assert after["hold_reasons"] == '["MANUAL"]'
    books.close(FEBRUARY)
    assert january(books) == {OTHER: 1}
    assert books.lake.scan("month_closes").collect().is_empty()
    with pytest.raises(UsageError, match="is held by hand already"):
        holds.hold(books.lake, books.catalog, draft(books), decided(FEBRUARY))

    # more usage lifts it over the limit; the release lifts both reasons
    books.receive({"2.jsonl": [used(HELD, 2, 90)]}, FEBRUARY)
    books.close(FEBRUARY)
    assert draft(books)["hold_reasons"] == '["TOTAL_OVER_LIMIT","MANUAL"]'
    assert holds.left_after(draft(books)) == []
    assert holds.release(books.lake, books.catalog, draft(books), decided(LATER))["hold_reasons"] == "[]"
    books.close(LATER)
    assert january(books) == {OTHER: 1, HELD: 2}
    assert told(books) == [("HELD", "ticket 4711", JANUARY), ("RELEASED", "ticket 4711", LATER)]
    assert [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height] == []


def test_what_cannot_be_held_or_released_is_refused(books: Books) -> None:
    with pytest.raises(UsageError, match="is not held"):
        holds.release(books.lake, books.catalog, draft(books), decided(JANUARY))
    unrated = draft(books) | {"hold_reasons": '["UNRATED_USAGE"]'}
    with pytest.raises(UsageError, match="UNRATED_USAGE, which a release does not lift"):
        holds.release(books.lake, books.catalog, unrated, decided(JANUARY))
    mine = draft(books)
    books.close(FEBRUARY)
    with pytest.raises(UsageError, match="is final, and no hold changes it; if it is wrong, `billing void INV-2024-"):
        holds.hold(books.lake, books.catalog, mine, decided(FEBRUARY))
    assert books.lake.scan("actions").collect().is_empty()


class Stopped(Exception):
    """The process is gone."""


@pytest.mark.parametrize("instant", ["actions/after", "invoice_events/before", "invoice_events/after"])
def test_a_hold_that_was_interrupted_holds_and_is_told_once(
    books: Books, instant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(step: WriteStep) -> None:
        if f"{step.table}/{step.instant}" == instant:
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "on_write", staticmethod(stop))
        with pytest.raises(Stopped):
            holds.hold(Lake(books.lake.root), books.catalog, draft(books), decided(JANUARY))
    books.close(FEBRUARY)
    books.close(FEBRUARY)
    assert january(books) == {OTHER: 1}
    assert told(books) == [("HELD", "ticket 4711", JANUARY)]
