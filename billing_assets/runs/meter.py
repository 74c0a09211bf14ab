"""Meter days: hourly states of every (day, ingest batch, measure) that has none yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from billing_assets import metering
from billing_assets.catalog import Catalog, changed_contracts, resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.pipeline.late import PERIOD
from billing_assets.runs.catalogs import recorded_catalog
from billing_assets.runs.late import first_new_day
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.periods import closed_periods, started_periods
from billing_assets.runs.reports import MeterReport
from billing_assets.storage.lake import Lake
from billing_assets.storage.slices import Slice

ROWS_AT_ONCE = 2_000_000
"""States are written when this many are in memory, so that a long backfill is bounded."""


@dataclass(frozen=True, slots=True)
class StaleDay:
    """A day, and the ingest batches and measures of which it has no states; every pair of them is missing."""

    day: date
    batches: tuple[int, ...]
    measures: tuple[str, ...]


def stale_days(lake: Lake, catalog: Catalog, now: datetime) -> tuple[date, ...]:
    """Days of open billing periods whose states are not current, in order; of levels, all days that ever had events."""
    first, last = open_days(lake, catalog, now)
    stale = stale_slices(lake, catalog, first, last)
    levels = [one for one in metering.compile_measures(catalog.billable_metrics) if metering.keeps_level(one)]
    if levels:
        stale += _stale(lake, levels, date.min, first - timedelta(days=1))
    return tuple(sorted({one.day for one in stale}))


def open_days(lake: Lake, catalog: Catalog, now: datetime) -> tuple[date, date]:
    """From the first day of an open period, of late usage to be listed, or of a closed period that the catalog measures
    otherwise than the one that billed it (`newly_measured`), to the last day of any event."""
    periods = started_periods(
        lake, resolve(catalog).contracts, catalog.settings.starting_at, now, lake.committed("books")
    )
    start: datetime | None = periods.filter("is_open").select(pl.col("period_start").min()).item()
    first = (start or catalog.settings.starting_at).date()
    compared = newly_measured(lake, catalog, periods, now)
    first = min(first, first_new_day(lake) or first, *compared["period_start"].dt.date())
    return first, date.max


def newly_measured(lake: Lake, catalog: Catalog, periods: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Grain PERIOD: closed ones of `periods` (`started_periods`), within the window of late usage, of which the catalog
    measures what the one that billed them did not: `invoice_variances` compares them."""
    oldest = pl.lit(now - catalog.settings.late_usage_window, dtype=TIMESTAMP)
    closed = periods.filter(~pl.col("is_open"), pl.col("period_end") >= oldest)
    found = [closed.clear()]
    for (version,), rows in closed.group_by("final_catalog_version", maintain_order=True):
        recorded = None if version == catalog.version else recorded_catalog(lake, str(version))
        if recorded is not None and new_measures(recorded, catalog):
            touched = lake.collect(touched_periods(rows.lazy(), unmeasured_contracts(recorded, catalog)))
            found.append(rows.join(touched, on=PERIOD, how="semi"))
    return pl.concat(found)


def new_measures(recorded: Catalog, catalog: Catalog) -> tuple[metering.Measure, ...]:
    """What `catalog` measures and `recorded` did not."""
    before = {one.measure_id for one in metering.compile_measures(recorded.billable_metrics)}
    return tuple(one for one in metering.compile_measures(catalog.billable_metrics) if one.measure_id not in before)


def unmeasured_contracts(recorded: Catalog, catalog: Catalog) -> pl.LazyFrame:
    """Rows of `changed_contracts`: of contracts with a product of which `catalog` measures something that `recorded`
    did not."""
    new = metering.metric_frame(catalog.billable_metrics).filter(
        pl.col("measure_id").is_in([one.measure_id for one in new_measures(recorded, catalog)])
    )
    frames = resolve(catalog)
    products = frames.product_versions.join(new, on="billable_metric_id", how="semi").select("product_id")
    contracts = frames.contract_products.join(products, on="product_id", how="semi")
    return changed_contracts(recorded, catalog).join(contracts, on="contract_id", how="semi")


def touched_periods(periods: pl.LazyFrame, changed: pl.LazyFrame) -> pl.LazyFrame:
    """PERIOD of those of which `changed` (`changed_contracts`) has some time."""
    begins = pl.col("changed_from").is_null() | (pl.col("changed_from") < pl.col("period_end"))
    ends = pl.col("changed_until").is_null() | (pl.col("changed_until") > pl.col("period_start"))
    both = periods.select(*PERIOD, "period_end").join(changed, on="contract_id")
    return both.filter(begins, ends).select(PERIOD).unique()


def are_measured(lake: Lake, measures: Iterable[metering.Measure], periods: pl.DataFrame) -> bool:
    """Whether every event in the days of `periods` (period_start, period_end) is metered by `measures`."""
    if periods.is_empty():
        return True
    first, last = periods.select(pl.col("period_start").min(), pl.col("period_end").max()).row(0)
    return not _stale(lake, measures, first.date(), (last - timedelta(microseconds=1)).date())


def stale_slices(lake: Lake, catalog: Catalog, first: date, last: date) -> tuple[StaleDay, ...]:
    """What is not metered between two days, both included.

    Of what final periods were measured by and nothing is now, the days to which late events came.
    """
    today = metering.compile_measures(catalog.billable_metrics)
    found = _stale(lake, today, first, last)
    former, span = former_measures(lake, catalog)
    if span is None:
        return found
    return (*found, *_stale(lake, former, max(first, span[0]), min(last, span[1])))


