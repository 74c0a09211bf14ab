"""What is kept by the hour: which metrics share it, and when a change makes it another."""

from __future__ import annotations

from typing import Any

import pytest

from billing_assets.catalog.metrics import BillableMetric
from billing_assets.metering import compile_measures, measure_of, promotions
from billing_assets_tests.metering.world import metric, metrics


def measures_of(*written: dict[str, Any]) -> list[str]:
    """The measure of each metric."""
    found: tuple[BillableMetric, ...] = metrics(*written)
    return [measure_of(one, found).measure_id for one in found]  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["COUNT", "SUM", "AVG", "MIN", "MAX", "LATEST"])
@pytest.mark.parametrize("second", ["SUM", "AVG", "MIN", "MAX", "LATEST"])
def test_metrics_of_one_key_under_one_filter_share_a_measure(first: str, second: str) -> None:
    one, other = measures_of(metric(first, None if first == "COUNT" else "v"), metric(second, "v"))
    assert one == other


def test_a_count_alone_has_a_measure_of_events() -> None:
    found = compile_measures(metrics(metric("COUNT")))
    assert sorted(one.kind for one in found) == ["events", "no_metric"]


@pytest.mark.parametrize(
    "other",
    [
        metric("SUM", "w"),
        metric("SUM", "v", event_type_filter={"in_values": ["x"]}),
        metric("SUM", "v", property_filters=[{"name": "m", "exists": True}]),
        metric("SUM", "v", group_keys=[["m"]]),
        metric("UNIQUE", "v"),
    ],
)
def test_another_key_filter_group_or_kind_is_another_measure(other: dict[str, Any]) -> None:
    one, different = measures_of(metric("SUM", "v"), other)
    assert one != different


def test_how_a_filter_is_written_makes_no_difference() -> None:
    one = metric("SUM", "v", property_filters=[{"name": "m", "in_values": [1, "b"]}, {"name": "r", "exists": True}])
    other = metric("SUM", "v", property_filters=[{"name": "r", "exists": True}, {"name": "m", "in_values": ["b", "1"]}])
    assert len(set(measures_of(one, other))) == 1


def test_a_metric_is_grouped_by_all_names_of_its_keys() -> None:
    found = metrics(metric("SUM", "v", group_keys=[["m"], ["r", "m"], ["z"]]))
    assert measure_of(found[0], found).group_key == ("m", "r", "z")  # type: ignore[arg-type]


def test_a_new_aggregate_of_a_key_makes_the_measure_another_one() -> None:
    """States hold only what is needed, so states without a maximum are no states of a metric that needs one."""
    alone = measures_of(metric("SUM", "v"))[0]
    assert measures_of(metric("SUM", "v"), metric("AVG", "v"))[0] == alone
    assert measures_of(metric("SUM", "v"), metric("MAX", "v"))[0] != alone


def test_any_new_filter_changes_what_matches_no_metric() -> None:
    def unmatched(*written: dict[str, Any]) -> str:
        return next(one.measure_id for one in compile_measures(metrics(*written)) if one.kind == "no_metric")

    one = metric("COUNT", event_type_filter={"in_values": ["x"]})
    assert unmatched(one) == unmatched(one, metric("SUM", "v", event_type_filter={"in_values": ["x"]}))
    assert unmatched(one) != unmatched(one, metric("COUNT", event_type_filter={"in_values": ["y"]}))


def test_measure_ids_never_change() -> None:
    """Stored states are found by these ids: a change of this test re-meters every lake."""
    found = metrics(
        metric("COUNT", event_type_filter={"in_values": ["x"]}),
        metric("MAX", "v", property_filters=[{"name": "m", "not_in_values": ["a"]}], group_keys=[["r"]]),
        metric("UNIQUE", "u"),
    )
    assert [one.measure_id for one in compile_measures(found)] == GOLDEN


GOLDEN = [
    "measure_12f68a633cb4e567830a9a98",
    "measure_b0a319998bba1645e698eb75",
    "measure_c7803cdbb3d5518829035411",
    "measure_cf739ca3f9411c3b38a318a9",
]


def test_promoted_are_the_properties_that_metrics_read() -> None:
    found = metrics(
        metric("SUM", "v", property_filters=[{"name": "f", "exists": True}], group_keys=[["g"], ["g", "h"]]),
        metric("UNIQUE", "u"),
        metric("COUNT"),
    )
    assert promotions(found) == (frozenset({"f", "g", "h", "u"}), frozenset({"v"}))
