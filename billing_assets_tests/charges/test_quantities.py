"""Which seats of a subscription's period are charged, and which are owed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from billing_assets.charges.quantities import SPAN, uncharged_steps
from billing_assets.columns import DECIMAL, TIMESTAMP

Seats = list[tuple[int, int]]


def january(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


PERIOD = dict(zip(SPAN, ("s", january(1), january(31)), strict=True))
DATES = {"subscription_id": pl.String(), "period_start": TIMESTAMP, "period_end": TIMESTAMP}


@pytest.mark.parametrize(
    ("quantities", "charged", "owed"),
    [
        ([(1, 10), (15, 12)], [], [(1, 10), (15, 2)]),
        ([(1, 10), (15, 12)], [(1, 10)], [(15, 2)]),
        ([(1, 10), (15, 12)], [(1, 10), (15, 2)], []),
        # the increase was charged from the 15th, and is dated the 16th now
        ([(1, 10), (16, 12)], [(1, 10), (15, 2)], []),
        ([(1, 10), (16, 13)], [(1, 10), (15, 2)], [(16, 1)]),
        # more from the start on
        ([(1, 12)], [(1, 10)], [(1, 2)]),
        ([(1, 12), (15, 13)], [(1, 10)], [(1, 2), (15, 1)]),
        # the start is charged with more than it has now: that is the highest quantity
        ([(1, 10), (15, 12), (20, 15)], [(1, 12)], [(20, 3)]),
        # an increase that is charged is no part of the fee that was voided
        ([(1, 10), (15, 12)], [(15, 2)], [(1, 10)]),
        ([], [(1, 10)], []),
    ],
)
def test_seats_are_charged_once(quantities: Seats, charged: Seats, owed: Seats) -> None:
    steps, before = [], 0
    for at, quantity in quantities:
        numbers = {"quantity_before": Decimal(before), "quantity_after": Decimal(quantity)}
        steps.append({**PERIOD, "step_at": january(at), **numbers})
        before = quantity
    fees = [{**PERIOD, "starting_at": january(at), "quantity": Decimal(seats)} for at, seats in charged]
    found = uncharged_steps(
        pl.LazyFrame(
            steps, schema={**DATES, "step_at": TIMESTAMP, "quantity_before": DECIMAL, "quantity_after": DECIMAL}
        ),
        pl.LazyFrame(fees, schema={**DATES, "starting_at": TIMESTAMP, "quantity": DECIMAL}),
    ).sort("step_at")
    rows = found.collect().iter_rows(named=True)
    assert [(row["step_at"].day, int(row["quantity_after"] - row["quantity_before"])) for row in rows] == owed
