"""Metering against a reckoning event by event, on generated worlds: states, quantities, dispositions, daily usage."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets import metering
from billing_assets.metering.grain import GROUP
from billing_assets_tests.metering.reckoning import NUMBERS, Reckoning
from billing_assets_tests.metering.world import START, Sent, World, events, hold, hour, metric, metrics

CHEAP = settings(max_examples=25, suppress_health_check=list(HealthCheck))
HOURS = 40
KINDS = ("COUNT", "SUM", "AVG", "MIN", "MAX", "LATEST", "UNIQUE", "TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST")

odd = st.sampled_from([0, 0, 1, 333_333, 599_999_999])
instants = st.builds(
    lambda quarter, micros: hour(quarter / 4) + timedelta(microseconds=micros), st.integers(0, HOURS * 4 - 1), odd
)
whole_hours = st.integers(1, HOURS - 1).map(hour)
properties = st.fixed_dictionaries(
    {},
    optional={
        "v": st.sampled_from([*NUMBERS, "many"]),
        "m": st.sampled_from(["x", "x", "y", ""]),
        "r": st.sampled_from(["1", "2"]),
    },
)
happenings = st.lists(
    st.builds(
        Sent,
        at=instants,
        ref=st.sampled_from(["a", "a", "a", "a2", "b", "who"]),
        properties=properties,
        event_type=st.sampled_from(["e", "f"]),
        batch=st.integers(1, 3),
    ),
    min_size=10,
    max_size=30,
).map(lambda rows: [Sent(**{**_fields(one), "transaction_id": f"t{index}"}) for index, one in enumerate(rows)])


earlier = happenings.map(
    lambda rows: [
        Sent(**_fields(one) | {"at": one.at - timedelta(hours=48), "transaction_id": f"s{index}"})
        for index, one in enumerate(rows)
    ]
)
"""What happened before the first day that is read."""


def _fields(one: Sent) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("at", "ref", "properties", "event_type", "batch")}


GROUP_KEYS = ([["m", "r"]], [["r"], ["m", "r"]], [["r"], ["m"]])
CONDITIONS = ({"exists": True}, {"in_values": ["x"]}, {"not_in_values": ["x", ""]})


@st.composite
def metric_terms(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to four metrics; half of them read the same events by the same keys, and so share a measure."""
    filters: list[dict[str, Any]] = [{}]
    for _ in range(draw(st.integers(0, 1))):
        types = {draw(st.sampled_from(["in_values", "not_in_values"])): ["e"]}
        conditions = [{"name": "m", **one} for one in draw(st.lists(st.sampled_from(CONDITIONS), max_size=1))]
        filters.append({"event_type_filter": types, "property_filters": conditions})
    return [
        metric(kind, None if kind == "COUNT" else "v", group_keys=draw(st.sampled_from(GROUP_KEYS)), **found)
        for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
        for found in [draw(st.sampled_from(filters))]
    ]


