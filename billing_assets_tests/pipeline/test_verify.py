"""Final invoices are computed again from their watermarks, whatever became of the lake; what was altered shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from billing_assets import runs
from billing_assets.columns import DECIMAL
from billing_assets.runs import reissue
from billing_assets.runs.lifecycle import Decision
from billing_assets.runs.verify import verify
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake
from billing_assets_tests.pipeline.closing import Books, Obj

FEBRUARY, MARCH, LATER = (datetime(2024, *day, tzinfo=UTC) for day in ((2, 3), (3, 3), (3, 9)))


def catalog(price: str) -> Obj:
    """One customer, with a prepaid commit of 30."""
    since = {"starting_at": "2024-01-01"}
    commit = {
        "id": "prepaid", "type": "PREPAID", "product_id": "fee", "priority": 1,
        "access_schedule": [{"amount": 30, "starting_at": "2024-01-01", "ending_before": "2025-01-01"}],
    }  # fmt: skip
    return {
        "settings": {**since, "currency": "USD", "backdating_window": "none"},
        "billable_metrics": [{"id": "m", "aggregation_type": "SUM", "aggregation_key": "v"}],
        "products": [
            {"id": "p", "name": "p", "type": "USAGE", "billable_metric_id": "m"},
            {"id": "fee", "name": "fee", "type": "FIXED"},
        ],
        "rate_cards": [
            {"id": "card", "rates": [{"product_id": "p", **since, "rate_type": "FLAT", "price": price}]}
        ],
        "customers": [{"id": "acme", "name": "Acme"}],
        "contracts": [{"id": "acme", "customer_id": "acme", "rate_card_id": "card", **since, "commits": [commit]}],
    }  # fmt: skip


def used(number: int, day: str, value: int) -> Obj:
    return {
        "transaction_id": f"t{number}", "customer_id": "acme", "event_type": "e",
        "timestamp": f"{day}T00:00:00Z", "properties": {"v": value},
    }  # fmt: skip


def everything(lake: Lake) -> tuple[int, list[dict[str, Any]]]:
    """The number of final invoices, and what differs of them."""
    found = verify(lake)
    return found.invoices.height, found.differences.to_dicts()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """January 25 of the commit; late usage, February, a corrected price, and a void and its replacement."""
    books = Books.open(tmp_path_factory.mktemp("verify"), catalog("1"))
    books.receive({"1.jsonl": [used(1, "2024-01-05", 25)]}, FEBRUARY)
    books.close(FEBRUARY)
    books = books.with_catalog(catalog("2"))
    books.receive({"2.jsonl": [used(2, "2024-01-06", 3), used(3, "2024-02-05", 4)]}, MARCH)
    books.close(MARCH)
    decision = Decision("ticket 4711", "tester", LATER)
    [mine] = books.lake.scan("invoices").filter(close_month="2024-02").collect().to_dicts()
    reissue.void(books.lake, books.catalog, mine, decision)
    [void] = books.lake.scan("invoices").filter(invoice_id=mine["invoice_id"]).collect().to_dicts()
    reissue.regenerate(books.lake, books.catalog, void, decision)
    return books


def test_equal_after_compaction_vacuum_and_a_copy(lived: Books, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(lived.lake.root, copied)
    for table in sorted(path.name for path in copied.iterdir() if path.name in TABLES):
        stored = DeltaTable(str(copied / table))
        stored.optimize.compact()
        stored.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    for metered in ("usage_states", "usage_values", "metered_slices"):
        shutil.rmtree(copied / metered, ignore_errors=True)
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    assert everything(Lake(str(copied))) == (3, [])
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def altered(lived: Books, root: Path, table: str, edit: Callable[[pl.DataFrame], pl.DataFrame]) -> Lake:
    """A copy of the lake of which somebody has written one table anew."""
    shutil.copytree(lived.lake.root, root)
    rows = edit(pl.read_delta(str(root / table)))
    shutil.rmtree(root / table)
    write_deltalake(str(root / table), rows)
    return Lake(str(root))


def put(column: str, value: pl.Expr, where: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.with_columns(pl.when(where).then(value).otherwise(column).alias(column))


@pytest.mark.parametrize(
    ("table", "edit", "expected"),
    [
        ("line_items", put("amount", pl.lit(4).cast(DECIMAL), pl.col("line_type") == "late_usage"), "amount"),
        ("invoices", put("total", pl.lit(99).cast(DECIMAL), pl.col("status") == "VOID"), "total"),
        ("events", put("customer_ref", pl.lit("nobody"), pl.col("transaction_id") == "t1"), "subtotal"),
        ("ledger_entries", lambda rows: rows.filter(pl.col("entry_type") != "DEDUCTION"), None),
        ("invoices", lambda rows: rows.filter(pl.col("status") != "VOID"), None),
        ("line_items", lambda rows: pl.concat([rows, rows.head(1)]), None),
        ("month_closes", put("control_totals", pl.lit("{}"), pl.col("close_month") == "2024-01"), "control_totals"),
    ],
)
def test_what_was_altered_is_named(
    lived: Books, tmp_path: Path, table: str, edit: Callable[[pl.DataFrame], pl.DataFrame], expected: str | None
) -> None:
    _, found = everything(altered(lived, tmp_path / "lake", table, edit))
    of_table = "invoices" if table == "events" else table
    assert (of_table, expected) in {(row["table"], row["column"]) for row in found}
    assert all(row["recorded"] != row["recomputed"] for row in found)


def test_a_month_that_is_finalized_with_a_later_one_has_its_usage_listed(tmp_path: Path) -> None:
    """January draws on the commit before February, and is finalized with it."""
    books = Books.open(tmp_path, catalog("1"))
    books.receive({"1.jsonl": [used(1, "2024-01-05", 25), used(2, "2024-02-05", 4)]}, MARCH)
    books.meter(MARCH)
    runs.rate_month(books.lake, books.catalog, "2024-02", MARCH)
    runs.finalize(books.lake, books.catalog, "2024-02", MARCH, "test")
    assert sorted(books.lake.scan("invoices").collect()["close_month"]) == ["2024-01", "2024-02"]
    runs.rate_month(books.lake, books.catalog, "2024-01", MARCH)
    assert sorted(books.lake.scan("usage").collect()["month"]) == ["2024-01", "2024-02"]


def test_a_catalog_without_metrics_is_drafted(tmp_path: Path) -> None:
    books = Books.open(tmp_path, {"settings": catalog("1")["settings"]})
    books.receive({"1.jsonl": [used(1, "2024-01-05", 25)]}, FEBRUARY)
    assert books.close(FEBRUARY).invoices.is_empty()


def test_one_month_alone_is_equal_though_its_metric_was_another_when_its_late_usage_was_new(tmp_path: Path) -> None:
    """February, by a metric that counts other events, bills what came late of January."""
    books = Books.open(tmp_path, catalog("1"))
    books.receive({"1.jsonl": [used(1, "2024-01-05", 35)]}, FEBRUARY)
    books.close(FEBRUARY)
    edited = dict(catalog("1"))
    edited["billable_metrics"] = [{"id": "m", "aggregation_type": "MAX", "aggregation_key": "v"}]
    books = books.with_catalog(edited)
    books.receive({"2.jsonl": [used(2, "2024-01-06", 3), used(3, "2024-02-05", 4), used(4, "2024-02-06", 4)]}, MARCH)
    books.close(MARCH)
    found = verify(books.lake, month="2024-02")
    assert found.invoices["total"].to_list() == [7]
    assert found.differences.is_empty()
