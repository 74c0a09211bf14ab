"""The order of balances, key by key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing_assets_tests.commitments.book import Book, balance, day

FIRST_BY = [
    ({"is_rollover": True, "priority": Decimal(900)}, {"priority": Decimal(1)}),
    ({"balance_type": "PREPAID", "priority": Decimal(900), "cost": Decimal(5)},
     {"balance_type": "POSTPAID", "priority": Decimal(1)}),
    ({"is_rollover": True}, {"balance_type": "POSTPAID", "priority": Decimal(1)}),
    ({"priority": Decimal(10), "cost": Decimal(5)}, {"priority": Decimal(11)}),
    ({"priority": Decimal("1.5")}, {"priority": Decimal(2)}),
    ({"product_count": None}, {"balance_type": "PREPAID", "cost": Decimal(5), "product_count": 1}),
    ({"product_count": 7}, {"product_count": None}),
    ({"product_count": 2, "value_specifier_count": 3}, {"product_count": 3, "value_specifier_count": 0}),
    ({"value_specifier_count": 0, "ending_before": None}, {"value_specifier_count": 1, "ending_before": day(9)}),
    ({"ending_before": day(9), "starting_at": day(8)}, {"ending_before": day(10), "starting_at": day(1)}),
    ({"ending_before": day(9)}, {"ending_before": None}),
    ({"starting_at": day(1), "contract_count": 5}, {"starting_at": day(2)}),
    ({"contract_count": 1, "contract_id": None}, {"contract_count": 2}),
    ({"contract_id": "c", "balance_position": 9}, {"contract_id": None, "balance_position": 1}),
    ({"balance_position": 1, "balance_id": "z"}, {"balance_position": 2, "balance_id": "a"}),
    ({"balance_id": "a"}, {"balance_id": "b"}),
    ({"balance_id": "a", "segment_id": "a/2"}, {"balance_id": "a", "segment_id": "a/10"}),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), FIRST_BY)
@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_drawn_first(first: dict[str, Any], second: dict[str, Any], swapped: bool) -> None:
    rows = [
        balance("same", 1, **{"segment_id": "first", **first}),
        balance("same", 1, **{"segment_id": "second", **second}),
    ]
    ordered = Book([], rows[::-1] if swapped else rows).access().collect().sort("pool", "draw_rank")
    assert ordered["segment_id"].to_list() == [row["segment_id"] for row in rows]
    assert ordered["draw_rank"].to_list() == [0, 1]


def test_every_pool_counts_from_zero() -> None:
    rows = [balance(name, 1, pool=pool) for name, pool in (("a", "p"), ("b", "q"), ("c", "p"), ("d", "q"), ("e", "r"))]
    ordered = Book([], rows).access().collect().sort("pool", "draw_rank")
    assert ordered.select("segment_id", "draw_rank").rows() == [
        ("a/1", 0),
        ("c/1", 1),
        ("b/1", 0),
        ("d/1", 1),
        ("e/1", 0),
    ]