def former_measures(lake: Lake, catalog: Catalog) -> tuple[tuple[metering.Measure, ...], tuple[date, date] | None]:
    """Measures of the catalogs by which periods were closed, beside those of today; and the days of late events.

    None where no event is late, or nothing else was measured: a late event counts by the metrics of its own period.
    """
    new = first_new_day(lake)
    if new is None:
        return (), None
    closed = closed_periods(lake, lake.committed("books")).filter(pl.col("period_end").dt.date() >= new)
    found = lake.collect(closed.group_by("catalog_version").agg(pl.col("period_end").max()))
    today = {one.measure_id for one in metering.compile_measures(catalog.billable_metrics)}
    former: dict[str, metering.Measure] = {}
    for version in found["catalog_version"]:
        recorded = None if version == catalog.version else recorded_catalog(lake, version)
        if recorded is not None:
            former |= {one.measure_id: one for one in metering.compile_measures(recorded.billable_metrics)}
    missing = tuple(former[name] for name in sorted(set(former) - today))
    last: datetime | None = found.select(pl.col("period_end").max()).item()
    return missing, (new, last.date()) if missing and last is not None else None


def _stale(lake: Lake, wanted: Iterable[metering.Measure], first: date, last: date) -> tuple[StaleDay, ...]:
    measures = pl.LazyFrame({"measure_id": [one.measure_id for one in wanted]})
    slices = (
        lake.scan("events", pl.col("event_date").is_between(first, last))
        .select(usage_date="event_date", ingest_batch="ingest_batch")
        .unique()
        .join(measures, how="cross")
        .join(lake.scan("metered_slices"), on=["usage_date", "ingest_batch", "measure_id"], how="anti")
        .group_by("usage_date", "ingest_batch")
        .agg(measures=pl.col("measure_id").sort())
        .group_by("usage_date", "measures")
        .agg(batches=pl.col("ingest_batch").sort())
        .sort("usage_date", "batches")
    )
    return tuple(
        StaleDay(row["usage_date"], tuple(row["batches"]), tuple(row["measures"]))
        for row in lake.collect(slices).iter_rows(named=True)
    )


@naming_overflows
def meter(lake: Lake, catalog: Catalog, first: date, last: date) -> MeterReport:
    """Write the states of what is not metered between two days. Repeating it, or half of it, changes nothing."""
    stale = stale_slices(lake, catalog, first, last)
    rows = 0
    for group in _alike(stale):
        rows += _meter_group(lake, catalog, group)
    return MeterReport(
        days=tuple(sorted({one.day for one in stale})),
        states_written=rows,
        slices=sum(len(one.batches) * len(one.measures) for one in stale),
    )


def _alike(stale: tuple[StaleDay, ...]) -> Iterator[list[StaleDay]]:
    """Slices that lack the same batches and measures: one commit can write them."""
    groups: dict[tuple[tuple[int, ...], tuple[str, ...]], list[StaleDay]] = {}
    for one in stale:
        groups.setdefault((one.batches, one.measures), []).append(one)
    yield from groups.values()


def _meter_group(lake: Lake, catalog: Catalog, group: list[StaleDay]) -> int:
    """Meter days that lack the same batches and measures, each by one scan; written when enough are in memory."""
    wanted = set(group[0].measures)
    known = (*metering.compile_measures(catalog.billable_metrics), *former_measures(lake, catalog)[0])
    measures = tuple(one for one in known if one.measure_id in wanted)
    promoted = promoted_names(lake, group[0].batches)
    done: list[StaleDay] = []
    states: list[pl.DataFrame] = []
    values: list[pl.DataFrame] = []
    total = 0
    for one in group:
        events = lake.scan("events", pl.col("event_date") == one.day, pl.col("ingest_batch").is_in(one.batches))
        found = lake.collect_all(
            {
                "states": metering.hourly_states(events, measures, promoted),
                "values": metering.distinct_values(events, measures, promoted),
            },
        )
        done.append(one)
        states.append(found["states"])
        values.append(found["values"])
        if sum(frame.height for frame in (*states, *values)) >= ROWS_AT_ONCE or one is group[-1]:
            total += _write(lake, done, pl.concat(states), pl.concat(values))
            done, states, values = [], [], []
    return total


def _write(lake: Lake, done: list[StaleDay], states: pl.DataFrame, values: pl.DataFrame) -> int:
    """States and values replace their slices; only then is it recorded that they are complete."""
    one = done[0]
    where: Slice = {
        "usage_date": [each.day for each in done],
        "ingest_batch": list(one.batches),
        "measure_id": list(one.measures),
    }
    lake.replace_slice("usage_states", states, where)
    lake.replace_slice("usage_values", values, where)
    metered = (
        pl.LazyFrame({"usage_date": where["usage_date"]})
        .join(pl.LazyFrame({"ingest_batch": where["ingest_batch"]}), how="cross")
        .join(pl.LazyFrame({"measure_id": where["measure_id"]}), how="cross")
    )
    lake.replace_slice("metered_slices", metered.collect(), where)
    return states.height


def promoted_names(lake: Lake, batches: tuple[int, ...]) -> frozenset[str]:
    """Columns of `events` that every one of the batches filled; other properties are read from their JSON text."""
    intents = lake.scan("batches").filter(
        pl.col("sequence") == "ingest", pl.col("state") == "INTENT", pl.col("batch_no").is_in(batches)
    )
    last = lake.collect(intents.sort("attempt").group_by("batch_no").agg(pl.col("intent").last()))
    promoted = [frozenset(json.loads(text)["promoted"]) for text in last["intent"]]
    return frozenset.intersection(*promoted) if promoted else frozenset()
