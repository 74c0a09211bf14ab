"""Whose usage it is, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from billing_assets import metering
from billing_assets_tests.metering.world import (
    MUCH_LATER,
    PERIOD,
    Sent,
    World,
    day,
    events,
    exact,
    frame,
    metric,
    metrics,
    sent,
    simple,
)


def listed(world: World, rows: list[Sent], *columns: str, **terms: Any) -> list[tuple[Any, ...]]:
    found, equation = world.unbilled(rows, **terms)
    assert equation.filter(pl.col("billed") + pl.col("listed") != pl.col("accepted")).is_empty()
    chosen = ("disposition", "event_count", *columns)
    return sorted(found.select(chosen).rows(), key=repr)


def test_moving_an_alias_moves_its_usage() -> None:
    world = simple("SUM").contract("d", "B", sells=["p"])
    rows = [sent(day(1), "a", v="1"), sent(day(1), "legacy", v="10"), sent(day(1), "b", v="100")]
    assert listed(world, rows) == [("unattributed", 1)]
    for customer, expected in (("A", [("c", 11), ("d", 100)]), ("B", [("c", 1), ("d", 110)])):
        world.aliases["legacy"] = customer
        found = world.cumulatives(rows).select("contract_id", "raw_cumulative").rows()
        assert found == [(contract, exact(value)) for contract, value in expected]


def test_before_after_and_between_contracts() -> None:
    world = World(metrics(metric("SUM", "v"))).product("p", "m0")
    world.contract("one", "A", day(2), day(3)).contract("two", "A", day(4), day(5))
    rows = [sent(day(number, hours), v="1") for number in (1, 2, 3, 4, 5) for hours in (0, 23.99)]
    assert listed(world, rows, "usage_date", "customer_id", "contract_id") == [
        ("no_contract", 2, day(number).date(), "A", None) for number in (1, 3, 5)
    ]


def test_a_metric_without_a_product_of_the_contract() -> None:
    world = World(metrics(metric("SUM", "v"), metric("COUNT"))).product("p", "m0").product("q", "m1")
    world.contract("c", "A", sells=["p"])
    assert listed(world, [sent(day(1), v="1")], "billable_metric_id", "contract_id", "quantity") == [
        ("no_product", 1, "m1", "c", exact(1))
    ]


def test_dated_usage_filters() -> None:
    world = World(metrics(metric("SUM", "v", group_keys=[["r", "m"]]))).product("p", "m0", ["m"]).contract("c", "A")
    world.usage_filter("c", "r", ["1", "2"], day(2), day(3)).usage_filter("c", "m", ["x"], day(3, 5))
    rows = [
        sent(day(1), v="1", r="9"),
        sent(day(2), v="2", r="2"), sent(day(2), v="4", r="9"), sent(day(2), v="8"),
        sent(day(3), v="16", r="9"), sent(day(3, 5), v="32", r="1"), sent(day(3, 6), v="64", m="x"),
    ]  # fmt: skip
    assert listed(world, rows, "usage_date", "quantity", "product_id") == [
        ("excluded_by_usage_filter", 1, day(2).date(), exact(4), "p"),
        ("excluded_by_usage_filter", 1, day(2).date(), exact(8), "p"),
        ("excluded_by_usage_filter", 1, day(3).date(), exact(32), "p"),
    ]
    assert sum(world.cumulatives(rows)["raw_cumulative"]) == exact(1 + 2 + 16 + 64)


def test_two_contracts_split_by_their_filters() -> None:
    world = World(metrics(metric("SUM", "v", group_keys=[["r"]]))).product("p", "m0")
    world.contract("east", "A").contract("west", "A")
    world.usage_filter("east", "r", ["e"]).usage_filter("west", "r", ["w"])
    rows = [sent(day(1), v="1", r="e"), sent(day(1), v="2", r="w"), sent(day(1), v="4", r="n")]
    assert listed(world, rows, "quantity", "contract_id") == [("excluded_by_usage_filter", 1, exact(4), "east")]
    assert world.cumulatives(rows).select("contract_id", "raw_cumulative").rows() == [
        ("east", exact(1)), ("west", exact(2))
    ]  # fmt: skip


def test_billed_by_any_product_is_billed() -> None:
    world = World(metrics(metric("SUM", "v"))).product("p", "m0").product("q", "m0").contract("c", "A")
    rows = [sent(day(1), v="1")]
    assert listed(world, rows, status={"p": "unrated"}) == []
    assert listed(world, rows, "product_id", "reason", status={"p": "not_entitled", "q": "unrated"}) == [
        ("unrated", 1, "q", "no_rate")
    ]


def test_products_of_different_keys_of_one_metric() -> None:
    """An event that one product prices by its region is billed, whatever another says of its model."""
    world = World(metrics(metric("SUM", "v", group_keys=[["m"], ["r"]])))
    world.product("p", "m0", ["m"]).product("q", "m0", ["r"]).contract("c", "A")
    rows = [sent(day(1), m=m, r=r, v="1") for m in ("x", "z") for r in ("e", "w")]
    attributed = world.attribute(rows)
    segments = world.segments(attributed).with_columns(
        segment_status=pl.when(pl.col("pricing_group_values").is_in(['{"m":"x"}', '{"r":"e"}']))
        .then(pl.lit("rated"))
        .otherwise(pl.lit("unrated"))
    )
    outcome = metering.disposed(attributed.candidates, attributed.usage, segments).collect()
    assert outcome.filter(pl.col("disposition") == "billed")["event_count"].sum() == 3
    assert outcome.filter(pl.col("disposition") != "billed")["group_values"].to_list() == ['{"m":"z","r":"w"}']


def test_exceptions_are_listed_beside_what_is_billed() -> None:
    world = simple("SUM")
    rows = [
        sent(day(1), v="1"),
        sent(day(1), v="x", tx="bad2"),
        sent(day(1, 3), tx="bad3"),
        sent(day(1), v="y", tx="bad1"),
    ]
    columns = ("first_transaction_id", "last_transaction_id", "quantity", "contract_id", "period_start", "product_id")
    assert listed(world, rows, *columns) == [("metric_exception", 3, "bad1", "bad3", None, "c", day(1), "p")]
    assert listed(world, [sent(day(1), "who", v="x")]) == [("unattributed", 1)]
    assert exceptions(world, rows) == [("c", day(1), 3)]


def exceptions(world: World, rows: list[Sent], now: datetime = MUCH_LATER, tolerance: int | None = 0) -> list[Any]:
    """(contract, period, events that count against its tolerance)."""
    billed = frame(world.periods, PERIOD).with_columns(metric_exception_tolerance=pl.lit(tolerance, dtype=pl.Int64))
    failed = metering.failed_slices(world.attribute(rows, now).candidates, billed)
    return sorted(metering.exceptions_by_period(failed, events(rows), world.metrics, now).collect().rows())


def test_an_exception_counts_once_an_invoice_however_many_metrics_it_fails() -> None:
    """Of one property, of two, under other filters and by other groups; in each contract that would bill it."""
    names = {"event_type_filter": {"in_values": ["e"]}}
    written = (
        metric("SUM", "v"),
        metric("MAX", "v", group_keys=[["g"]]),
        metric("SUM", "w"),
        metric("SUM", "v", **names),
    )
    world = World(metrics(*written, metric("UNIQUE", "u"), metric("COUNT")))
    for number in range(6):
        world.product(f"p{number}", f"m{number}")
    world.contract("c", "A", cuts=[day(11)]).contract("d", "A", day(1, 1), day(2), sells=["p2"])
    rows = [
        sent(day(1), v="x", w="y", tx="both"),
        sent(day(1, 1), v="1", u="z", tx="w alone"),
        sent(day(1, 1), v="1", w="2", u="z", tx="none"),
        sent(day(1, 2), w="2", u="z", kind="other", tx="v alone"),
        sent(day(12), tx="both", batch=2),
        sent(day(12), tx="both", batch=3),
        sent(day(12), "who", tx="nobody's"),
    ]
    assert exceptions(world, rows) == [("c", day(1), 3), ("c", day(11), 2), ("d", day(1, 1), 1)]
    assert exceptions(world, rows, now=day(1, 1)) == [("c", day(1), 2), ("d", day(1, 1), 1)]
    assert exceptions(world, rows, tolerance=None) == []


def test_events_that_match_no_metric() -> None:
    world = simple("COUNT", event_type_filter={"in_values": ["x"]})
    rows = [sent(day(1), tx="n2"), sent(day(1, 2), tx="n1"), sent(day(1), "who", tx="n3"), sent(day(1), kind="x")]
    columns = ("billable_metric_id", "customer_ref", "first_transaction_id", "last_transaction_id")
    assert listed(world, rows, *columns) == [
        ("no_metric", 1, None, "who", "n3", "n3"),
        ("no_metric", 2, None, "a", "n2", "n1"),
    ]


def test_samples_are_of_the_row_alone() -> None:
    """One reference, group and day; three dispositions by the hour."""
    world = World(metrics(metric("SUM", "v"))).product("p", "m0").contract("c", "A", day(1, 6))
    world.extra_bounds = [day(1, 12)]
    rows = [sent(day(1, hours), tx=f"at{hours:02}", v="1") for hours in range(0, 24, 2)]
    found = listed(world, rows, "first_transaction_id", "last_transaction_id", status={("p", day(1, 12)): "unrated"})
    assert found == [("no_contract", 3, "at00", "at04"), ("unrated", 6, "at12", "at22")]


def test_final_periods_and_late_usage() -> None:
    """Of a final period only what came after its watermark is listed; the rest was settled by its invoice."""
    world = World(metrics(metric("SUM", "v"))).product("p", "m0")
    world.contract("c", "A", day(1), day(21), cuts=[day(11)]).contract("d", "B", day(1), day(21))
    world.periods[0] |= {"events_through": 2, "is_billed": False}
    rows = [sent(day(1), batch=batch, v=str(batch), tx=f"t{batch}") for batch in (1, 2, 3, 4)]
    rows += [sent(day(12), batch=3, v="10"), sent(day(1), "b", batch=3, v="20")]
    columns = ("quantity", "first_transaction_id", "last_transaction_id", "contract_id", "period_start")
    assert listed(world, rows, *columns) == [("late_usage", 2, exact(7), "t3", "t4", "c", day(1))]
    assert sorted(world.cumulatives(rows)["raw_cumulative"]) == [exact(10), exact(20)]


def test_periods_that_are_not_asked_for_are_elsewhere() -> None:
    world = World(metrics(metric("SUM", "v"))).product("p", "m0").contract("c", "A", day(1), day(21), cuts=[day(11)])
    rows = [sent(day(1), v="1"), sent(day(12), v="2")]
    world.periods[0]["is_billed"] = False
    assert listed(world, rows) == []
    del world.periods[0]
    assert listed(world, rows) == []
    assert world.cumulatives(rows)["raw_cumulative"].to_list() == [exact(2)]


def test_usage_of_two_contracts_is_listed_by_one_computation_whichever_period_is_final() -> None:
    """Each contract has a usage filter of its own; the period of one that refuses the event decides nothing."""
    world = World(metrics(metric("SUM", "v", group_keys=[["r"]]))).product("p", "m0")
    world.contract("eu", "A", day(1), day(21)).contract("us", "A", day(1), day(21))
    world.usage_filter("eu", "r", ["eu"], day(1)).usage_filter("us", "r", ["us"], day(1))
    rows = [sent(day(1), v=f"{number}", r=region) for number, region in enumerate(("eu", "us", "asia"), 1)]
    of_eu, of_us = ("unrated", 1, exact(1), "eu"), ("unrated", 1, exact(2), "us")
    of_none = ("excluded_by_usage_filter", 1, exact(3), "eu")
    columns, unrated = ("quantity", "contract_id"), {"p": "unrated"}
    assert listed(world, rows, *columns, status=unrated) == [of_none, of_eu, of_us]
    for closed in ({"is_billed": False}, {"is_billed": False, "events_through": 1}):
        open_periods = [dict(period) for period in world.periods]
        for position, expected in enumerate(([of_us], [of_none, of_eu])):
            world.periods = [{**one, **(closed if at == position else {})} for at, one in enumerate(open_periods)]
            assert listed(world, rows, *columns, status=unrated) == expected
        world.periods = open_periods


def test_usage_without_a_product_in_two_contracts_is_listed_once() -> None:
    world = World(metrics(metric("SUM", "v"))).product("p", "m0")
    world.contract("one", "A", sells=[]).contract("two", "A", sells=[])
    rows = [sent(day(1), v="1"), sent(day(1), v="2", batch=2)]
    assert listed(world, rows, "contract_id") == [("no_product", 2, "one")]
    world.periods[1] |= {"is_billed": False, "events_through": 2}
    assert listed(world, rows, "contract_id") == [("no_product", 2, "one")]
    world.periods[0] |= {"is_billed": False, "events_through": 1}
    assert listed(world, rows, "contract_id") == [("late_usage", 1, "one")]


def test_only_the_rows_of_a_month() -> None:
    """Usage of a contract is of its period's month, other usage of its day's."""
    world = World(metrics(metric("SUM", "v"))).product("p", "m0").contract("c", "A", sells=[])
    rows = [sent(day(30), v="1"), sent(day(30), "who", v="1"), sent(day(33), "who", v="1")]
    assert listed(world, rows, "month", month="2026-01") == [
        ("no_product", 1, "2026-01"),
        ("unattributed", 1, "2026-01"),
    ]
    assert listed(world, rows, "month", month="2026-02") == [("unattributed", 1, "2026-02")]


def test_first_and_last_are_of_hours_that_have_begun() -> None:
    world = simple("COUNT", None)
    rows = [sent(day(1), "who"), sent(day(1, 1.5), "who"), sent(day(1, 2), "who")]
    found = listed(world, rows, "first_transaction_id", "last_transaction_id", now=day(1, 1))
    assert found == [("unattributed", 2, "t0000", "t0001")]
