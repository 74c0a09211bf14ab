"""Increments and period-to-date values, case by case, with numbers that a person can follow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_assets import metering
from billing_assets_tests.metering.world import Sent, World, day, exact, metric, metrics, sent, simple


def increments(world: World, rows: list[Sent]) -> list[Decimal]:
    """The one group's increments, segment by segment."""
    found = world.cumulatives(rows)["raw_cumulative"].to_list()
    return [to_date - before for before, to_date in zip([Decimal(0), *found], found, strict=False)]


def cut(world: World, *bounds: datetime) -> World:
    world.extra_bounds = list(bounds)
    return world


def one_a_day(*values: str, first: int = 1) -> list[Sent]:
    return [sent(day(first + index, 5), v=one) for index, one in enumerate(values)]


DAYS = [day(2), day(3), day(4)]


@pytest.mark.parametrize(
    ("aggregation", "values", "expected"),
    [
        ("COUNT", ["1", "1", "1", "1"], [1, 1, 1, 1]),
        ("SUM", ["2", "-3", "0.5", "x"], [2, -3, "0.5", 0]),
        ("MAX", ["5", "3", "8", "7"], [5, 0, 3, 0]),
        ("MAX", ["-5", "-3", "-8", "-7"], [-5, 2, 0, 0]),
        ("MIN", ["-5", "3", "-8", "7"], [-5, 0, -3, 0]),
        ("MIN", ["5", "3", "8", "1"], [5, -2, 0, -2]),
        ("LATEST", ["7", "9", "10", "5"], [7, 2, 1, -5]),
        ("LATEST", ["7", "x", "x", "5"], [7, 0, 0, -2]),
        ("UNIQUE", ["a", "b", "a", "c"], [1, 1, 0, 1]),
        ("AVG", ["1", "2", "x", "0"], [1, "0.5", 0, "-0.5"]),
        ("AVG", ["1", "0", "0", "0"], [1, "-0.5", "-0.166666666667", "-0.083333333333"]),
    ],
)
def test_increments_by_aggregation(aggregation: str, values: list[str], expected: list[Any]) -> None:
    """A first MIN of -5 is an increment of -5: every aggregation of nothing is 0."""
    world = cut(simple(aggregation), *DAYS)
    assert increments(world, one_a_day(*values)) == [exact(one) for one in expected]


@pytest.mark.parametrize("aggregation", ["COUNT", "SUM", "MAX", "MIN", "LATEST", "UNIQUE", "AVG"])
def test_segments_without_usage_carry_the_value(aggregation: str) -> None:
    world = cut(simple(aggregation), day(5), day(10), day(15))
    found = world.cumulatives([sent(day(7), v="4")])
    value = exact(1 if aggregation in ("COUNT", "UNIQUE") else 4)
    assert found["raw_cumulative"].to_list() == [exact(0), value, value, value]
    assert found["event_count"].to_list() == [0, 1, 0, 0]


def test_a_bound_inside_a_day_cuts_its_hours() -> None:
    world = cut(simple("SUM"), day(1, 7), day(1, 8), day(3, 23))
    rows = [sent(day(1, hours), v="1") for hours in (0, 6.999, 7, 7.5, 8, 23.999)] + [sent(day(3, 23), v="10")]
    assert increments(world, rows) == [exact(2), exact(2), exact(2), exact(10)]


def test_state_resets_at_each_period() -> None:
    world = World(metrics(metric("MAX", "v"), metric("UNIQUE", "v"))).product("p", "m0").product("q", "m1")
    world.contract("c", "A", day(1), day(21), cuts=[day(11)])
    found = world.cumulatives([sent(day(3), v="9"), sent(day(12), v="4"), sent(day(13), v="9")])
    assert found.select("product_id", "period_start", "raw_cumulative").sort("product_id", "period_start").rows() == [
        ("p", day(1), exact(9)), ("p", day(11), exact(9)), ("q", day(1), exact(1)), ("q", day(11), exact(2))
    ]  # fmt: skip