def updates(metric_ids: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What an update of a product may change of the usage that it takes, or nothing of it."""
    keys = st.sampled_from([[], ["m"]])
    return st.one_of(
        st.just({"name": "renamed"}),
        st.fixed_dictionaries({"billable_metric_id": st.sampled_from(metric_ids)}),
        st.fixed_dictionaries({"pricing_group_key": keys, "presentation_group_key": st.sampled_from([[], ["r"]])}),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    found = metrics(*draw(metric_terms()))
    aliases = draw(st.sampled_from([{"a": "A", "a2": "A", "b": "B"}, {"a": "A", "a2": "B", "b": "B"}]))
    world = World(found, aliases=aliases, extra_bounds=sorted(draw(st.sets(whole_hours, max_size=2))))
    for index in range(draw(st.integers(1, 3))):
        pricing, presentation = draw(st.sampled_from([((), ()), (("m",), ()), ((), ("r",)), (("m",), ("r",))]))
        world.product(f"p{index}", draw(st.sampled_from([one.id for one in found])), pricing, presentation)
        for at in sorted(draw(st.sets(whole_hours, max_size=2))):
            world.update(f"p{index}", at, **draw(updates([one.id for one in found])))
    names = [one["id"] for one in world.products]
    for contract, customer in draw(st.sampled_from([[("c1", "A")], [("c1", "A"), ("c2", "A"), ("c3", "B")]])):
        starts, ends = sorted(draw(st.tuples(st.integers(0, 10), st.integers(25, HOURS))))
        cuts = sorted(draw(st.sets(st.integers(11, 24).map(hour), max_size=1)))
        sells = draw(st.sets(st.sampled_from(names)))
        world.contract(contract, customer, hour(starts), hour(ends), cuts, sells)
        if draw(st.booleans()):
            key, values = draw(st.sampled_from([("r", ["1"]), ("m", ["x", ""])]))
            world.usage_filter(contract, key, values, hour(starts), draw(st.none() | whole_hours))
    return world


@CHEAP
@given(worlds(), happenings, st.integers(1, HOURS).map(hour), earlier)
def test_quantities_at_segment_ends(world: World, rows: list[Sent], now: datetime, past: list[Sent]) -> None:
    found = world.cumulatives(rows, now, past)
    computed = {
        tuple(row[name] for name in (*GROUP, "segment_start")): (
            row["raw_cumulative"], row["event_count"], row["exception_count"]
        )
        for row in found.iter_rows(named=True)
    }  # fmt: skip
    assert computed == Reckoning(world, rows, now, past).cumulatives()


@CHEAP
@given(worlds(), happenings, st.integers(1, HOURS).map(hour), st.data())
def test_every_event_has_one_disposition_for_each_metric(
    world: World, rows: list[Sent], now: datetime, data: st.DataObject
) -> None:
    status = {one["id"]: data.draw(st.sampled_from(["rated", "unrated", "not_entitled"])) for one in world.products} | {
        (world.products[0]["id"], at): data.draw(st.sampled_from(["rated", "unrated"])) for at in world.extra_bounds
    }
    unbilled, equation = world.unbilled(rows, status, now)
    listed: Counter[Any] = Counter()
    for row in unbilled.iter_rows(named=True):
        listed[row["billable_metric_id"], row["disposition"], row["usage_date"]] += row["event_count"]
    expected = Reckoning(world, rows, now).dispositions(status)
    assert listed == Counter({key: count for key, count in expected.items() if key[1] != "billed"})
    billed: Counter[Any] = Counter()
    for row in equation.iter_rows(named=True):
        assert row["billed"] + row["listed"] == row["accepted"]
        billed[row["billable_metric_id"], "billed", row["usage_date"]] += row["billed"]
    assert +billed == Counter({key: count for key, count in expected.items() if key[1] == "billed"})


@CHEAP
@given(worlds(), happenings, st.integers(1, HOURS).map(hour))
def test_first_and_last_transactions_are_events_of_their_row(world: World, rows: list[Sent], now: datetime) -> None:
    status = {world.products[0]["id"]: "unrated"}
    reckoning = Reckoning(world, rows, now)
    by_metric = {one.id: one for one in world.metrics}
    unbilled, _ = world.unbilled(rows, status, now)
    for row in unbilled.iter_rows(named=True):
        ids = (row["first_transaction_id"], row["last_transaction_id"])
        ends = [next(one for one in rows if one.transaction_id == name) for name in ids]
        assert [one.at for one in ends] == sorted(one.at for one in ends)
        assert row["event_count"] > 1 or ids[0] == ids[1]
        for one in ends:
            assert (one.ref, one.at.date()) == (row["customer_ref"], row["usage_date"])
            if row["billable_metric_id"] is not None:
                found = reckoning.disposition(by_metric[row["billable_metric_id"]], one, status)
                assert found == row["disposition"]


@CHEAP
@given(worlds(), happenings, st.integers(1, HOURS).map(hour), earlier)
def test_daily_usage(world: World, rows: list[Sent], now: datetime, past: list[Sent]) -> None:
    attributed = world.attribute(rows, now, past)
    found = metering.daily_usage(attributed, world.metrics).collect()
    keys = ("billable_metric_id", "contract_id", "period_start", "group_key", "group_values", "usage_date")
    computed = {
        tuple(row[name] for name in keys): (row["quantity"], row["cumulative"], row["event_count"])
        for row in found.iter_rows(named=True)
    }
    assert len(computed) == found.height
    assert computed == Reckoning(world, rows, now, past).daily()


@CHEAP
@given(worlds(), happenings, st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_batches_change_no_quantity(world: World, rows: list[Sent], chance: Any, batches: int) -> None:
    before = world.cumulatives(rows)
    moved = [Sent(**{**_fields(one), "transaction_id": one.transaction_id, "batch": chance.randint(1, batches)})
             for one in rows]  # fmt: skip
    chance.shuffle(moved)
    assert world.cumulatives(moved).equals(before)


@CHEAP
@given(worlds(), happenings)
def test_metering_day_by_day_gives_the_states_of_all_days(world: World, rows: list[Sent]) -> None:
    measures = metering.compile_measures(world.metrics)
    keys = ["measure_id", "customer_ref", "group_values", "window_start", "ingest_batch"]

    def states(some: list[Sent]) -> pl.DataFrame:
        return metering.hourly_states(events(some), measures, frozenset()).collect()

    days = {one.at.date() for one in rows} | {START.date()}
    parts = [states([one for one in rows if one.at.date() == day]) for day in days]
    assert pl.concat(parts).sort(keys).equals(states(rows).sort(keys))


def test_holding_changes_nothing() -> None:
    """`hold` is a matter of memory and time: a lazy frame handed back as it is gives the same."""
    world = World(metrics(metric("SUM", "v"))).product("p", "m0").contract("c", "A")
    rows = [Sent(hour(1), properties={"v": "2"}), Sent(hour(30), properties={"v": "3"}, transaction_id="z")]
    held = world.attribute(rows).usage.collect()
    assert hold(held.lazy()).collect().equals(held)
