"""SQL metrics when the catalog loads: what is refused, and what is no more than a declared metric."""

from __future__ import annotations

from typing import Any

import pytest

from billing_assets.catalog.sql.plans import SqlQuery, declared_keys, metered
from billing_assets.catalog.sql.reading import QueryError, read_query
from billing_assets.metering import compile_measures, measure_of
from billing_assets_tests.metering.world import metric, metrics

NO_FILE = "expected the relation events: no file, no function and no other table can be read"

REFUSED = {
    # Files, other tables, functions that make tables.
    "SELECT COUNT(*) FROM read_csv('/etc/passwd')": NO_FILE,
    "SELECT COUNT(*) FROM read_parquet('s3://a/b')": NO_FILE,
    "SELECT COUNT(*) FROM '/etc/passwd'": NO_FILE,
    'SELECT COUNT(*) FROM "/data/x.parquet"': NO_FILE,
    "SELECT COUNT(*) FROM scan_delta('x')": NO_FILE,
    "SELECT COUNT(*) FROM customers": NO_FILE,
    "SELECT COUNT(*) FROM other.events": "no db in it",
    "SELECT COUNT(*) FROM generate_series(1, 10)": NO_FILE,
    "SELECT COUNT(*) FROM UNNEST(ARRAY[1, 2])": NO_FILE,
    "SELECT COUNT(*) FROM (VALUES (1)) t": NO_FILE,
    "WITH t AS (SELECT COUNT(*) AS n FROM read_json('x')) SELECT SUM(n) FROM t": NO_FILE,
    "WITH RECURSIVE t AS (SELECT COUNT(*) AS n FROM t) SELECT SUM(n) FROM t": "no recursive in it",
    "WITH t AS (SELECT n FROM t) SELECT COUNT(*) FROM t": NO_FILE,
    "WITH events AS (SELECT COUNT(*) AS n FROM events) SELECT SUM(n) FROM events": "another name than events",
    "SELECT COUNT(*) FROM events, customers": "no joins in it",
    "SELECT COUNT(*) FROM events a JOIN events b ON a.event_type = b.event_type": "no joins in it",
    "SELECT COUNT(*) FROM events LEFT JOIN read_csv('x') t ON TRUE": "no joins in it",
    "SELECT COUNT(*) FROM events WHERE event_type IN (SELECT a FROM read_csv('x'))": "no query in it",
    "SELECT COUNT(*) FROM events WHERE EXISTS (SELECT 1 FROM read_csv('x'))": "(exists)",
    "SELECT (SELECT COUNT(*) FROM read_csv('x')) FROM events": "(subquery)",
    "SELECT COUNT(*) FROM events WHERE event_type = ANY (SELECT a FROM x)": "(any)",
    # Statements.
    "SELECT COUNT(*) FROM events; SELECT 1": "found 2 statements",
    "DROP TABLE events": "one SELECT",
    "CREATE TABLE t AS SELECT COUNT(*) FROM events": "one SELECT",
    "INSERT INTO t SELECT COUNT(*) FROM events": "one SELECT",
    "COPY events TO 'x'": "one SELECT",
    "ATTACH 'x' AS y": "cannot be read",
    "SET x = 1": "one SELECT",
    "SELECT COUNT(*) FROM events UNION SELECT 1": "one SELECT",
    "SELECT COUNT(*) INTO t FROM events": "no into in it",
    "": "found 0 statements",
    "SELEC COUNT(*) FROM events": "cannot be read",
    "SELECT COUNT(* FROM events": "cannot be read",
    # Floats.
    "SELECT SUM(CAST(properties.v AS DOUBLE PRECISION)) FROM events": "a float would round",
    "SELECT SUM(properties.v::float) FROM events": "a float would round",
    "SELECT SQRT(COUNT(*)) FROM events": "(sqrt)",
    "SELECT STDDEV(properties.v) FROM events": "(stddev)",
    "SELECT RANDOM() FROM events": "(rand)",
    "SELECT SUM(properties.v) ^ 2 FROM events": "(pow)",
    "SELECT 0.1234567890123 * COUNT(*) FROM events": "at most 12 decimal places",
    "SELECT APPROX_COUNT_DISTINCT(properties.v) FROM events": "(approxdistinct)",
    "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY properties.v) FROM events": "(withingroup)",
    # What has no meaning for many customers at once, or none at all.
    "SELECT COUNT(*) FROM events LIMIT 1": "no limit in it",
    "SELECT COUNT(*) FROM events ORDER BY 1": "no order in it",
    "SELECT SUM(properties.v) OVER () FROM events": "(window)",
    "SELECT DISTINCT ON (event_type) 1 AS value FROM events": "no on in it",
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP (event_type)": "(rollup)",
    "SELECT * FROM events": "the names of the columns",
    "SELECT COUNT(*) FROM events TABLESAMPLE (10)": "no sample in it",
    "SELECT CURRENT_TIMESTAMP FROM events": "(currenttimestamp)",
    "SELECT pg_read_file('x') FROM events": "(anonymous)",
    "SELECT 1": "FROM events",
    "SELECT COUNT(*), event_type FROM events": "expected it in GROUP BY",
    "SELECT properties.v AS value FROM events": "expected a number: CAST(... AS DECIMAL)",
    "SELECT SUM(COUNT(*)) FROM events": "no aggregate inside an aggregate",
    "SELECT COUNT(*) FROM events WHERE SUM(properties.v) > 1": "no aggregate in WHERE",
    "SELECT COUNT(*) FROM events WHERE event_typ = 'x'": "did you mean 'event_type'?",
    "SELECT COUNT(*) FROM events WHERE customer_ref = 'x'": "a column of events",
    "SELECT COUNT(*) FROM events WHERE event_type": "a condition, not text",
    "SELECT COUNT(*) FROM events WHERE properties.a = TRUE": "parts of one kind",
    "SELECT SUM(m) FROM (SELECT COUNT(*) AS n FROM events) t": "a column of the query below (n)",
    "SELECT COUNT(*) AS value, 1 AS value FROM events": "the column 'value' twice",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused(sql: str) -> None:
    with pytest.raises(QueryError) as raised:
        read_query(sql)
    assert REFUSED[sql] in str(raised.value)


def test_no_depth_and_no_length_breaks_the_reading() -> None:
    deep = "1" + " / (1" * 40 + ")" * 40
    for sql in (
        f"SELECT COUNT(*) * {deep} FROM events",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000 + " FROM events",
        "SELECT 1 FROM events" + " " * 20_000,
        "SELECT COUNT(*) AS n FROM (" * 40 + "SELECT 1 AS n FROM events" + ") t" * 40,
        "SELECT " + "1 + " * 2400 + "1 FROM events",
        "\x00",
        "SELECT \ud83d FROM events",
    ):
        with pytest.raises(QueryError):
            read_query(sql)


PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("SELECT COUNT(*) FROM events", metric("COUNT")),
    ("SELECT SUM(properties.v) AS value FROM events", metric("SUM", "v")),
    ("SELECT MAX(CAST(properties.v AS DECIMAL)) FROM events e", metric("MAX", "v")),
    ('select avg(e.properties."v w") from events as e', metric("AVG", "v w")),
    ("SELECT COUNT(DISTINCT properties.user) FROM events", metric("UNIQUE", "user")),
    ("SELECT COUNT(properties.v) FROM events", metric("COUNT", property_filters=[{"name": "v", "exists": True}])),
    (
        "SELECT SUM(properties.v) AS value, properties.m, properties.r FROM events GROUP BY properties.m, r",
        metric("SUM", "v", group_keys=[["m", "r"]]),
    ),
    (
        "SELECT COUNT(*) FROM events WHERE event_type = 'a' AND properties.m IN ('x', 'y') "
        "AND properties.r IS NOT NULL",
        metric(
            "COUNT",
            event_type_filter={"in_values": ["a"]},
            property_filters=[{"name": "m", "in_values": ["x", "y"]}, {"name": "r", "exists": True}],
        ),
    ),
    (
        "SELECT COUNT(*) FROM events WHERE event_type NOT IN ('a') AND (properties.m <> 'x') AND properties.r IS NULL",
        metric(
            "COUNT",
            event_type_filter={"not_in_values": ["a"]},
            property_filters=[
                {"name": "m", "exists": True, "not_in_values": ["x"]},
                {"name": "r", "exists": False},
            ],
        ),
    ),
]


