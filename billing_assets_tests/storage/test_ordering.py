"""Sorting by one number per row gives what sorting by the keys gives."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.columns import TIMESTAMP
from billing_assets.storage import ordering
from billing_assets.storage.ordering import in_order

SCHEMA = {"text": pl.String, "number": pl.Int64, "day": pl.Date, "at": TIMESTAMP, "row": pl.Int64}
KEYS = ["text", "number", "day", "at"]

row = st.tuples(
    st.none() | st.text(max_size=3) | st.sampled_from(["", "a", "Z", "é", "\U0001f600"]),
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2),
    st.none() | st.dates(date(2023, 1, 1), date(2023, 1, 3)),
    st.none() | st.integers(-2, 2).map(lambda hour: datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hour)),
)


@pytest.fixture(autouse=True)
def _of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "FEW", 0)


@settings(max_examples=100)
@given(st.lists(row, max_size=12))
def test_same_order_as_by_the_keys(drawn: list[tuple[object, ...]]) -> None:
    # Four of each, since keys that hardly repeat are not numbered; equal rows stay in their order.
    rows = pl.DataFrame([(*each, 0) for each in drawn * 4], schema=SCHEMA, orient="row")
    rows = rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    assert in_order(rows, KEYS).equals(rows.sort(KEYS, nulls_last=False, maintain_order=True))


@pytest.mark.parametrize("key", [pl.Series([2, 1], dtype=pl.Decimal(38, 12)), pl.Series([True, False])])
def test_keys_of_other_types_are_sorted_as_they_are(key: pl.Series) -> None:
    rows = pl.DataFrame({"key": pl.concat([key] * 10)})
    assert in_order(rows, ["key"])["key"].to_list() == sorted(rows["key"].to_list())


def test_keys_that_do_not_repeat_or_do_not_fit_in_one_number_are_sorted_as_they_are() -> None:
    many = pl.DataFrame({f"key_{name}": pl.int_range(399, -1, -1, eager=True) // 8 for name in range(12)})
    assert in_order(many, many.columns).equals(many.sort(many.columns))
    single = pl.DataFrame({"key": ["b", "a", "c"]})
    assert in_order(single, ["key"])["key"].to_list() == ["a", "b", "c"]
