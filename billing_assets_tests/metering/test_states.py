"""Hourly states: what is kept of a day's events, and that it merges."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.metering import NO_METRIC, compile_measures, distinct_values, hourly_states, measure_of
from billing_assets.metering.states import STATE, VALUE
from billing_assets_tests.metering.world import Sent, day, events, exact, hour, metric, metrics, sent, states_of

ROWS = [
    sent(hour(0.1), v="2", m="x", r="1"),
    sent(hour(0.5), v="0.000000000001", m="x", r="2"),
    sent(hour(1.0), v="-5", m="x", r="1"),
    sent(hour(1.2), v="many", m="x", r="1"),
    sent(hour(1.3), m="x", r="1"),
    sent(hour(1.4), v="7", r="1"),
    sent(hour(1.4), v="7", m="null", r="1"),
    sent(hour(1.4), "b", v="1e3", m="", r="1"),
]


def only(rows: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The rows in order of reference, hour and group values."""
    return rows.sort("customer_ref", "window_start", "group_values").select(columns).rows()


def of_metrics(rows: list[Sent], *written: dict[str, Any], promoted: frozenset[str] = frozenset()) -> pl.DataFrame:
    found = metrics(*written)
    unmatched = [one.measure_id for one in compile_measures(found) if one.kind == NO_METRIC]
    return states_of(rows, found, promoted).filter(~pl.col("measure_id").is_in(unmatched))


def test_counts_exceptions_and_statistics_by_hour_and_group() -> None:
    found = of_metrics(ROWS, metric("SUM", "v", group_keys=[["m"]]), metric("MAX", "v", group_keys=[["m"]]))
    counts = ("event_count", "exception_count")
    assert only(found, "customer_ref", "window_start", "group_values", *counts, "sum", "max") == [
        ("a", hour(0), '{"m":"x"}', 2, 0, exact("2.000000000001"), exact(2)),
        ("a", hour(1), '{"m":"null"}', 1, 0, exact(7), exact(7)),
        ("a", hour(1), '{"m":"x"}', 3, 2, exact(-5), exact(-5)),
        ("a", hour(1), '{"m":null}', 1, 0, exact(7), exact(7)),
        ("b", hour(1), '{"m":""}', 1, 0, exact(1000), exact(1000)),
    ]  # fmt: skip


def test_the_columns_are_those_of_the_table() -> None:
    found = of_metrics(ROWS, metric("LATEST", "v"), metric("UNIQUE", "r"), metric("COUNT"))
    assert found.schema == STATE


def test_without_a_usable_value_the_statistics_are_null() -> None:
    rows = [sent(hour(0), v="x"), sent(hour(0))]
    found = of_metrics(rows, *(metric(kind, "v") for kind in ("SUM", "MIN", "MAX", "LATEST")))
    columns = ("event_count", "exception_count", "sum", "min", "max", "last_value", "last_at", "last_transaction_id")
    assert only(found, *columns) == [(2, 2, None, None, None, None, None, None)]


def test_promoted_columns_give_what_the_text_gives() -> None:
    written = [
        metric("SUM", "v", group_keys=[["m"], ["r"]], property_filters=[{"name": "m", "exists": True}]),
        metric("LATEST", "v"),
        metric("UNIQUE", "v", group_keys=[["r"]]),
    ]
    promoted = frozenset({"property_m", "property_r", "property_v", "number_v"})
    keys = ["measure_id", "customer_ref", "group_values", "window_start"]
    assert of_metrics(ROWS, *written, promoted=promoted).sort(keys).equals(of_metrics(ROWS, *written).sort(keys))
    some = of_metrics(ROWS, *written, promoted=frozenset({"property_m", "number_v"}))
    assert some.sort(keys).equals(of_metrics(ROWS, *written).sort(keys))


def test_coarse_keys_are_rolled_up_from_fine_ones() -> None:
    """All keys of a day at once give what each gives alone."""
    written = [
        metric("SUM", "v", group_keys=[["m", "r"]]),
        metric("MIN", "v", group_keys=[["m"]], event_type_filter={"in_values": ["e"]}),
        metric("LATEST", "v", group_keys=[["r"]]),
        metric("COUNT", property_filters=[{"name": "m", "exists": False}]),
        metric("SUM", "r", group_keys=[["z"]]),
        metric("UNIQUE", "m", group_keys=[["z", "r"]]),
    ]
    keys = ["measure_id", "customer_ref", "group_values", "window_start"]
    together = of_metrics(ROWS, *written).sort(keys)
    alone = pl.concat([of_metrics(ROWS, one) for one in written]).sort(keys)
    assert together.equals(alone)


def test_group_values_are_canonical() -> None:
    rows = [sent(hour(0), b='a"b\\', a="\n\u2028é"), sent(hour(0), a="")]
    found = of_metrics(rows, metric("COUNT", group_keys=[["b", "a"]]))
    assert found["group_key"].unique().to_list() == ['["a","b"]']
    assert only(found, "group_values") == [('{"a":"","b":null}',), ('{"a":"\\n\u2028é","b":"a\\"b\\\\"}',)]


