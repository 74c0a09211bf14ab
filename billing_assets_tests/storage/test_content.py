"""The content hash: the same for the same rows, different for any other, and stable across releases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES
from billing_assets.storage.content import content_hash
from billing_assets.storage.passage import Passage
from billing_assets_tests.storage.rows import MIDNIGHT, events, rows

ENTRY = {
    "close_month": "2026-01",
    "entry_id": "le_1",
    "balance_id": "b",
    "entry_type": "GRANT",
    "amount": Decimal("1.5"),
}


def entries(*given: dict[str, Any]) -> pl.DataFrame:
    return rows("ledger_entries", *(ENTRY | one for one in given))


def hashed(frame: pl.DataFrame, table: str = "ledger_entries") -> str:
    return content_hash(TABLES[table], frame)


def test_golden_values() -> None:
    """A change here changes the recorded hash of every batch."""
    assert hashed(entries()) == "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
    assert hashed(entries({})) == "3c12a7e2672e7c21108f1d80ff45e6c0abf14e2a002cca669c493ee9920f4a46"
    assert hashed(events(3, 1), "events") == "5d4358e1d249c333589e00df3cf244b54dc1b9e8b61515b53a7c96f2d77040e8"


def test_the_order_of_rows_and_slices_is_irrelevant() -> None:
    frame = events(5000, 1)
    assert hashed(frame, "events") == hashed(frame.sample(fraction=1.0, shuffle=True, seed=1), "events")
    for way in (frame, frame.lazy(), frame.reverse().lazy()):
        assert Passage(TABLES["events"], way).hashed() == (5000, hashed(frame, "events"))


@pytest.mark.parametrize(
    "change",
    [
        {"amount": Decimal("1.500000000001")},
        {"reason": ""},
        {"reason": "\x1funit=1:x"},
        {"effective_at": MIDNIGHT + timedelta(microseconds=1)},
        {"batch_no": 2},
        {"customer_id": "x", "contract_id": None},
        {"customer_id": None, "contract_id": "x"},
    ],
)
def test_any_other_row_has_another_hash(change: dict[str, Any]) -> None:
    others = [{}, {"customer_id": "x", "contract_id": "x"}, {"customer_id": "xx"}]
    assert hashed(entries(change)) not in {hashed(entries(other)) for other in others}


def test_a_row_twice_is_not_a_row_once() -> None:
    assert hashed(entries({}, {})) != hashed(entries({}))


def test_history_can_be_left_out_and_promoted_columns_always_are() -> None:
    spec, frame = TABLES["events"], events(10, 1)
    later = frame.with_columns(ingest_batch=pl.lit(7, pl.Int64), arrived_at=pl.col("arrived_at") + timedelta(days=1))
    assert content_hash(spec, frame, HISTORY_COLUMNS) == content_hash(spec, later, HISTORY_COLUMNS)
    assert content_hash(spec, frame) != content_hash(spec, later)
    assert content_hash(spec, frame) == content_hash(spec, frame.drop("property_model", "number_tokens"))
