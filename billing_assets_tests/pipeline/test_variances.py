"""What final invoices would be now, by cause; and how a person has it billed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.cli.explain_line import Check, explain_line
from billing_assets.errors import UsageError
from billing_assets.rating import lines as rated
from billing_assets.runs import carry, checks, inputs, reissue
from billing_assets.runs.explained import explained
from billing_assets.runs.lifecycle import Decision
from billing_assets_tests.pipeline.closing import Books, Obj

FEBRUARY, LATER, MARCH, APRIL = (
    datetime(2024, 2, 3, tzinfo=UTC),
    datetime(2024, 2, 9, tzinfo=UTC),
    datetime(2024, 3, 3, tzinfo=UTC),
    datetime(2024, 4, 3, tzinfo=UTC),
)


def catalog(price: str = "1", moved: str = "acme", policy: str = "CARRY_FORWARD", aggregation: str = "SUM") -> Obj:
    """Two customers at one price, a third at another card; `moved` has the reference `shared`."""
    card = {"product_id": "p", "starting_at": "2024-01-01", "rate_type": "FLAT"}
    names = ("acme", "beta", "other")
    return {
        "settings": {"starting_at": "2024-01-01", "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": aggregation, "aggregation_key": "v"}],
        "products": [{"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"}],
        "rate_cards": [
            {"id": "card", "rates": [card | {"price": price}]},
            {"id": "apart", "rates": [card | {"price": "7"}]},
        ],
        "customers": [
            {"id": name, "name": name} | ({"ingest_aliases": ["shared"]} if name == moved else {}) for name in names
        ],
        "contracts": [
            {"id": name, "customer_id": name, "rate_card_id": "apart" if name == "other" else "card",
             "starting_at": "2024-01-01", "late_usage": policy}
            for name in names
        ],
    }  # fmt: skip


def used(customer: str, number: int, value: int, at: str = "2024-01-05") -> Obj:
    return {
        "transaction_id": f"{customer}{number}", "customer_id": customer, "event_type": "e",
        "timestamp": f"{at}T00:00:00Z", "properties": {"v": value},
    }  # fmt: skip


def decided(now: datetime) -> Decision:
    return Decision("ticket 4711", "tester", now)


def listed(books: Books) -> list[tuple[Any, ...]]:
    """(customer, cause, finalized, would be, carried, outstanding)."""
    invoices = books.lake.scan("invoices").select("invoice_id", "customer_id")
    rows = books.lake.scan("invoice_variances").join(invoices, on="invoice_id")
    figures = ("finalized", "recomputed", "carried", "outstanding")
    return sorted(
        (row["customer_id"], row["cause"], *(int(row[name]) for name in figures)) for row in rows.collect().to_dicts()
    )


def totals(books: Books, month: str) -> dict[str, Decimal]:
    rows = books.lake.scan("invoices").filter(close_month=month).select("customer_id", "total")
    return dict(sorted(rows.collect().iter_rows()))


def invoice(books: Books, customer: str, month: str = "2024-01") -> dict[str, Any]:
    [row] = books.lake.scan("invoices").filter(close_month=month, customer_id=customer).collect().to_dicts()
    return dict(row)


def sound(books: Books) -> bool:
    return [one.invariant.name for one in checks.check_lake(books.lake) if one.discrepancies.height] == []


def explained_late(books: Books, row: dict[str, Any]) -> list[Check]:
    """What `billing explain` compares of the late lines of an invoice."""
    lines = books.lake.scan("line_items").filter(invoice_id=row["invoice_id"]).collect()
    found = explained(books.lake, row, lines)
    made = [explain_line(line, lines.to_dicts(), found) for line in lines.filter(line_type="late_usage").to_dicts()]
    return [check for one in made for check in one.checks]


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """January is final: acme 10 + 5 of `shared`, beta 20, other 1 @ 7."""
    found = Books.open(tmp_path, catalog())
    rows = [used("acme", 1, 10), used("shared", 1, 5), used("beta", 1, 20), used("other", 1, 1)]
    found.receive({"1.jsonl": rows}, FEBRUARY)
    found.close(FEBRUARY)
    assert totals(found, "2024-01") == {"acme": 15, "beta": 20, "other": 7}
    assert listed(found) == []
    return found


def test_a_corrected_price_is_listed_and_billed_only_when_a_person_says_so(books: Books) -> None:
    dearer = books.with_catalog(catalog(price="3"))
    dearer.receive({"2.jsonl": [used("acme", 2, 4), used("acme", 3, 1, "2024-02-05")]}, LATER)
    dearer.close(LATER)
    expected = [
        ("acme", "CATALOG", 19, 57, 0, 38),
        ("acme", "LATE_EVENT", 15, 19, 0, 4),
        ("beta", "CATALOG", 20, 60, 0, 40),
    ]
    assert listed(dearer) == expected
    assert totals(dearer, "2024-01") == {"acme": 15, "beta": 20, "other": 7}

    found = carry.to_carry(dearer.lake, dearer.catalog, invoice(books, "acme"), decided(LATER))
    assert found["outstanding"].to_list() == [38, 4]
    carry.carry(dearer.lake, dearer.catalog, invoice(books, "acme"), decided(LATER))
    assert listed(dearer) == expected
    dearer.close(MARCH)
    assert totals(dearer, "2024-02") == {"acme": 3 + 38 + 4, "beta": 0, "other": 0}
    checks_of_late = explained_late(dearer, invoice(dearer, "acme", "2024-02"))
    assert [(check.what, int(check.stated), check.holds) for check in checks_of_late] == [
        ("amount of the late usage", 42, True)
    ]
    assert listed(dearer) == [
        ("acme", "CATALOG", 19, 57, 38, 0),
        ("acme", "LATE_EVENT", 15, 19, 4, 0),
        ("beta", "CATALOG", 20, 60, 0, 40),
    ]

    # what comes late of it now has the price that was carried, once
    dearer.receive({"3.jsonl": [used("acme", 4, 1)]}, MARCH)
    dearer.close(APRIL)
    assert totals(dearer, "2024-03") == {"acme": 3, "beta": 0, "other": 0}
    assert sound(dearer)


@pytest.mark.long
def test_what_was_carried_is_taken_back_by_the_catalog_that_was_right(books: Books) -> None:
    dearer = books.with_catalog(catalog(price="3"))
    dearer.close(LATER)
    carry.carry(dearer.lake, dearer.catalog, invoice(books, "beta"), decided(LATER))
    dearer.close(MARCH)
    assert totals(dearer, "2024-02")["beta"] == 40
    again = books.with_catalog(catalog(price="1"))
    carry.carry(again.lake, again.catalog, invoice(books, "beta"), decided(MARCH))
    again.close(APRIL)
    assert totals(again, "2024-03")["beta"] == -40


@pytest.mark.long
def test_a_reference_that_moved_is_listed_on_both_sides(books: Books) -> None:
    moved = books.with_catalog(catalog(moved="beta"))
    moved.close(LATER)
    assert listed(moved) == [("acme", "ATTRIBUTION", 15, 10, 0, -5), ("beta", "ATTRIBUTION", 20, 25, 0, 5)]
    carry.carry(moved.lake, moved.catalog, invoice(books, "acme"), decided(LATER))
    carry.carry(moved.lake, moved.catalog, invoice(books, "beta"), decided(LATER))
    moved.close(MARCH)
    assert totals(moved, "2024-02") == {"acme": -5, "beta": 5, "other": 0}
    assert {row[-1] for row in listed(moved)} == {0}


def test_what_cannot_be_carried_is_refused(books: Books) -> None:
    mine = invoice(books, "acme")
    with pytest.raises(UsageError, match="has nothing to carry: by the catalog of now it would be the same"):
        carry.to_carry(books.lake, books.catalog, mine, decided(LATER))
    anew = books.with_catalog(catalog(aggregation="MAX"))
    with pytest.raises(UsageError, match="has usage of acme in another currency, or measures it in a way that is not"):
        carry.to_carry(anew.lake, anew.catalog, mine, decided(LATER))
    reissue.void(books.lake, books.catalog, mine, decided(LATER))
    with pytest.raises(UsageError, match="is void; its replacement is by the catalog of now"):
        carry.to_carry(books.lake, books.catalog, invoice(books, "acme"), decided(LATER))


def test_a_metric_that_was_redefined_is_compared_and_carried(books: Books) -> None:
    """Its states of closed periods are metered with the next close; acme had 10 and 5, of which 10 is the largest."""
    anew = books.with_catalog(catalog(aggregation="MAX"))
    anew.close(LATER)
    assert listed(anew) == [("acme", "CATALOG", 15, 10, 0, -5)]
    carry.carry(anew.lake, anew.catalog, invoice(books, "acme"), decided(LATER))
    anew.receive({"2.jsonl": [used("acme", 2, 12)]}, LATER)
    anew.close(MARCH)
    assert totals(anew, "2024-02") == {"acme": -3, "beta": 0, "other": 0}
    assert listed(anew) == [("acme", "CATALOG", 27, 12, -15, 0), ("acme", "LATE_EVENT", 15, 27, 12, 0)]
    assert sound(anew)


def test_late_usage_of_a_void_invoice_is_billed_again_though_another_had_billed_more_since(books: Books) -> None:
    books.receive({"2.jsonl": [used("acme", 2, 4)]}, LATER)
    books.close(MARCH)
    books.receive({"3.jsonl": [used("acme", 3, 1)]}, MARCH)
    books.close(APRIL)
    assert (totals(books, "2024-02")["acme"], totals(books, "2024-03")["acme"]) == (4, 1)
    mine = invoice(books, "acme", "2024-02")
    reissue.void(books.lake, books.catalog, mine, decided(APRIL))
    [void] = books.lake.scan("invoices").filter(invoice_id=mine["invoice_id"]).collect().to_dicts()
    again = reissue.regenerate(books.lake, books.catalog, void, decided(APRIL))
    assert again.rows["invoices"]["total"].to_list() == [4]


def test_a_reference_that_moves_after_its_late_usage_was_billed_is_listed_whole_on_both_sides(books: Books) -> None:
    """Found by the six-month histories: what had been carried stayed with the one, and the other, whose invoice had
    been issued again meanwhile, lacked all of it."""
    books.receive({"2.jsonl": [used("shared", 9, 6)]}, LATER)
    books.close(MARCH)
    assert totals(books, "2024-02")["acme"] == 6
    reissue.void(books.lake, books.catalog, invoice(books, "beta"), decided(MARCH))
    reissue.regenerate(books.lake, books.catalog, invoice(books, "beta"), decided(MARCH))
    moved = books.with_catalog(catalog(moved="beta"))
    moved.close(APRIL)
    assert listed(moved) == [("acme", "ATTRIBUTION", 21, 10, 0, -11), ("beta", "ATTRIBUTION", 20, 31, 0, 11)]
    assert totals(moved, "2024-03") == {"acme": 0, "beta": 0, "other": 0}
    assert sound(moved)


def test_what_the_new_customer_was_billed_late_says_nothing_of_what_the_old_one_was(books: Books) -> None:
    """Found by the six-month histories: both were billed in one batch, and what beta has billed of its own since by a
    catalog where `shared` is beta's was taken for acme's, with the events of `shared` up to then."""
    moved = books.with_catalog(catalog(moved="beta"))
    moved.receive({"2.jsonl": [used("shared", 9, 6), used("acme", 2, 2), used("beta", 2, 3)]}, LATER)
    moved.close(MARCH)
    assert totals(moved, "2024-02") == {"acme": 2, "beta": 3, "other": 0}
    moved.receive({"3.jsonl": [used("acme", 3, 1)]}, MARCH)
    moved.close(APRIL)
    assert totals(moved, "2024-03") == {"acme": 1, "beta": 0, "other": 0}
    assert [row for row in listed(moved) if row[1] == "ATTRIBUTION"] == [
        ("acme", "ATTRIBUTION", 18, 13, 0, -5),
        ("beta", "ATTRIBUTION", 23, 34, 0, 11),
    ]
    assert sound(moved)


def test_a_correction_is_voided_and_issued_again_months_later(tmp_path: Path) -> None:
    """Found by the six-month histories: its replacement is dated by the run, not by the month of the void one."""
    books = Books.open(tmp_path, catalog(policy="CORRECTION"))
    books.receive({"1.jsonl": [used("acme", 1, 10)]}, FEBRUARY)
    books.close(FEBRUARY)
    books.receive({"2.jsonl": [used("acme", 2, 4)]}, LATER)
    books.close(LATER)
    [wrong] = books.lake.scan("invoices").filter(invoice_type="CORRECTION").collect().to_dicts()
    assert (wrong["total"], wrong["close_month"]) == (4, "2024-02")
    reissue.void(books.lake, books.catalog, wrong, decided(LATER))
    books.close(APRIL)
    assert totals(books, "2024-03") == {"acme": 0, "beta": 0, "other": 0}
    [void] = books.lake.scan("invoices").filter(status="VOID").collect().to_dicts()
    reissue.regenerate(books.lake, books.catalog, void, decided(APRIL))
    assert totals(books, "2024-04") == {"acme": 4}
    assert sound(books)


def test_what_another_engine_would_have_billed_is_listed_and_billed_only_when_a_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """January was made by an engine that took half of beta's price; late usage is by the price of this one."""
    right = rated.describe

    def halved(priced: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
        part = pl.when(pl.col("customer_id") == "beta").then(Decimal("0.5")).otherwise(Decimal(1))
        names = ("unit_price", "list_unit_price", "amount", "list_amount", "net")
        return right(priced, versions).with_columns(pl.col(name) * part for name in names)

    credit = {"product_id": "gift", "priority": 1, "access_schedule": [
        {"starting_at": "2024-01-01", "ending_before": "2025-01-01", "amount": "4"}]}  # fmt: skip
    content = dict(catalog())
    content["products"] = [*content["products"], {"id": "gift", "name": "gift", "type": "FIXED"}]
    content["contracts"] = [one | {"credits": [credit | {"id": f"gift-{one['id']}"}]} for one in content["contracts"]]
    books = Books.open(tmp_path, content)
    books.receive({"1.jsonl": [used("acme", 1, 10), used("beta", 1, 20), used("other", 1, 1)]}, FEBRUARY)
    with monkeypatch.context() as older:
        older.setattr(rated, "describe", halved)
        books.close(FEBRUARY)
    assert totals(books, "2024-01") == {"acme": 6, "beta": 6, "other": 3}
    assert listed(books) == []  # an engine of the same version is taken for the same: `billing verify` compares

    monkeypatch.setattr(inputs, "__version__", "0.2.0")
    books.receive({"2.jsonl": [used("beta", 2, 3)]}, LATER)
    books.close(LATER)
    assert listed(books) == [("beta", "ENGINE", 10, 20, 0, 10), ("beta", "LATE_EVENT", 20, 23, 0, 3)]
    found = carry.to_carry(books.lake, books.catalog, invoice(books, "beta"), decided(LATER))
    assert found.select("cause", "outstanding").rows() == [("ENGINE", 10), ("LATE_EVENT", 3)]
    carry.carry(books.lake, books.catalog, invoice(books, "beta"), decided(LATER))
    books.close(MARCH)
    assert totals(books, "2024-02") == {"acme": 0, "beta": 13, "other": 0}
    assert listed(books) == [("beta", "ENGINE", 10, 20, 10, 0), ("beta", "LATE_EVENT", 20, 23, 3, 0)]
    with pytest.raises(UsageError, match="has nothing to carry"):
        carry.to_carry(books.lake, books.catalog, invoice(books, "acme"), decided(MARCH))
    assert sound(books)
