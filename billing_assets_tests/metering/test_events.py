"""Which events count: each predicate on a frame of a few rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.metering.events import matches, readable, usable
from billing_assets.metering.measures import compile_measures, measure_of
from billing_assets_tests.metering.world import day, events, metric, metrics, sent

ROWS = [
    sent(day(1), kind="x", m="1", v="2.5"),
    sent(day(1), kind="y", m="", v="many"),
    sent(day(1), kind="z", v="1e400"),
    sent(day(1), kind="x", m='say "1"'),
]


def chosen(written: dict[str, Any], promoted: tuple[str, ...] = ()) -> list[bool]:
    found = metrics(written)
    measure = measure_of(found[0], found)  # type: ignore[arg-type]
    frame = readable(events(ROWS, promoted), [measure], frozenset(promoted))
    return frame.with_columns(found=matches(measure)).collect()["found"].to_list()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"event_type_filter": {"in_values": ["x"]}}, [True, False, False, True]),
        ({"event_type_filter": {"in_values": ["x", "z"]}}, [True, False, True, True]),
        ({"event_type_filter": {"not_in_values": ["x"]}}, [False, True, True, False]),
        ({"event_type_filter": {"in_values": []}}, [False] * 4),
        ({"property_filters": [{"name": "m", "exists": True}]}, [True, True, False, True]),
        ({"property_filters": [{"name": "m", "exists": False}]}, [False, False, True, False]),
        ({"property_filters": [{"name": "m", "in_values": [1]}]}, [True, False, False, False]),
        ({"property_filters": [{"name": "m", "in_values": [Decimal("1.0"), ""]}]}, [True, True, False, False]),
        ({"property_filters": [{"name": "m", "in_values": ["1.0"]}]}, [False] * 4),
        ({"property_filters": [{"name": "m", "in_values": ['say "1"']}]}, [False, False, False, True]),
        ({"property_filters": [{"name": "m", "not_in_values": ["1"]}]}, [False, True, True, True]),
        ({"property_filters": [{"name": "m", "not_in_values": ["1", ""]}]}, [False, False, True, True]),
        ({"property_filters": [{"name": name, "exists": True} for name in "mv"]}, [True, True, False, False]),
        ({}, [True] * 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("promoted", [(), ("property_m",), ("property_m", "property_v")])
def test_conditions(condition: dict[str, Any], expected: list[bool], promoted: tuple[str, ...]) -> None:
    assert chosen(metric("COUNT", **condition), promoted) == expected


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("SUM", [True, False, False, False]), ("UNIQUE", [True, True, True, False])]
)
@pytest.mark.parametrize("promoted", [(), ("property_v", "number_v")])
def test_usable_values(aggregation: str, expected: list[bool], promoted: tuple[str, ...]) -> None:
    """Numbers that fit for an aggregate, any text for distinct values; an absent one for neither."""
    found = metrics(metric(aggregation, "v"))
    measure = measure_of(found[0], found)  # type: ignore[arg-type]
    frame = readable(events(ROWS, promoted), [measure], frozenset(promoted))
    assert frame.with_columns(found=usable(measure)).collect()["found"].to_list() == expected


def test_events_that_match_no_metric() -> None:
    found = metrics(
        metric("COUNT", event_type_filter={"in_values": ["y"]}),
        metric("COUNT", property_filters=[{"name": "m", "in_values": ["1"]}]),
    )
    measure = next(one for one in compile_measures(found) if one.kind == "no_metric")
    frame = readable(events(ROWS), [measure], frozenset())
    assert frame.with_columns(found=matches(measure)).collect()["found"].to_list() == [False, False, True, True]


@pytest.mark.parametrize("name", ["user.id", 'quo"te', "back\\slash", "ключ", "a b", "0"])
def test_any_name_of_a_property_can_be_read(name: str) -> None:
    found = metrics(metric("SUM", name, property_filters=[{"name": name, "exists": True}]))
    measure = measure_of(found[0], found)  # type: ignore[arg-type]
    rows = [sent(day(1), **{name: "7"}), sent(day(1), other="8")]
    frame = readable(events(rows), [measure], frozenset())
    assert frame.filter(matches(measure)).select(pl.len()).collect().item() == 1