def test_latest_is_by_time_then_by_transaction() -> None:
    rows = [
        sent(hour(0.2), tx="t9", v="1"),
        sent(hour(0.5), tx="t10", v="2"),
        sent(hour(0.5), tx="t2", v="3"),
        sent(hour(0.5), tx="t3", v="not a number"),
        sent(hour(0.4), tx="t99", v="4"),
    ]
    for order in (rows, rows[::-1]):
        found = of_metrics(order, metric("LATEST", "v"))
        assert only(found, "last_value", "last_at", "last_transaction_id") == [(exact(3), hour(0.5), "t2")]


def test_events_without_a_metric_are_counted_by_reference_and_hour() -> None:
    found = metrics(metric("COUNT", event_type_filter={"in_values": ["other"]}))
    measure = next(one for one in compile_measures(found) if one.kind == NO_METRIC)
    states = states_of(ROWS, found)
    assert set(states["measure_id"]) == {measure.measure_id}
    assert only(states, "customer_ref", "window_start", "group_values", "event_count") == [
        ("a", hour(0), "{}", 2), ("a", hour(1), "{}", 5), ("b", hour(1), "{}", 1)
    ]  # fmt: skip


def test_ingest_batches_stay_apart() -> None:
    rows = [sent(hour(0), batch=1, v="1"), sent(hour(0), batch=2, v="2"), sent(hour(0), batch=2, v="3")]
    found = of_metrics(rows, metric("SUM", "v"))
    assert sorted(found.select("ingest_batch", "sum").rows()) == [(1, exact(1)), (2, exact(5))]


def test_distinct_values_by_hour() -> None:
    rows = [
        sent(hour(0.1), v="u"), sent(hour(0.2), v="u"), sent(hour(0.3), v=""), sent(hour(0.4)),
        sent(hour(1), v="u"), sent(hour(1), "b", v="1.0"), sent(hour(1), "b", v="1"),
    ]  # fmt: skip
    found = metrics(metric("UNIQUE", "v"))
    values = distinct_values(events(rows), compile_measures(found), frozenset()).collect()
    assert values.schema == VALUE
    assert sorted(values.select("customer_ref", "window_start", "value").rows()) == [
        ("a", hour(0), ""), ("a", hour(0), "u"), ("a", hour(1), "u"), ("b", hour(1), "1"), ("b", hour(1), "1.0")
    ]  # fmt: skip
    states = of_metrics(rows, metric("UNIQUE", "v"))
    assert only(states, "window_start", "event_count", "exception_count") == [
        (hour(0), 4, 1), (hour(1), 1, 0), (hour(1), 2, 0)
    ]  # fmt: skip


def test_numbers_are_exact_at_every_length_that_fits() -> None:
    long = "12345678901234567890123456.123456789012"
    rows = [sent(hour(0), v=long), sent(hour(0), v="-" + long), sent(hour(0), v="0.1"), sent(hour(0), v="1" + "0" * 26)]
    found = of_metrics(rows, metric("SUM", "v"), metric("MAX", "v"))
    assert only(found, "sum", "max", "exception_count") == [(exact("0.1"), Decimal(long), 1)]


def test_a_sum_that_does_not_fit_is_an_error() -> None:
    rows = [sent(hour(0), tx=str(index), v="9" * 26) for index in range(20)]
    with pytest.raises(pl.exceptions.ComputeError, match="overflow"):
        of_metrics(rows, metric("SUM", "v"))


def test_no_events_and_no_measures() -> None:
    found = metrics(metric("SUM", "v"), metric("LATEST", "v"), metric("UNIQUE", "v"))
    assert states_of([], found).is_empty()
    assert hourly_states(events(ROWS), (), frozenset()).collect().schema == STATE
    assert distinct_values(events(ROWS), (), frozenset()).collect().schema == VALUE


def test_a_measure_that_others_share_is_the_same_alone() -> None:
    """Slices are metered again by measure: a subset of the measures gives the same rows."""
    found = metrics(metric("SUM", "v", group_keys=[["m", "r"]]), metric("MAX", "v", group_keys=[["m"]]))
    keys = ["customer_ref", "group_values", "window_start"]
    everything = states_of(ROWS, found)
    for one in found:
        measure = measure_of(one, found)  # type: ignore[arg-type]
        alone = hourly_states(events(ROWS), (measure,), frozenset()).collect().sort(keys)
        assert everything.filter(pl.col("measure_id") == measure.measure_id).sort(keys).equals(alone)


def test_hours_are_those_of_the_timestamp() -> None:
    rows = [sent(day(2, 5.999), v="1"), sent(day(2, 6), v="1")]
    found = of_metrics(rows, metric("SUM", "v"))
    assert only(found, "window_start", "usage_date") == [(day(2, 5), day(2).date()), (day(2, 6), day(2).date())]
