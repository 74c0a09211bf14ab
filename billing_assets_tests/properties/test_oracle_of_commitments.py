"""Commits, credits and what is charged by schedule: the engine agrees with an oracle after each of three closes.

Compared to the last digit: every invoice (status, month, sums), every line (group, tier, start, quantity, price,
amount, segment), every deduction and expiration in the ledger or pending, and what each segment has left.

A book that differs is looked at alone: `differences(root, [commitments_book(seed)])`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from billing_assets_tests.oracle.book_commitments import CLOSES, commitments_books, drawn_books, merged
from billing_assets_tests.oracle.commitments import settle
from billing_assets_tests.oracle.strategies import Book
from billing_assets_tests.properties.balances_agreement import SHOWN, differences

BOOKS = 16


def test_three_closes_of_generated_books(tmp_path: Path) -> None:
    books = commitments_books(100, BOOKS)
    found = differences(tmp_path, books)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:SHOWN])


@pytest.mark.long
@settings(max_examples=1, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(drawn_books(3, 6))
def test_books_of_hypothesis(books: list[Book]) -> None:
    """The same generator; add Phase.shrink to make a failure small, which takes minutes."""
    with TemporaryDirectory() as root:
        found = differences(Path(root), books)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:SHOWN])


def test_the_books_reach_what_they_are_for() -> None:
    """Balances run out, expire, are left and are drawn by drafts; lines are covered in part."""
    found = settle(*merged(commitments_books(100, BOOKS)), CLOSES[-1])
    final = [one.entry_type for one in found.entries if one.final and one.amount]
    pending = [one.entry_type for one in found.entries if not one.final and one.amount]
    assert final.count("DEDUCTION") > BOOKS
    assert final.count("EXPIRATION") > BOOKS / 2
    assert pending.count("DEDUCTION") > BOOKS / 4
    items = [item for bill in found.bills for item in bill.items]
    assert sum(item.covered for item in items) > 2 * BOOKS
    assert {item.line_type for item in items} >= {
        "usage", "subscription", "scheduled", "commit_purchase", "trueup", "discount",
        "minimum_adjustment", "maximum_adjustment", "applied_commit_or_credit",
    }  # fmt: skip
    assert final.count("TRUEUP") > 5
    assert final.count("ROLLOVER_IN") > 5
    assert sum("@" in one.segment_id and one.final for one in found.entries if one.entry_type == "DEDUCTION") > 5
