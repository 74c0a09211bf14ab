"""Metering alone, against hand-written DuckDB SQL for the same hourly result and against the floor, on the same files.

    python -m benchmarks.metering [--events 10000000] [--groups dense] [--runs 5]

floor     Polars scans the columns that the metrics need and takes a maximum of each
engine    hourly states and distinct values, day by day, as `runs.meter` computes them
duckdb    the same rows as tables in memory, by SQL written for this case
stored    `runs.meter`: the engine's rows computed and committed to the Delta tables

Every run is a process of its own; sides take turns. The results of engine, duckdb and stored must be equal.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

from benchmarks import world
from benchmarks.make_data import ensure, fresh_copy, place
from benchmarks.measuring import Watch, in_turns, machine, measured, median, peak, table
from billing_assets import metering, runs
from billing_assets.catalog import load_catalog
from billing_assets.runs.meter import promoted_names
from billing_assets.storage.lake import Lake

SIDES = ("floor", "engine", "duckdb", "stored")
COLUMNS = (
    *("customer_ref", "event_type", "timestamp", "ingest_batch"),
    *(f"property_{name}" for name in world.TEXTS),
    *(f"number_{name}" for name in world.NUMBERS),
)

# One fine aggregation, rolled up for the coarser keys; the hour as a number, since DuckDB truncates a time with a zone
# slowly; text of the group values made of few rows.
SQL = """
CREATE TEMP TABLE fine AS
SELECT customer_ref, epoch_us("timestamp") // 3600000000 AS hour, ingest_batch,
       property_model AS model, property_region AS region,
       count(*) AS events, count(property_user_id) AS users,
       count(number_context_tokens) AS contexts, sum(number_context_tokens) AS context,
       max(number_context_tokens) AS longest,
       count(number_generated_tokens) AS generations, sum(number_generated_tokens) AS generated,
       count(number_latency_seconds) AS latencies, sum(number_latency_seconds) AS latency
FROM read_parquet({files}) WHERE event_type = 'completion' GROUP BY ALL;

CREATE TEMP TABLE by_model AS
SELECT customer_ref, hour, ingest_batch, model, sum(events) AS events, sum(contexts) AS contexts,
       max(longest) AS longest,
       sum(latencies) AS latencies, sum(latency) AS latency
FROM fine GROUP BY ALL;

CREATE TEMP TABLE states AS
WITH fine_named AS (SELECT *, CAST(json_object('model', model, 'region', region) AS VARCHAR) AS group_values FROM fine),
     model_named AS (SELECT *, CAST(json_object('model', model) AS VARCHAR) AS group_values FROM by_model)
SELECT measure, customer_ref, group_values, make_timestamp(hour * 3600000000) AS window_start, ingest_batch,
       CAST(events AS BIGINT) AS event_count, CAST(events - valued AS BIGINT) AS exception_count, "sum", "max"
FROM (
    SELECT 'context' AS measure, customer_ref, group_values, hour, ingest_batch, events, contexts AS valued,
           context AS "sum", NULL::DECIMAL(38, 12) AS "max" FROM fine_named
    UNION ALL
    SELECT 'generated', customer_ref, group_values, hour, ingest_batch, events, generations, generated, NULL
    FROM fine_named
    UNION ALL
    SELECT 'longest', customer_ref, group_values, hour, ingest_batch, events, contexts, NULL, longest FROM model_named
    UNION ALL
    SELECT 'latency', customer_ref, group_values, hour, ingest_batch, events, latencies, latency, NULL FROM model_named
    UNION ALL
    SELECT 'users', customer_ref, '{{}}', hour, ingest_batch, sum(events), sum(users), NULL, NULL
    FROM fine GROUP BY ALL
    UNION ALL
    SELECT 'no_metric', customer_ref, '{{}}', epoch_us("timestamp") // 3600000000 AS hour, ingest_batch, count(*),
           count(*), NULL, NULL
    FROM read_parquet({files}) WHERE event_type <> 'completion' GROUP BY ALL
);

CREATE TEMP TABLE value_hours AS
SELECT DISTINCT customer_ref, make_timestamp(hour * 3600000000) AS window_start, user_id, ingest_batch
FROM (SELECT customer_ref, epoch_us("timestamp") // 3600000000 AS hour, property_user_id AS user_id, ingest_batch
      FROM read_parquet({files}) WHERE event_type = 'completion' AND property_user_id IS NOT NULL);
