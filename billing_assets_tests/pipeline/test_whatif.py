"""Another catalog over open drafts, and over history; the lake stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.catalog import Catalog
from billing_assets.runs import whatif
from billing_assets_tests.pipeline.closing import Books, write_catalog
from billing_assets_tests.pipeline.test_verify import catalog, used

FEBRUARY, MARCH, APRIL = (datetime(2024, month, 3, tzinfo=UTC) for month in (2, 3, 4))


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The commit has 30: January uses 25 @ 1, February 4 and one that came late; March is open with 6."""
    books = Books.open(tmp_path_factory.mktemp("whatif"), catalog("1"))
    books.receive({"1.jsonl": [used(1, "2024-01-05", 25)]}, FEBRUARY)
    books.close(FEBRUARY)
    books.receive({"2.jsonl": [used(2, "2024-01-06", 1), used(3, "2024-02-05", 4)]}, MARCH)
    books.close(MARCH)
    books.receive({"3.jsonl": [used(4, "2024-03-02", 6)]}, MARCH)
    return books


def another(root: Path, price: str, aggregation: str = "SUM") -> Catalog:
    edited = dict(catalog(price))
    edited["billable_metrics"] = [{"id": "m", "aggregation_type": aggregation, "aggregation_key": "v"}]
    return write_catalog(edited, root / "other")


def files(books: Books) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(books.lake.root).rglob("*")}


def figures(rows: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return rows.select("product_id", *(pl.col(name).cast(pl.Int64) for name in names)).rows()


def test_drafts_by_another_catalog(books: Books, tmp_path: Path) -> None:
    """Of the commit nothing is left: 30 - 25 - 5. March is 6 @ 1, and by the other catalog 6 @ 3."""
    before = files(books)
    found = whatif.diff(books.lake, books.catalog, another(tmp_path, "3"), MARCH)
    assert figures(found.lines, "before", "after", "difference") == [("p", 6, 18, 12)]
    assert found.invoices.select("total", "total_after").rows() == [(Decimal(6), Decimal(18))]
    # what only the other one measures is metered, and not in the lake
    largest = whatif.diff(books.lake, books.catalog, another(tmp_path, "3", "MAX"), MARCH)
    assert figures(largest.lines, "after") == [("p", 18)]
    assert whatif.diff(books.lake, books.catalog, books.catalog, MARCH).lines.is_empty()
    assert files(books) == before


def test_history_by_another_catalog(books: Books, tmp_path: Path) -> None:
    """By 2 a unit January is 52, of which the commit pays 30, and February 8; as billed, the commit paid for all."""
    before = files(books)
    told: list[str] = []
    found = whatif.simulate(books.lake, another(tmp_path, "2"), ("2024-01", "2024-02"), APRIL, told.append)
    assert figures(found, "billed", "simulated", "difference") == [("p", 0, 30, 30)]
    assert told == ["2024-01", "2024-02"]
    of_february = whatif.simulate(books.lake, another(tmp_path, "2"), ("2024-02", "2024-02"), APRIL)
    assert figures(of_february, "billed", "simulated", "difference") == [("p", 0, 8, 8)]
    assert files(books) == before