@pytest.mark.parametrize(("sql", "declared"), PLAIN, ids=[sql for sql, _ in PLAIN])
def test_a_plain_aggregate_reads_the_measure_of_a_declared_metric(sql: str, declared: dict[str, Any]) -> None:
    both = metrics(declared, {"aggregation_type": "SQL", "sql": sql})
    assert measure_of(both[1], both) == measure_of(both[0], both)
    assert metered(both[1]).aggregation_type == declared["aggregation_type"]
    assert len(compile_measures(both)) == len(compile_measures(both[:1]))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT MAX(properties.v) AS value, properties.m FROM events GROUP BY 2",
        "SELECT SUM(properties.v) * 2 FROM events",
        "SELECT SUM(properties.v) AS value, properties.m AS kind FROM events GROUP BY kind",
        "SELECT COUNT(*) FROM events HAVING COUNT(*) > 5",
        "SELECT COUNT(*) FILTER (WHERE properties.m = 'x') FROM events",
        "SELECT COUNT(DISTINCT properties.m || properties.r) FROM events",
        "SELECT COUNT(*) FROM (SELECT DISTINCT properties.m FROM events) t",
    ],
)
def test_what_says_more_is_a_query(sql: str) -> None:
    assert isinstance(metered(metrics({"aggregation_type": "SQL", "sql": sql})[0]), SqlQuery)


def test_keys_are_the_properties_that_a_query_passes_on() -> None:
    sql = (
        "WITH t AS (SELECT properties.m, properties.r AS region, event_type, COUNT(*) AS n FROM events "
        "GROUP BY 1, 2, 3) "
        "SELECT m, region, event_type, MAX(n) AS value FROM t GROUP BY m, region, event_type"
    )
    (one,) = metrics({"aggregation_type": "SQL", "sql": sql})
    assert declared_keys(one) == (("m",),)
