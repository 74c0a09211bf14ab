"""Products that change what usage they take: another metric, or other keys, inside a billing period."""

from __future__ import annotations

from typing import Any

from billing_assets_tests.metering.world import World, day, exact, metric, metrics, sent


def swapped(before: str, after: str, **keys: Any) -> World:
    """A product that takes `before` of property a until the 15th, then `after` of property b."""
    found = metrics(metric(before, "a", group_keys=[["m"]]), metric(after, "b", group_keys=[["m"]]))
    world = World(found).product("p", "m0", **keys).contract("c", "A")
    return world.update("p", day(15), billable_metric_id="m1")


def to_date(world: World, *rows: Any) -> list[tuple[Any, ...]]:
    found = world.cumulatives(list(rows))
    return [tuple(row) for row in found.select("raw_cumulative", "event_count", "exception_count").rows()]


def test_after_a_swap_the_new_metric_counts_on_from_the_old_value() -> None:
    """A is 7 at the swap; B goes from 100 before it to 130 at the end: 7, then 7 + 130 - 100 = 37."""
    rows = [sent(day(3), a="7", b="100"), sent(day(20), a="1000", b="30")]
    assert to_date(swapped("SUM", "SUM"), *rows) == [(exact(7), 1, 0), (exact(37), 1, 0)]


def test_a_swap_of_kinds_goes_by_values_not_by_events() -> None:
    """The largest is 7; then LATEST moves from 40 before the swap to 45: 7, then 7 + 45 - 40."""
    rows = [sent(day(3), a="7", b="40"), sent(day(20), b="45")]
    assert to_date(swapped("MAX", "LATEST"), *rows) == [(exact(7), 1, 0), (exact(12), 1, 0)]


def test_a_swap_holds_per_group() -> None:
    world = swapped("SUM", "SUM", presentation=["m"])
    found = world.cumulatives([sent(day(3), a="7", b="1", m="x"), sent(day(20), a="5", b="2", m="y")])
    assert found.select("presentation_group_values", "raw_cumulative").rows() == [
        ('{"m":"x"}', exact(7)), ('{"m":"x"}', exact(7)), ('{"m":"y"}', exact(0)), ('{"m":"y"}', exact(2))
    ]  # fmt: skip


def test_usage_that_is_no_longer_taken_is_listed() -> None:
    """After the swap events of the old metric, and before it those of the new one, are taken by no product."""
    listed, equation = swapped("SUM", "SUM").unbilled([sent(day(3), a="1", b="1"), sent(day(20), a="1", b="1")])
    found = listed.sort("billable_metric_id").select("billable_metric_id", "disposition", "usage_date", "event_count")
    assert found.rows() == [("m0", "no_product", day(20).date(), 1), ("m1", "no_product", day(3).date(), 1)]
    assert (equation["billed"] + equation["listed"]).to_list() == equation["accepted"].to_list()


def test_a_new_key_splits_what_follows_it() -> None:
    """Seats by LATEST: 40 in all; by model from the 15th, where only what changes after it is an increment."""
    world = World(metrics(metric("LATEST", "v", group_keys=[["m"]]))).product("p", "m0").contract("c", "A")
    world.update("p", day(15), pricing_group_key=["m"])
    found = world.cumulatives([sent(day(3), v="40", m="x"), sent(day(20), v="45", m="x")])
    assert found.select("pricing_group_values", "product_version", "raw_cumulative", "event_count").rows() == [
        ('{"m":"x"}', None, exact(0), 0), ('{"m":"x"}', 1, exact(5), 1),
        ("{}", 0, exact(40), 1), ("{}", None, exact(40), 0),
    ]  # fmt: skip
