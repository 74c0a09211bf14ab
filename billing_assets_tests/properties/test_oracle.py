"""The engine agrees with the independent oracle to the last digit, over hundreds of generated books a close.

A book that differs is made small by hand, with `minimized(book, fails)` of the generator and `compare` on one book.

What docs/semantics.md leaves open and both sides decide alike:

* Dates of a price, its entitlement and its winner cut lines; neighbouring hours without a price are one span.
* Under a TIERED override a price without tiers of its own shows the range as its line's tier_level, the part beyond the
  last range included.
* The amount of a line is round12(its own quantity x unit price), also where a period's lines do not add up to the
  round12 of the whole.
* An override's date that changes nothing (the same winner before and after) cuts nothing.
* hold_reasons are a set; an invoice that is not due shows them too, and is not held by them.
* An event without a usable value counts once for an invoice's tolerance, however many of its metrics want that value.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from billing_assets_tests.oracle import strategies
from billing_assets_tests.oracle.strategies import HOLDING, NOW, Book, merge, random_book
from billing_assets_tests.properties.agreement import Comparison, compare

BOOKS_A_CLOSE = 320
SHOWN = 40


def agree(root: Path, books: list[Book]) -> Comparison:
    """Both sides; fails with the differences."""
    found = compare(root, *merge(books, HOLDING), NOW)
    differences = found.differences()
    assert not differences, f"{len(differences)} differences:\n" + "\n".join(differences[:SHOWN])
    return found


def test_many_generated_books_in_one_close(tmp_path: Path) -> None:
    found = agree(tmp_path, [random_book(number) for number in range(BOOKS_A_CLOSE)])
    assert len(found.engine.invoices) > 2 * BOOKS_A_CLOSE
    assert sum(map(len, found.engine.lines.values())) > 8 * BOOKS_A_CLOSE


@pytest.mark.long
@settings(max_examples=1, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(strategies.many_books(6, 14))
def test_books_of_hypothesis(books: list[Book]) -> None:
    """The same generator; add Phase.shrink to make a failure small, which takes minutes."""
    with TemporaryDirectory() as root:
        agree(Path(root), books)
