"""Sentences with values."""

from __future__ import annotations

import polars as pl
import pytest

from billing_assets.wording import worded

ROWS = pl.LazyFrame({"file": ["a.jsonl", None, "b{}.jsonl"], "line": [3, 4, 5]})


def test_values_stand_in_their_places_and_null_makes_null() -> None:
    found = ROWS.select(worded("[{}:{}]", "file", pl.col("line") + 1)).collect().to_series().to_list()
    assert found == ["[a.jsonl:4]", None, "[b{}.jsonl:6]"]


def test_a_chunk_that_a_filter_empties_has_no_sentences() -> None:
    chunks = pl.concat([ROWS.filter(pl.col("line") == line) for line in (3, 9, 5)], rechunk=False)
    assert chunks.select(worded("{}", "line")).collect().to_series().to_list() == ["3", "5"]


def test_places_and_values_must_agree() -> None:
    with pytest.raises(ValueError, match="places for 1 values, found 2"):
        worded("{}", "file", "line")
