"""SQL metrics as quantities: against DuckDB run customer by customer, and by hand."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets import metering
from billing_assets_tests.metering.world import Sent, World, day, exact, hour, metric, metrics, sent

FEW = settings(max_examples=20, suppress_health_check=list(HealthCheck))
V = "CAST(properties.v AS DECIMAL(30, 12))"
QUERIES = [
    f"SELECT MAX({V}) AS value, properties.m FROM events GROUP BY properties.m",
    "SELECT COUNT(DISTINCT properties.v) AS value, properties.m, properties.r FROM events GROUP BY 2, 3",
    f"SELECT SUM({V}) * 2 - COUNT(*) AS value, properties.m FROM events GROUP BY properties.m HAVING COUNT(*) > 1",
    f"SELECT properties.m, SUM(CASE WHEN {V} > 1 THEN {V} ELSE 0.5 END) AS value FROM events WHERE event_type <> 'f' "
    "OR properties.r = '1' GROUP BY properties.m",
    f"SELECT m, SUM(top) AS value FROM (SELECT properties.m, DATE_TRUNC('day', timestamp) AS d, MAX({V}) AS top "
    "FROM events GROUP BY properties.m, DATE_TRUNC('day', timestamp)) t GROUP BY m",
    "WITH t AS (SELECT DISTINCT properties.m, properties.r FROM events WHERE properties.r IS NOT NULL) "
    "SELECT COUNT(*) AS value, m FROM t GROUP BY m",
    f"SELECT COUNT(*) FILTER (WHERE properties.v LIKE '2%') + MIN(ABS({V})) AS value, properties.m FROM events "
    "WHERE EXTRACT(hour FROM timestamp) BETWEEN 2 AND 20 GROUP BY properties.m",
    f"SELECT ROUND({V}, 1) + FLOOR({V}) + CEIL(-{V}) AS value, COALESCE(properties.m, 'none') AS name, properties.m "
    "FROM events",
    "SELECT COUNT(DISTINCT UPPER(properties.m) || event_type) AS value, properties.m FROM events "
    "WHERE NOT (event_type IN ('f', 'g') AND properties.r IS NULL) GROUP BY properties.m",
]
NUMBERS = ["0", "1", "2.5", "-4", "20", "0.000000000001"]


def sql(text: str, **terms: Any) -> dict[str, Any]:
    return {"aggregation_type": "SQL", "sql": text, **terms}


happenings = st.lists(
    st.builds(
        Sent,
        at=st.integers(0, 60).map(lambda count: hour(count / 2)),
        ref=st.sampled_from(["a", "a2", "b"]),
        properties=st.fixed_dictionaries(
            {"v": st.sampled_from(NUMBERS)},
            optional={"m": st.sampled_from(["x", "y", ""]), "r": st.sampled_from(["1", "2"])},
        ),
        event_type=st.sampled_from(["e", "f"]),
        batch=st.integers(1, 2),
    ),
    min_size=5,
    max_size=25,
)


def by_duckdb(text: str, rows: list[Sent], until: datetime, key: str | None) -> dict[str, Decimal]:
    """The query over some events, its values added up by a column."""
    shape = "STRUCT(v VARCHAR, m VARCHAR, r VARCHAR)"
    with duckdb.connect() as engine:
        engine.execute(
            f"CREATE TABLE events (event_type VARCHAR, transaction_id VARCHAR, timestamp TIMESTAMP, properties {shape})"
        )
        for one in rows:
            if one.at < until:
                values = {name: one.properties.get(name) for name in ("v", "m", "r")}
                found = [one.event_type, one.transaction_id, one.at.replace(tzinfo=None), values]
                engine.execute("INSERT INTO events VALUES (?, ?, ?, ?)", found)
        cursor = engine.execute(text)
        names = [column[0] for column in cursor.description]
        totals: dict[str, Decimal] = {}
        for row in cursor.fetchall():
            found_row = dict(zip(names, row, strict=True))
            name = "{}" if key is None else "null" if found_row[key] is None else found_row[key]
            totals[name] = totals.get(name, Decimal(0)) + Decimal(str(found_row["value"] or 0))
        return totals


@pytest.mark.parametrize("keyed", [False, True])
@FEW
@given(rows=happenings, chosen=st.sampled_from(QUERIES))
def test_queries_agree_with_duckdb(keyed: bool, rows: list[Sent], chosen: str) -> None:
    rows = [Sent(one.at, one.ref, one.properties, one.event_type, f"t{n}", one.batch) for n, one in enumerate(rows)]
    world = World(metrics(sql(chosen)), aliases={"a": "A", "a2": "A", "b": "B"})
    world.product("p", "m0", ["m"] if keyed else []).contract("ca", "A", hour(2), hour(28), [hour(20)])
    world.contract("cb", "B", hour(2), hour(28), [hour(20)])
    world.extra_bounds = [hour(9), hour(24)]
    known: dict[Any, dict[str, Decimal]] = {}
    for row in world.cumulatives(rows).iter_rows(named=True):
        refs = ("a", "a2") if row["contract_id"] == "ca" else ("b",)
        span = (row["contract_id"], row["period_start"], row["segment_end"])
        if span not in known:
            mine = [one for one in rows if one.ref in refs and row["period_start"] <= one.at]
            known[span] = by_duckdb(chosen, mine, row["segment_end"], "m" if keyed else None)
        values = json.loads(row["pricing_group_values"])
        name = "{}" if not keyed else "null" if values["m"] is None else values["m"]
        assert row["raw_cumulative"] == known[span].get(name, Decimal(0)), (chosen, row)


def quantities(world: World, *rows: Sent, **terms: Any) -> list[tuple[Any, ...]]:
    found = world.cumulatives(list(rows), **terms)
    return [tuple(row) for row in found.select("raw_cumulative", "event_count").rows()]


def one(text: str, **terms: Any) -> World:
    return World(metrics(sql(text, **terms))).product("p", "m0").contract("c", "A")


@pytest.mark.parametrize("text", ["SELECT SUM(properties.v) FROM events", "SELECT SUM(properties.v) + 0 FROM events"])
def test_by_the_service_period_all_of_it_falls_in_the_last_hour(text: str) -> None:
    world = one(text, granularity="service_period")
    world.extra_bounds = [day(10), day(31, 23)]
    found = quantities(world, sent(day(3), v="5"), sent(day(20), v="7"))
    assert found == [(exact(0), 0), (exact(0), 0), (exact(12), 2)]


def test_by_the_hour_increments_fall_where_their_events_do() -> None:
    world = one("SELECT SUM(properties.v) + 0 FROM events")
    world.extra_bounds = [day(10)]
    assert quantities(world, sent(day(3), v="5"), sent(day(20), v="7")) == [(exact(5), 1), (exact(12), 1)]


def test_columns_that_are_no_keys_are_summed_over() -> None:
    """5 and 7 by region; a declared MAX of a product without the key would be 7."""
    world = one("SELECT MAX(properties.v) AS value, properties.r FROM events GROUP BY properties.r")
    assert quantities(world, sent(day(3), v="5", r="1"), sent(day(4), v="7", r="2")) == [(exact(12), 2)]


def test_avg_is_a_decimal_and_text_that_is_no_number_is_null() -> None:
    world = one("SELECT AVG(properties.v) + COUNT(properties.v) FROM events")
    found = quantities(world, sent(day(3), v="1"), sent(day(4), v="1"), sent(day(5), v="0"), sent(day(6), v="many"))
    assert found == [(exact("4.666666666667"), 4)]


def test_a_division_by_zero_is_null() -> None:
    world = one("SELECT SUM(properties.v) / SUM(properties.w) FROM events")
    assert quantities(world, sent(day(3), v="1", w="0")) == [(exact(0), 1)]


def test_a_query_sees_what_the_filter_admits_up_to_now() -> None:
    world = one("SELECT COUNT(DISTINCT properties.v || 'x') AS value, properties.r FROM events GROUP BY properties.r")
    world.usage_filter("c", "r", ["1"])
    rows = [sent(day(3), v="1", r="1"), sent(day(3), v="2", r="2"), sent(day(9), v="3", r="1"), sent(day(9), v="4")]
    assert quantities(world, *rows, now=day(5)) == [(exact(1), 1)]
    assert quantities(world, *rows) == [(exact(2), 2)]


def test_events_of_a_query_have_dispositions_by_its_where() -> None:
    world = one("SELECT COUNT(*) * 2 FROM events WHERE event_type = 'e' AND properties.v > 3")
    rows = [sent(day(3), v="5"), sent(day(3), v="2"), sent(day(3), "who", v="9"), sent(day(3), kind="f", v="9")]
    listed, equation = world.unbilled(rows)
    found = sorted(listed.select("billable_metric_id", "disposition", "event_count").rows(), key=repr)
    assert found == [("m0", "unattributed", 1), (None, "no_metric", 2)]
    assert equation.select("accepted", "billed", "listed").rows() == [(2, 1, 1)]


def test_by_the_service_period_the_last_hours_price_decides_what_is_billed() -> None:
    world = one("SELECT COUNT(*) FROM events", granularity="service_period")
    world.extra_bounds = [day(10)]
    listed, _ = world.unbilled([sent(day(3))], {("p", day(1)): "rated", ("p", day(10)): "unrated"})
    assert listed["disposition"].to_list() == ["unrated"]


def test_daily_usage_of_a_query_is_a_row_of_its_period() -> None:
    world = one("SELECT MAX(properties.v) AS value, properties.r FROM events GROUP BY properties.r")
    attributed = world.attribute([sent(day(3), v="5", r="1"), sent(day(4), v="7", r="1"), sent(day(5), v="9", r="2")])
    found = metering.daily_usage(attributed, world.metrics).collect().sort("group_values")
    assert found.select("group_key", "group_values", "usage_date", "quantity", "event_count").rows() == [
        ('["r"]', '{"r":"1"}', day(4).date(), exact(7), 2), ('["r"]', '{"r":"2"}', day(5).date(), exact(9), 1)
    ]  # fmt: skip


def test_a_swap_to_a_query() -> None:
    world = World(metrics(metric("SUM", "a"), sql("SELECT MAX(properties.b) + 0 FROM events"))).product("p", "m0")
    world.contract("c", "A").update("p", day(15), billable_metric_id="m1")
    found = quantities(world, sent(day(3), a="7", b="40"), sent(day(20), b="45"))
    assert found == [(exact(7), 1), (exact(12), 1)]


def test_now_inside_an_hour_counts_the_hour_as_a_whole() -> None:
    world = one("SELECT SUM(properties.v) + 0 FROM events")
    late = day(3) + timedelta(minutes=50)
    assert quantities(world, sent(late, v="5"), now=day(3) + timedelta(minutes=10)) == [(exact(5), 1)]
