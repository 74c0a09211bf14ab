"""Time-weighted metrics: levels that stand between events, and the exact integral of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets import metering
from billing_assets.columns import DECIMAL
from billing_assets.metering.levels import quotient
from billing_assets_tests.metering.reckoning import PLACES, WIDE
from billing_assets_tests.metering.world import Sent, World, day, exact, metric, metrics, sent, simple

HOUR, SECOND, MONTH = 3_600_000_000, 1_000_000, 744
large = st.decimals(-(10**22), 10**22, places=12) | st.decimals(-(10**6), 10**6, places=12)


@settings(max_examples=200)
@given(large, large, large, st.sampled_from([1, 7, 24, 168, 672, 744, 8784]))
def test_an_integral_is_divided_once_whatever_its_size(h: Decimal, s: Decimal, u: Decimal, period: int) -> None:
    columns = {"h": h, "s": s, "u": u, "p": Decimal(period)}
    frame = pl.LazyFrame({name: pl.Series([value], dtype=DECIMAL) for name, value in columns.items()})
    found = frame.select(quotient(pl.col("h"), pl.col("s"), pl.col("u"), pl.col("p"))).collect().item()
    mean = (Fraction(h) * HOUR + Fraction(s) * SECOND + Fraction(u)) / (period * HOUR)
    assert found == WIDE.divide(Decimal(mean.numerator), Decimal(mean.denominator)).quantize(PLACES, context=WIDE)


def to_date(world: World, rows: list[Sent], past: list[Sent] | None = None, **terms: Any) -> list[Decimal]:
    return world.cumulatives(rows, past=past or [], **terms)["raw_cumulative"].to_list()


def test_a_change_counts_from_its_microsecond_on() -> None:
    """3.6 from one microsecond before the end of the month: 3.6 us of 744 h, which is 1e-9 / 744."""
    late = day(32) - timedelta(microseconds=1)
    (found,) = to_date(simple("TIME_WEIGHTED_SUM"), [sent(late, v="3600000")])
    assert found == (Decimal("0.001") / 744).quantize(PLACES)


def test_a_level_of_petabytes_in_bytes_fits() -> None:
    (found,) = to_date(simple("TIME_WEIGHTED_SUM"), [sent(day(1), v="5e17"), sent(day(16, 12), v="-5e17")])
    assert found == Decimal("250000000000000000")


def test_a_level_stands_without_any_event() -> None:
    for kind in ("TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST"):
        assert to_date(simple(kind), [], [sent(day(-40), v="10")]) == [exact(10)]


def test_a_level_of_nothing_has_no_group() -> None:
    past = [sent(day(-40), v="10"), sent(day(-39), v="-10")]
    assert to_date(simple("TIME_WEIGHTED_SUM"), [], past) == []


def test_increments_are_the_parts_of_the_integral() -> None:
    """10 for half of the month, then 20: 5, then 10 more."""
    world = simple("TIME_WEIGHTED_LATEST")
    world.extra_bounds = [day(16, 12)]
    assert to_date(world, [sent(day(1), v="10"), sent(day(16, 12), v="20")]) == [exact(5), exact(15)]


def test_a_draft_counts_the_level_up_to_the_hour_of_now() -> None:
    world = simple("TIME_WEIGHTED_SUM")
    world.extra_bounds = [day(10)]
    found = to_date(world, [sent(day(1), v="744")], now=day(3, 5.5))
    assert found == [exact(2 * 24 + 6), exact(2 * 24 + 6)]


def test_readings_of_several_references_and_batches_are_one_sequence() -> None:
    world = World(metrics(metric("TIME_WEIGHTED_LATEST", "v")), aliases={"a": "A", "b": "A"})
    world.product("p", "m0").contract("c", "A", day(1), day(2))
    rows = [
        sent(day(1, 6), "a", v="24", batch=1), sent(day(1, 6.5), "b", v="48", batch=1),
        sent(day(1, 6.25), "a", v="0", batch=2), sent(day(1, 7), "a", v="0", batch=1),
    ]  # fmt: skip
    assert to_date(world, rows) == [exact("0.25") + exact(1)]


def test_a_level_is_the_customers_not_the_contracts() -> None:
    world = World(metrics(metric("TIME_WEIGHTED_SUM", "v"))).product("p", "m0")
    world.contract("c", "A", day(11), day(21)).contract("d", "A", day(21), day(31))
    found = world.cumulatives([sent(day(5), v="3"), sent(day(16), v="4")]).sort("contract_id")
    assert found.select("contract_id", "raw_cumulative").rows() == [("c", exact(5)), ("d", exact(7))]


def test_only_what_the_filter_lets_through_stands() -> None:
    world = World(metrics(metric("TIME_WEIGHTED_SUM", "v", group_keys=[["r"]]))).product("p", "m0").contract("c", "A")
    world.usage_filter("c", "r", ["1"])
    assert to_date(world, [], [sent(day(-9), v="3", r="1"), sent(day(-9), v="5", r="2")]) == [exact(3)]


def test_a_sum_and_a_level_share_one_measure_that_history_is_kept_of() -> None:
    found = metering.compile_measures(metrics(metric("SUM", "v"), metric("TIME_WEIGHTED_SUM", "v")))
    kept = [one for one in found if metering.keeps_level(one)]
    assert [one.statistics for one in kept] == [("held", "sum")]


def test_every_event_of_a_level_has_a_disposition() -> None:
    rows = [sent(day(3), v="1"), sent(day(4), v="none"), sent(day(5), "who", v="1"), sent(day(-4), v="1")]
    listed, equation = simple("TIME_WEIGHTED_LATEST").unbilled(rows)
    assert sorted(listed["disposition"]) == ["metric_exception", "no_contract", "unattributed"]
    assert (equation["billed"] + equation["listed"]).to_list() == equation["accepted"].to_list()
