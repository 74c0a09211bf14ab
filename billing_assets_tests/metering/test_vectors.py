"""Aggregations that other billing systems' own tests and pages expect (the source of each is in the file)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets import metering
from billing_assets_tests.metering.world import Sent, World, day, exact, metric, metrics, sent

DATA = Path(__file__).parents[1] / "data" / "vectors"
VECTORS = json.loads((DATA / "aggregation_and_adjustments.json").read_text())["vectors"]
EXAMPLES = {one["id"]: one for one in json.loads((DATA / "worked_examples.json").read_text())["examples"]}
KINDS = {"count": "COUNT", "sum": "SUM", "max": "MAX", "latest": "LATEST", "unique": "UNIQUE"}
PERIOD_START, PERIOD_END = day(11), day(31)

SKIPPED = {
    "sum-02": "a recurring SUM keeps units of earlier periods; here state resets at each billing period",
    "unique-01": "a recurring UNIQUE keeps units of earlier periods; here state resets at each billing period",
    "unique-02": "a recurring UNIQUE keeps units of earlier periods; here state resets at each billing period",
}


def chosen() -> Iterator[Any]:
    for vector in VECTORS:
        if vector["kind"] in KINDS:
            marks = [pytest.mark.skip(reason=SKIPPED[vector["id"]])] if vector["id"] in SKIPPED else []
            yield pytest.param(vector, id=vector["id"], marks=marks)


def text(value: Any) -> dict[str, str]:
    """A property `v`; the sources' placeholders for a random number below ten are 5."""
    if value is None:
        return {}
    return {"v": "5" if str(value).endswith("<10") else str(value)}


def happened(given: dict[str, Any]) -> Iterator[Sent]:
    """The events of a vector; `t` counts days from the 20th, what is filtered in has region europe."""
    for _ in range(given["events"] if isinstance(given.get("events"), int) else 0):
        yield sent(day(20), region="europe")
    for name, region in (("events_matching", "europe"), ("events_other", "other")):
        for _ in range(given.get(name, 0)):
            yield sent(day(20), region=region)
    for value in given.get("values", []):
        found = value if isinstance(value, dict) else {"v": value, "region": "europe"}
        yield sent(day(20), region=found["region"], **text(found["v"]))
    for value in given.get("period_events", []):
        yield sent(day(20), region="europe", **text(value["v"] if isinstance(value, dict) else value))
    for value in given.get("before_period", []):
        yield sent(day(5), region="europe", **text(value))
    for event in given["events"] if isinstance(given.get("events"), list) else []:
        if "date" in event:
            at = day(5) if event["date"] < "2022-07-09" else day(20)
            yield sent(at, region="europe", v=event["unique_id"])
        else:
            region = "europe" if event.get("match", True) else "other"
            yield sent(day(20 + event["t"]), region=region, **text(event["v"]))


@pytest.mark.parametrize("vector", list(chosen()))
def test_a_metric_aggregates_as_its_source_expects(vector: dict[str, Any]) -> None:
    kind = KINDS[vector["kind"]]
    only = [{"name": "region", "in_values": ["europe"]}]
    world = World(metrics(metric(kind, None if kind == "COUNT" else "v", property_filters=only))).product("p", "m0")
    world.contract("c", "A", day(1), PERIOD_END, cuts=[PERIOD_START])
    found = world.cumulatives(list(happened(vector["input"])))
    of_period = found.filter(found["period_start"] == PERIOD_START)["raw_cumulative"].to_list()
    assert of_period == [exact(vector["expected"]["aggregation"])]


WEIGHTED = [one for one in VECTORS if one["kind"] == "weighted_sum"]
AUGUST = (datetime(2023, 8, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize("vector", WEIGHTED, ids=lambda one: str(one["id"]))
def test_a_level_is_weighted_by_time_as_its_source_expects(vector: dict[str, Any]) -> None:
    """Initial values are events of an earlier period. The source rounds to 5 places."""
    given = vector["input"]
    world = World(metrics(metric("TIME_WEIGHTED_SUM", "v"))).product("p", "m0").contract("c", "A", *AUGUST)
    rows = [sent(datetime.fromisoformat(one["timestamp"]), v=one["value"]) for one in given["events"]]
    before = [sent(AUGUST[0] - timedelta(days=60), v=given["initial_value"])]
    found = world.cumulatives(rows, AUGUST[1], before)["raw_cumulative"].to_list() or [Decimal(0)]
    expected = Decimal(vector["expected"]["aggregation"])
    assert [round(value, 5) for value in found] == [round(expected, 5)]


def of_days(values: list[int]) -> tuple[list[Decimal], list[Decimal]]:
    """A LATEST metric that sends one value a day: daily increments and values to date."""
    world = World(metrics(metric("LATEST", "v"))).product("p", "m0").contract("c", "A")
    attributed = world.attribute([sent(day(1 + index, 12), v=str(value)) for index, value in enumerate(values)])
    found = metering.daily_usage(attributed, world.metrics).collect().sort("usage_date")
    return found["quantity"].to_list(), found["cumulative"].to_list()


def test_latest_increments() -> None:
    example = EXAMPLES["latest_increments"]
    increments, to_date = of_days(example["given"]["daily"])
    assert increments == [exact(one) for one in example["expected"]["increments"]]
    assert to_date == [exact(one) for one in example["expected"]["usage_endpoint_daily"]]


def test_latest_of_the_whole_window() -> None:
    example = EXAMPLES["latest_usage_endpoint_none_window"]
    assert of_days(example["given"]["daily"])[1][-1] == exact(example["expected"]["value"])


@pytest.mark.parametrize(
    ("example", "increments"),
    [("latest_commit_day2", [7, 2]), ("latest_rate_change_up", [7, 2]), ("latest_rate_change_down", [40, -10])],
)
def test_what_the_prices_of_these_examples_are_applied_to(example: str, increments: list[int]) -> None:
    """Their prices and commits are rating's; the quantities by segment are metering's."""
    given = EXAMPLES[example]["given"]
    daily = given.get("daily") or [40, 30]
    world = World(metrics(metric("LATEST", "v"))).product("p", "m0").contract("c", "A")
    world.extra_bounds = [day(2)]
    found = world.cumulatives([sent(day(1 + index, 12), v=str(value)) for index, value in enumerate(daily)])
    to_date = found["raw_cumulative"].to_list()
    assert [to_date[0], to_date[1] - to_date[0]] == [exact(one) for one in increments]
