"""Void and regenerate: what an invoice moved goes back, and its replacement takes its place."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.errors import UsageError
from billing_assets.runs import checks, lifecycle, reissue
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.pipeline.closing import Books, Obj

FEBRUARY = datetime(2024, 2, 3, tzinfo=UTC)
MARCH, LATER = datetime(2024, 3, 3, tzinfo=UTC), datetime(2024, 3, 9, tzinfo=UTC)


def catalog(price: str = "2", **terms: Any) -> Obj:
    contract = {"id": "c", "customer_id": "u", "rate_card_id": "card", "starting_at": "2024-01-01", **terms}
    access = [{"amount": 15, "starting_at": "2024-01-01", "ending_before": "2024-02-01"}]
    return {
        "settings": {"starting_at": "2024-01-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": "SUM", "aggregation_key": "v"}],
        "products": [
            {"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"},
            {"id": "fee", "name": "fee", "type": "FIXED"},
        ],
        "rate_cards": [
            {
                "id": "card",
                "rates": [{"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT", "price": price}],
            }
        ],
        "customers": [{"id": "u", "name": "u"}],
        "contracts": [contract | {"credits": [{"id": "free", "product_id": "fee", "access_schedule": access}]}],
    }


def used(number: int, at: str, value: int) -> Obj:
    return {
        "transaction_id": f"t{number}", "customer_id": "u", "event_type": "e", "timestamp": at,
        "properties": {"v": value},
    }  # fmt: skip


def invoice(books: Books, **where: Any) -> dict[str, Any]:
    [found] = books.lake.scan("invoices").filter(**where).collect().to_dicts()
    return dict(found)


def ledger(books: Books) -> list[tuple[str, Decimal]]:
    rows = books.lake.scan("ledger_entries").sort("batch_no", "entry_type").collect()
    return [(row["entry_type"], row["amount"]) for row in rows.to_dicts()]


def decided(now: datetime) -> lifecycle.Decision:
    return lifecycle.Decision("wrong price", "tester", now)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """January, final and sealed: 10 x 2 = 20, of which 15 are covered by a credit; 4 more are used in February."""
    found = Books.open(tmp_path, catalog())
    found.receive({"1.jsonl": [used(1, "2024-01-05T00:00:00Z", 10)]}, FEBRUARY)
    found.close(FEBRUARY)
    return found


def test_a_void_takes_back_what_was_drawn_and_its_replacement_draws_again(books: Books) -> None:
    wrong = invoice(books, close_month="2024-01")
    assert wrong["total"] == 5
    reissue.void(books.lake, books.catalog, wrong, decided(MARCH))
    void = invoice(books, invoice_id=wrong["invoice_id"])
    changed = {name for name in wrong if wrong[name] != void[name]}
    assert changed == {"status", "voided_at", "void_reason"}
    assert ledger(books) == [("DEDUCTION", -15), ("GRANT", 15), ("VOID_REVERSAL", 15)]

    cheaper = books.with_catalog(catalog("1"))
    closed = cheaper.close(MARCH)
    # no close issues the replacement by itself, and none waits for it
    assert closed.invoices.filter(close_month="2024-02")["status"].to_list() == ["FINALIZED"]
    [draft] = cheaper.lake.scan("draft_invoices").filter(close_month="2024-01").collect().to_dicts()
    assert (draft["total"], draft["replaces_invoice_id"]) == (0, wrong["invoice_id"])
    assert "VOIDED" in draft["hold_reasons"]

    reissue.regenerate(cheaper.lake, cheaper.catalog, void, decided(LATER))
    right = invoice(cheaper, close_month="2024-01", status="FINALIZED")
    # 10 x 1, all of it covered; the rest of the credit expires
    assert (right["total"], right["regeneration"], right["replaces_invoice_id"]) == (0, 1, wrong["invoice_id"])
    assert right["invoice_number"] == "INV-2024-000003"
    assert invoice(cheaper, invoice_id=wrong["invoice_id"])["replaced_by_invoice_id"] == right["invoice_id"]
    assert ledger(cheaper)[-2:] == [("DEDUCTION", -10), ("EXPIRATION", -5)]
    assert [one.invariant.name for one in checks.check_lake(cheaper.lake) if one.discrepancies.height] == []


def test_what_cannot_be_voided_is_refused(books: Books) -> None:
    wrong = invoice(books, close_month="2024-01")
    books.receive({"2.jsonl": [used(2, "2024-01-20T00:00:00Z", 7)]}, MARCH)
    books.close(MARCH)
    with pytest.raises(UsageError, match="INV-2024-000002 bills late usage of it"):
        reissue.void(books.lake, books.catalog, wrong, decided(MARCH))
    reissue.void(books.lake, books.catalog, invoice(books, close_month="2024-02"), decided(MARCH))
    reissue.void(books.lake, books.catalog, wrong, decided(MARCH))
    with pytest.raises(UsageError, match="is void already"):
        reissue.void(books.lake, books.catalog, invoice(books, close_month="2024-01"), decided(LATER))


def test_what_is_not_void_is_not_replaced(books: Books) -> None:
    with pytest.raises(UsageError, match="is not void"):
        reissue.regenerate(books.lake, books.catalog, invoice(books, close_month="2024-01"), decided(MARCH))


class Stopped(Exception):
    """The process is gone."""


@pytest.mark.parametrize("instant", ["ledger_entries/after", "invoices/before", "invoices/after"])
def test_a_void_that_was_interrupted_is_finished_by_who_comes_next(
    books: Books, instant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(step: WriteStep) -> None:
        if f"{step.table}/{step.instant}" == instant:
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "on_write", staticmethod(stop))
        with pytest.raises(Stopped):
            reissue.void(Lake(books.lake.root), books.catalog, invoice(books, close_month="2024-01"), decided(MARCH))
    books.close(MARCH)
    void = invoice(books, close_month="2024-01")
    assert (void["status"], void["void_reason"], void["voided_at"]) == ("VOID", "wrong price", MARCH)
    assert ledger(books) == [("DEDUCTION", -15), ("GRANT", 15), ("VOID_REVERSAL", 15)]
    assert [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height] == []


def promised(committed: str = "100", price: str = "2") -> Obj:
    """Nothing but a commit of January that is paid for where it is not consumed."""
    access = [{"amount": committed, "starting_at": "2024-01-01", "ending_before": "2024-02-01"}]
    schedule = [{"amount": committed, "timestamp": "2024-02-01"}]
    terms = {"id": "post", "product_id": "fee", "type": "POSTPAID", "access_schedule": access}
    found = catalog(price)
    del found["contracts"][0]["credits"]
    found["contracts"][0]["commits"] = [terms | {"invoice_schedule": schedule}]
    return found


@pytest.fixture
def committed(tmp_path: Path) -> Books:
    """January, final and sealed: 10 x 2 = 20 of a postpaid commit of 100, so that a true-up charges 80."""
    found = Books.open(tmp_path, promised())
    found.receive({"1.jsonl": [used(1, "2024-01-05T00:00:00Z", 10)]}, FEBRUARY)
    found.close(FEBRUARY)
    assert invoice(found, invoice_type="TRUEUP")["total"] == 80
    return found


def sums_of(books: Books) -> dict[str, list[Decimal]]:
    """Totals of the invoices that stand, by type, in the order in which they were issued."""
    rows = books.lake.scan("invoices").filter(status="FINALIZED").sort("number_sequence").collect()
    found = rows.group_by("invoice_type", maintain_order=True).agg("total")
    return {kind: totals for kind, totals in found.rows() if kind == "TRUEUP" or any(totals)}


def broken(books: Books) -> list[str]:
    return [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height]


def test_a_true_up_is_voided_and_charged_again(committed: Books) -> None:
    wrong = invoice(committed, invoice_type="TRUEUP")
    reissue.void(committed.lake, committed.catalog, wrong, decided(MARCH))
    assert ledger(committed)[-1] == ("VOID_REVERSAL", 80)
    books = committed.with_catalog(promised("50"))
    books.close(MARCH)
    [draft] = books.lake.scan("draft_invoices").filter(invoice_type="TRUEUP").collect().to_dicts()
    assert (draft["total"], draft["regeneration"], draft["replaces_invoice_id"]) == (30, 1, wrong["invoice_id"])

    reissue.regenerate(books.lake, books.catalog, invoice(books, status="VOID"), decided(LATER))
    assert sums_of(books)["TRUEUP"] == [30]
    assert sum(amount for _, amount in ledger(books)) == 0
    assert broken(books) == []
    books.close(LATER)
    assert sums_of(books)["TRUEUP"] == [30]


def test_what_a_replacement_leaves_of_a_commit_is_charged_beside_its_true_up(committed: Books) -> None:
    usage = invoice(committed, invoice_type="USAGE", close_month="2024-01")
    reissue.void(committed.lake, committed.catalog, usage, decided(MARCH))
    books = committed.with_catalog(promised(price="1"))
    books.close(MARCH)
    assert sums_of(books)["TRUEUP"] == [80]  # the rest may still be drawn by the replacement

    reissue.regenerate(books.lake, books.catalog, invoice(books, status="VOID"), decided(LATER))
    books.close(LATER)
    assert sums_of(books)["TRUEUP"] == [80, 10]
    assert invoice(books, invoice_type="TRUEUP", total=Decimal(10))["invoice_date"] == MARCH.date()
    assert sum(amount for _, amount in ledger(books)) == 0
    assert broken(books) == []


def test_a_replacement_that_comes_to_the_same_has_no_further_true_up(committed: Books) -> None:
    usage = invoice(committed, invoice_type="USAGE", close_month="2024-01")
    reissue.void(committed.lake, committed.catalog, usage, decided(MARCH))
    committed.close(MARCH)
    reissue.regenerate(committed.lake, committed.catalog, invoice(committed, status="VOID"), decided(LATER))
    committed.close(LATER)
    assert sums_of(committed)["TRUEUP"] == [80]
    assert sum(amount for _, amount in ledger(committed)) == 0
    assert broken(committed) == []
