"""What is recorded of an invoice says what its lines were before balances: an engine that computes as the one that made
it has nothing to list.

By default of one timeline, which others close too. `python -m billing_assets_tests.scenarios.test_engines` closes and
compares every scenario.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from billing_assets.runs.billing import draft
from billing_assets.runs.inputs import watermarks
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.scenarios.running import SCENARIOS, Close, at, close_all

LATE = ("2026-02-03", "2026-03-03")


@pytest.mark.long
@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_an_engine_that_computes_the_same_has_no_variances(closes: tuple[str, ...], books_of: Close) -> None:
    _assert_same(books_of(closes).books, closes)


def _assert_same(books: Books, closes: tuple[str, ...]) -> None:
    now = at(closes[-1])
    marks = replace(watermarks(books.lake, books.catalog, now), engine_version="another")
    of_engines = draft(books.lake, books.catalog, now, marks)["invoice_variances"].filter(pl.col("cause") == "ENGINE")
    assert of_engines.to_dicts() == []


def main() -> None:
    for closes in sorted({one.closes for one in SCENARIOS}):
        with tempfile.TemporaryDirectory() as root:
            _assert_same(close_all(Path(root), [one for one in SCENARIOS if one.closes == closes]).books, closes)
        print(f"the same: {' '.join(closes)}", flush=True)


if __name__ == "__main__":
    main()