"""


def run(side: str, count: int, groups: str) -> None:
    """One measurement, in this process."""
    watch = Watch()
    found = {"floor": _floor, "engine": _engine, "duckdb": _duckdb, "stored": _stored}[side](count, groups, watch)
    watch.report(found=found)


def _floor(count: int, groups: str, watch: Watch) -> None:
    files = _files(count, groups)
    with watch.stage("floor"):
        pl.scan_parquet(files, hive_partitioning=True).select(pl.col(*COLUMNS).max()).collect()


def _engine(count: int, groups: str, watch: Watch) -> list[str]:
    lake, catalog = Lake(place(count, groups)[0]), load_catalog(place(count, groups)[1])
    measures = metering.compile_measures(catalog.billable_metrics)
    promoted = promoted_names(lake, (1,))
    days = []
    with watch.stage("engine"):
        for day in map(world.day_of, range(world.DAYS)):
            events = lake.scan("events", pl.col("event_date") == day, pl.col("ingest_batch").is_in([1]))
            states = metering.hourly_states(events, measures, promoted)
            values = metering.distinct_values(events, measures, promoted)
            days.append(lake.collect_all({"states": states, "values": values}))
    states, values = (pl.concat(day[name] for day in days) for name in ("states", "values"))
    return _told(states.lazy(), values.lazy())


def _duckdb(count: int, groups: str, watch: Watch) -> list[str]:
    database = duckdb.connect()
    database.execute("SET preserve_insertion_order = false")
    with watch.stage("duckdb"):
        database.execute(SQL.format(files=_files(count, groups)))
    rows = database.execute(
        'SELECT count(*), sum(event_count), sum(exception_count), sum("sum"), sum("max") FROM states GROUP BY measure'
    ).fetchall()
    values = database.execute("SELECT count(*) FROM value_hours").fetchall()
    return _sorted([*rows, *values])


def _stored(count: int, groups: str, watch: Watch) -> list[str]:
    catalog = load_catalog(place(count, groups)[1])
    with fresh_copy(count, groups) as lake:
        with watch.stage("stored"):
            runs.meter(lake, catalog, world.day_of(0), world.day_of(world.DAYS - 1))
        return _told(lake.scan("usage_states"), lake.scan("usage_values"))


def _told(states: pl.LazyFrame, values: pl.LazyFrame) -> list[str]:
    """Rows and sums of each measure, by which two results are compared."""
    statistics = pl.col("event_count", "exception_count", "sum", "max").sum()
    rows = states.group_by("measure_id").agg(pl.len(), statistics).drop("measure_id").collect().rows()
    return _sorted([*rows, *values.select(pl.len()).collect().rows()])


def _sorted(rows: Iterable[tuple[object, ...]]) -> list[str]:
    """As text, since the figures of the two engines differ in type: Decimal(3) and 3, null and 0."""
    return sorted(", ".join(f"{Decimal(str(cell or 0)).normalize():f}" for cell in row) for row in rows)


def _files(count: int, groups: str) -> list[str]:
    opened = Lake(place(count, groups)[0]).open("events")
    return sorted(opened.file_uris()) if opened is not None else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--groups", choices=world.GROUPS, default="dense")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--side", choices=SIDES, help="measure this one here and print it as JSON")
    options = parser.parse_args()
    if options.side:
        run(options.side, options.events, options.groups)
        return
    ensure(options.events, options.groups)
    arguments = ("--events", str(options.events), "--groups", options.groups, "--side")
    found = in_turns(SIDES, options.runs, lambda side: measured("benchmarks.metering", *arguments, side))
    print(report(found, options.events, options.groups))


def report(found: dict[str, list[dict[str, Any]]], count: int, groups: str) -> str:
    """The table of medians. Exits where two sides disagree about the result."""
    results = {json.dumps(one["found"]) for side in SIDES if side != "floor" for one in found[side]}
    if len(results) != 1:
        raise SystemExit("the results differ:\n" + "\n".join(sorted(results)))
    medians = {side: median(found[side], side) for side in SIDES}
    rows = [
        (
            side,
            f"{medians[side]:.2f}",
            f"{median(found[side], side, 'cpu'):.2f}",
            f"{count / medians[side] / 1e6:.1f} M",
            f"{peak(found[side]):.2f}",
            f"{medians[side] / medians['floor']:.2f}",
            f"{medians[side] / medians['duckdb']:.2f}",
        )
        for side in SIDES
    ]
    header = ("side", "seconds", "CPU s", "events/s", "peak GiB", "of floor", "of DuckDB")
    told = f"{count:,} events, {groups} groups, {len(found['floor'])} runs each, medians; results equal"
    return f"{machine()}\n{told}\n\n{table(header, rows)}"


if __name__ == "__main__":
    main()
