"""`billing check`: tables hold what the committed batches say, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import write_deltalake

from billing_assets.runs.batch_gaps import batch_gaps
from billing_assets.runs.batches import begin, run
from billing_assets.runs.checks import check_lake
from billing_assets.storage.lake import Lake
from billing_assets_tests.runs.books import clock, finish, propose_month
from billing_assets_tests.storage.rows import rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    for month in ("2026-01", "2026-02"):
        run(lake, "books", propose_month(month), finish, clock=clock)
    return lake


def found(lake: Lake) -> list[tuple[object, ...]]:
    return batch_gaps(lake).select("batch_no", "table", "expected_rows", "found_rows").rows()


def test_a_lake_that_only_batches_wrote_has_no_gaps(lake: Lake) -> None:
    assert found(lake) == []
    assert found(Lake(lake.root + "-new")) == []


def test_rows_of_an_open_batch_are_listed(lake: Lake) -> None:
    batch = begin(lake, "books", propose_month("2026-03"), finish, clock=clock)
    assert batch is not None
    batch.write("line_items", rows("line_items", {"close_month": "2026-03", "line_type": "usage", "batch_no": 3}))
    assert found(lake) == [(3, "line_items", None, 1)]


def test_rows_that_someone_else_wrote_are_listed(lake: Lake) -> None:
    stranger = rows("invoices", {"invoice_type": "USAGE", "status": "FINALIZED", "batch_no": 2})
    write_deltalake(lake.uri("invoices"), stranger, mode="append")
    assert found(lake) == [(2, "invoices", 10, 11)]


def test_a_table_restored_to_an_earlier_version_is_listed(lake: Lake) -> None:
    table = lake.open("invoices")
    assert table is not None
    table.restore(1)
    assert found(lake) == [(2, "invoices", 10, 0)]


def test_the_check_of_a_lake_asks_for_gaps(lake: Lake) -> None:
    table = lake.open("invoices")
    assert table is not None
    table.restore(1)
    (whole,) = [one for one in check_lake(lake) if one.invariant.name == "batches_whole"]
    assert whole.discrepancies.equals(batch_gaps(lake))
    assert whole.discrepancies.height == 1
    assert not whole.invariant.warning
