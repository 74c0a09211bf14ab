"""What the table of balances says of each segment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing_assets_tests.commitments.book import FEBRUARY, JANUARY, balance, day, line, shown
from billing_assets_tests.commitments.closes import Books, contract, usage_invoice


def test_what_was_paid_for_a_commit_is_spread_over_its_segments() -> None:
    # 80 for 60 and 40; of the second, half rolls over
    paid: dict[str, Any] = {"balance_type": "PREPAID", "cost": Decimal(80), "rollover_fraction": Decimal("0.5")}
    held = [balance("a", 60, ending_before=day(20), **paid), balance("a", 40, segment_id="a/2", **paid)]
    contracts = [contract("c", JANUARY, FEBRUARY),
                 contract("d", FEBRUARY, day(60), follows_contract_id="c", transition_type="RENEWAL")]  # fmt: skip
    books = Books([line(1, 10, 1, invoice_id="jan")], held, [usage_invoice("jan", JANUARY, FEBRUARY)], contracts)
    books.close(day(40), "2026-01")
    shown_basis = shown(books.table().sort("segment_id"), "segment_id", "cost_basis")
    assert shown_basis == [("a/1", "0.8"), ("a/2", "0.8"), ("a/2@d/1", "0.8")]
