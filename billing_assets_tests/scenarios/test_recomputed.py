"""Final invoices computed again: from their watermarks they are equal, and by another engine that computes the same
there is nothing to list, since what is recorded of a line says what it was before balances.

By default nothing; with `-m long` one timeline, which others close too. `python -m
billing_assets_tests.scenarios.test_recomputed` closes and compares every scenario.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from billing_assets.runs.billing import draft
from billing_assets.runs.inputs import watermarks
from billing_assets.runs.verify import verify
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.scenarios.running import SCENARIOS, Close, at, close_all

LATE = ("2026-02-03", "2026-03-03")


@pytest.mark.long
@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_an_engine_that_computes_the_same_has_no_variances(closes: tuple[str, ...], books_of: Close) -> None:
    _assert_same(books_of(closes).books, closes)


@pytest.mark.long
@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_every_invoice_is_what_its_watermarks_give(closes: tuple[str, ...], books_of: Close) -> None:
    assert _verified(books_of(closes).books) > 0


def _assert_same(books: Books, closes: tuple[str, ...]) -> None:
    now = at(closes[-1])
    marks = replace(watermarks(books.lake, books.catalog, now), engine_version="another")
    of_engines = draft(books.lake, books.catalog, now, marks)["invoice_variances"].filter(pl.col("cause") == "ENGINE")
    assert of_engines.to_dicts() == []


def _verified(books: Books) -> int:
    found = verify(books.lake)
    assert found.differences.to_dicts() == []
    return found.invoices.height


def main() -> None:
    for closes in sorted({one.closes for one in SCENARIOS}):
        with tempfile.TemporaryDirectory() as root:
            books = close_all(Path(root), [one for one in SCENARIOS if one.closes == closes]).books
            _assert_same(books, closes)
            print(f"{' '.join(closes)}: {_verified(books)} invoices are the same", flush=True)


if __name__ == "__main__":
    main()
