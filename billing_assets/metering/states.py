"""Hourly states of one slice of events: all measures from one scan.

States merge by a commutative, associative function per column: counts and sums add, extremes compare, the last value is
the one with the greatest (timestamp, transaction_id). Splitting events into batches changes no merged state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from billing_assets.columns import DECIMAL, NO_GROUP, TIMESTAMP
from billing_assets.metering.events import NUMBER, TEXT, matches, readable, usable
from billing_assets.metering.measures import Measure

GRAIN = ("customer_ref", "window_start", "ingest_batch")

STATE: dict[str, pl.DataType] = {
    "usage_date": pl.Date(),
    "measure_id": pl.String(),
    "group_key": pl.String(),
    "group_values": pl.String(),
    "customer_ref": pl.String(),
    "window_start": TIMESTAMP,
    "event_count": pl.Int64(),
    "exception_count": pl.Int64(),
    "sum": DECIMAL,
    "min": DECIMAL,
    "max": DECIMAL,
    "last_value": DECIMAL,
    "last_at": TIMESTAMP,
    "last_transaction_id": pl.String(),
    "ingest_batch": pl.Int64(),
}
"""Columns of a state. Statistics that the measure does not keep, or that no event gave a value for, are null."""

VALUE: dict[str, pl.DataType] = {
    **{name: STATE[name] for name in ("usage_date", "measure_id", "group_key", "group_values", "customer_ref")},
    "window_start": TIMESTAMP,
    "value": pl.String(),
    "ingest_batch": pl.Int64(),
}


def hourly_states(events: pl.LazyFrame, measures: Sequence[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    """Grain (measure, customer reference, group values, hour, ingest batch): STATE, of the events given.

    Measures with one group key are aggregated together. What decides a measure's events is made into columns before
    the aggregation, which keeps it a plain streaming group-by.
    """
    prepared = _hours(events, measures, promoted).with_columns(
        *(expression for index, measure in enumerate(measures) for expression in _inputs(index, measure))
    )
    numbered = list(enumerate(measures))
    wide = [_aggregated(prepared, key, of_key) for key, of_key in _by_group_key(numbered)]
    latest = [_latest(prepared, index, measure) for index, measure in numbered if "last" in measure.statistics]
    parts = [part for frame, key, of_key in wide for part in _melted(frame, key, of_key)]
    return _with_latest(pl.concat(parts), latest)


def distinct_values(events: pl.LazyFrame, measures: Sequence[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    """Grain (measure, customer reference, group values, hour, value, ingest batch): VALUE, of distinct measures."""
    chosen = [measure for measure in measures if measure.kind == "distinct"]
    if not chosen:
        return events.select(pl.lit(None, dtype=dtype).alias(name) for name, dtype in VALUE.items()).clear()
    prepared = _hours(events, chosen, promoted)
    return pl.concat([_values(prepared, measure) for measure in chosen])


def _hours(events: pl.LazyFrame, measures: Iterable[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    return readable(events, measures, promoted).with_columns(window_start=pl.col("timestamp").dt.truncate("1h"))


def _inputs(index: int, measure: Measure) -> Iterator[pl.Expr]:
    """Columns of one measure: does the event count, is it an exception, and its value if it has one."""
    counts = matches(measure)
    yield counts.cast(pl.Int64).alias(f"n:{index}")
    if measure.key is not None:
        yield (counts & ~usable(measure)).cast(pl.Int64).alias(f"x:{index}")
    if measure.statistics:
        yield pl.when(counts).then(pl.col(NUMBER + str(measure.key))).alias(f"v:{index}")


def _by_group_key(
    numbered: list[tuple[int, Measure]],
) -> Iterator[tuple[tuple[str, ...], list[tuple[int, Measure]]]]:
    for key in sorted({measure.group_key for _, measure in numbered}):
        yield key, [(index, measure) for index, measure in numbered if measure.group_key == key]


def _aggregated(
    prepared: pl.LazyFrame, key: tuple[str, ...], of_key: list[tuple[int, Measure]]
) -> tuple[pl.LazyFrame, tuple[str, ...], list[tuple[int, Measure]]]:
    """One row per (reference, hour, batch, group), with the statistics of every measure of the group key."""
    aggregates = [aggregate for index, measure in of_key for aggregate in _aggregates(index, measure)]
    return prepared.group_by(*GRAIN, *(TEXT + name for name in key)).agg(aggregates), key, of_key


def _aggregates(index: int, measure: Measure) -> Iterator[pl.Expr]:
    yield pl.col(f"n:{index}").sum()
    if measure.key is not None:
        yield pl.col(f"x:{index}").sum()
    value = pl.col(f"v:{index}")
    if "sum" in measure.statistics:
        yield value.sum().alias(f"sum:{index}")
    if "min" in measure.statistics:
        yield value.min().alias(f"min:{index}")
    if "max" in measure.statistics:
        yield value.max().alias(f"max:{index}")


def _melted(wide: pl.LazyFrame, key: tuple[str, ...], of_key: list[tuple[int, Measure]]) -> Iterator[pl.LazyFrame]:
    """The wide rows as states, measure by measure; rows without an event of the measure are left out."""
    texts = [TEXT + name for name in key]
    labelled = wide.join(_labels(wide, key), on=texts, how="left", nulls_equal=True) if key else wide.with_columns(
        group_values=pl.lit(NO_GROUP)
    )
    for index, measure in of_key:
        count = pl.col(f"n:{index}")
        exceptions = pl.col(f"x:{index}") if measure.key is not None else pl.lit(0, dtype=pl.Int64)
        has_value = count > exceptions
        kept: dict[str, pl.Expr] = {"event_count": count, "exception_count": exceptions}
        for statistic in ("sum", "min", "max"):
            if statistic in measure.statistics:
                kept[statistic] = pl.when(has_value).then(pl.col(f"{statistic}:{index}"))
        yield labelled.filter(count > 0).select(*_row(measure, kept, STATE))


def _row(measure: Measure, kept: dict[str, pl.Expr], columns: dict[str, pl.DataType]) -> Iterator[pl.Expr]:
    fixed: dict[str, pl.Expr] = {
        "usage_date": pl.col("window_start").dt.date(),
        "measure_id": pl.lit(measure.measure_id),
        "group_key": pl.lit(json.dumps(measure.group_key, separators=(",", ":"), ensure_ascii=False)),
        **{name: pl.col(name) for name in ("group_values", *GRAIN)},
        **kept,
    }
    for name, dtype in columns.items():
        yield fixed.get(name, pl.lit(None)).cast(dtype).alias(name)


def _labels(wide: pl.LazyFrame, key: tuple[str, ...]) -> pl.LazyFrame:
    """One row per combination of group values, with its canonical JSON: text is made once per combination."""
    texts = [TEXT + name for name in key]
    return wide.select(texts).unique().with_columns(group_values=group_json(dict(zip(key, texts, strict=True))))


def group_json(columns: dict[str, str]) -> pl.Expr:
    """Canonical JSON of group values: `columns` maps each name to the column of its text; keys sorted, null stays null."""
    if not columns:
        return pl.lit(NO_GROUP)
    return pl.struct(pl.col(column).alias(name) for name, column in sorted(columns.items())).struct.json_encode()


def _latest(prepared: pl.LazyFrame, index: int, measure: Measure) -> pl.LazyFrame:
    """The last value of a measure per grain; ties in time are broken by the transaction id."""
    texts = [TEXT + name for name in measure.group_key]
    value, order = pl.col(f"v:{index}"), ["timestamp", "transaction_id"]
    return (
        prepared.filter(value.is_not_null())
        .group_by(*GRAIN, *texts)
        .agg(
            last_value=value.sort_by(order).last(),
            last_at=pl.col("timestamp").max(),
            last_transaction_id=pl.col("transaction_id").sort_by(order).last(),
        )
        .with_columns(
            measure_id=pl.lit(measure.measure_id),
            group_values=group_json(dict(zip(measure.group_key, texts, strict=True))),
        )
        .select("measure_id", "group_values", *GRAIN, "last_value", "last_at", "last_transaction_id")
    )


def _with_latest(states: pl.LazyFrame, latest: list[pl.LazyFrame]) -> pl.LazyFrame:
    if not latest:
        return states
    return (
        states.drop("last_value", "last_at", "last_transaction_id")
        .join(pl.concat(latest), on=["measure_id", "group_values", *GRAIN], how="left")
        .select(*STATE)
    )


def _values(prepared: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    texts = [TEXT + name for name in measure.group_key]
    value = TEXT + str(measure.key)
    distinct = prepared.filter(matches(measure), usable(measure)).select(
        *GRAIN, *dict.fromkeys([*texts, value])
    ).unique()
    labelled = distinct.with_columns(group_values=group_json(dict(zip(measure.group_key, texts, strict=True))))
    return labelled.select(*_row(measure, {"value": pl.col(value)}, VALUE))