def test_latest_of_a_slice_is_its_last_event_whatever_the_reference() -> None:
    world = simple("LATEST")
    world.aliases["a2"] = "A"
    rows = [sent(day(1, 3), "a2", v="5"), sent(day(1, 6), v="6"), sent(day(1, 9), "a2", v="7")]
    assert increments(world, rows) == [exact(7)]
    tied = [sent(day(1, 3), "a2", v="5", tx="b"), sent(day(1, 3), v="7", tx="a")]
    assert increments(world, tied) == [exact(5)]


def test_unique_counts_a_value_once_in_a_period_whatever_the_reference_and_group() -> None:
    world = World(metrics(metric("UNIQUE", "v", group_keys=[["m"]]))).product("p", "m0").product("g", "m0", ["m"])
    world.aliases["a2"] = "A"
    world.contract("c", "A")
    rows = [sent(day(1), v="u", m="x"), sent(day(1), "a2", v="u", m="y"), sent(day(9), v="u", m="x")]
    found = world.cumulatives(rows).select("product_id", "pricing_group_values", "raw_cumulative").rows()
    assert sorted(found) == [("g", '{"m":"x"}', exact(1)), ("g", '{"m":"y"}', exact(1)), ("p", "{}", exact(1))]


def test_a_count_that_shares_states_counts_events_without_a_number_too() -> None:
    world = World(metrics(metric("COUNT"), metric("SUM", "v"))).product("p", "m0").product("q", "m1").contract("c", "A")
    rows = [sent(day(1), v="2"), sent(day(1)), sent(day(1), v="x")]
    found = world.cumulatives(rows).select("product_id", "raw_cumulative", "event_count", "exception_count").rows()
    assert found == [("p", exact(3), 3, 0), ("q", exact(2), 1, 2)]
    unbilled, _ = world.unbilled(rows)
    assert unbilled.select("billable_metric_id", "disposition", "event_count").rows() == [("m1", "metric_exception", 2)]


def test_groups_of_a_product() -> None:
    """An absent key is a group of its own; "" is a value."""
    world = World(metrics(metric("SUM", "v", group_keys=[["m", "r"]]))).product("p", "m0", ["m"], ["r"])
    world.contract("c", "A")
    rows = [sent(day(1), v="1", m="x"), sent(day(1), v="2", m="", r="1"), sent(day(2), v="4", m="x")]
    found = world.cumulatives(rows).select("pricing_group_values", "presentation_group_values", "raw_cumulative")
    assert found.rows() == [('{"m":""}', '{"r":"1"}', exact(2)), ('{"m":"x"}', '{"r":null}', exact(5))]


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("SUM", [3, 0, 4]), ("UNIQUE", [1, 0, 1]), ("LATEST", [2, 0, 2])]
)
def test_hours_after_now_are_not_seen(aggregation: str, expected: list[int]) -> None:
    world = cut(simple(aggregation), day(2), day(3))
    rows = [sent(day(1), v="1"), sent(day(1, 1), v="2"), sent(day(3, 4.5), v="4"), sent(day(3, 5), v="8")]
    found = world.cumulatives(rows, day(3, 4.75))["raw_cumulative"].to_list()
    assert found[-1] - found[-2] == exact(expected[-1])
    assert [found[0], found[1] - found[0]] == [exact(one) for one in expected[:2]] or aggregation == "UNIQUE"


def test_daily_usage_of_unpriced_metrics_and_of_every_declared_key() -> None:
    world = World(metrics(metric("UNIQUE", "v", group_keys=[["m"], ["m", "r"]]))).contract("c", "A", sells=[])
    rows = [sent(day(1), v="u", m="x"), sent(day(2), v="w", m="x", r="1"), sent(day(2), v="u", m="x", r="1")]
    attributed = world.attribute(rows)
    found = metering.daily_usage(attributed, world.metrics).collect()
    columns = ("group_key", "group_values", "usage_date", "quantity", "cumulative", "event_count")
    assert sorted(found.select(columns).rows()) == [
        ('["m","r"]', '{"m":"x","r":"1"}', day(2).date(), exact(2), exact(2), 2),
        ('["m","r"]', '{"m":"x","r":null}', day(1).date(), exact(1), exact(1), 1),
        ('["m"]', '{"m":"x"}', day(1).date(), exact(1), exact(1), 1),
        ('["m"]', '{"m":"x"}', day(2).date(), exact(1), exact(2), 2),
    ]
