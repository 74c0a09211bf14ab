"""Segments keep the names under which the ledger knows them."""

from __future__ import annotations

import polars as pl
import pytest

from billing_assets.columns import TIMESTAMP
from billing_assets.commitments import known_segments
from billing_assets_tests.commitments.book import day

Items = list[tuple[int, int]]
Granted = list[tuple[int, int, bool]]
FRESH: Granted = []


@pytest.mark.parametrize(
    ("items", "granted", "names"),
    [
        ([(1, 5), (5, 9)], FRESH, ["p/1", "p/2"]),
        ([(1, 5), (5, 9)], [(1, 1, False)], ["p/1", "p/2"]),
        # one is put in front of the one that was granted from day 5
        ([(1, 5), (5, 9)], [(1, 5, False)], ["p/2", "p/1"]),
        # the first one, which is over, is taken away
        ([(5, 9)], [(1, 1, True), (2, 5, False)], ["p/2"]),
        # moved back, and moved forward
        ([(3, 9)], [(1, 5, False)], ["p/1"]),
        ([(6, 9)], [(1, 5, False)], ["p/2"]),
        ([(3, 9)], [(1, 5, True)], ["p/2"]),
        # two that start together, and a third in front of them
        ([(1, 5), (1, 9)], [(1, 1, False), (2, 1, False)], ["p/1", "p/2"]),
        ([(1, 9), (2, 5), (2, 9)], [(1, 2, False), (2, 2, False)], ["p/3", "p/1", "p/2"]),
    ],
)
def test_a_segment_is_known_by_its_start(items: Items, granted: Granted, names: list[str]) -> None:
    segments = [
        {"balance_id": "p", "segment_id": f"p/{place}", "starting_at": day(start), "ending_before": day(end)}
        for place, (start, end) in enumerate(items, start=1)
    ]
    recorded = [
        {"balance_id": "p", "segment_id": f"p/{number}", "starting_at": day(start), "is_closed": closed}
        for number, start, closed in granted
    ]
    ids = {"balance_id": pl.String(), "segment_id": pl.String(), "starting_at": TIMESTAMP}
    found = known_segments(
        pl.LazyFrame(segments, schema={**ids, "ending_before": TIMESTAMP}).with_row_index("item"),
        pl.LazyFrame(recorded, schema={**ids, "is_closed": pl.Boolean()}),
    )
    assert found.sort("item").collect()["segment_id"].to_list() == names
