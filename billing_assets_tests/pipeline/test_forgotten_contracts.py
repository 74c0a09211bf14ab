"""A contract that has final invoices and is taken out of the catalog."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.errors import CatalogContradiction
from billing_assets_tests.pipeline.test_moved_aliases import MARCH, billed, closed_with, listed
from billing_assets_tests.pipeline.test_moved_aliases import catalog as whole


def renamed(starting_at: str) -> dict[str, Any]:
    """The contract of-a is gone; of-c, of the same customer, begins at `starting_at`."""
    found = whole({"a": ["r"]})
    found["contracts"][0] |= {"id": "of-c", "starting_at": starting_at}
    return found


def test_another_contract_over_hours_that_it_billed_is_refused(tmp_path: Path) -> None:
    books = closed_with(tmp_path, {"a": ["r"]})
    with pytest.raises(CatalogContradiction, match="of-a is billed up to 2024-02-01 00:00 UTC, and of-c has"):
        books.with_catalog(renamed("2024-01-01")).close(MARCH)


def test_what_it_billed_stays_billed(tmp_path: Path) -> None:
    closed = closed_with(tmp_path, {"a": ["r"]}).with_catalog(renamed("2024-02-01")).close(MARCH)
    assert billed(closed) == {("of-a", "FINALIZED"): 101, ("of-b", "FINALIZED"): 0}
    assert listed(closed) == [("lost", "unattributed", None, None, Decimal(1000))]
