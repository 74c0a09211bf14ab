"""Hourly states of one slice of events: all measures from one scan.

States merge by a commutative, associative function per column: counts and sums add, extremes compare, the last value is
the one with the greatest (timestamp, transaction_id). Splitting events into batches changes no merged state.

Measures are aggregated in *cubes*. A cube is one group-by for the measures of one group key and of every key that is
part of it; those are rolled up from its rows, which are few, not from the events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    "held_seconds": DECIMAL,
    "held_micros": DECIMAL,
    "ingest_batch": pl.Int64(),
}
"""Columns of a state. Statistics that the measure does not keep, or that no event gave a value for, are null."""

VALUE: dict[str, pl.DataType] = {
    **{name: STATE[name] for name in ("usage_date", "measure_id", "group_key", "group_values", "customer_ref")},
    "window_start": TIMESTAMP,
    "value": pl.String(),
    "at": TIMESTAMP,
    "transaction_id": pl.String(),
    "ingest_batch": pl.Int64(),
}
"""Columns of a value: distinct texts, and the readings of levels, which alone have `at` and `transaction_id`."""

EXTREMES = ("min", "max")
GROUPED = {"sum": ("sum",), "min": ("min",), "max": ("max",), "held": ("held_seconds", "held_micros")}
"""Columns of a state that each statistic fills by a plain aggregate of the value."""


def _aggregate(name: str, value: pl.Expr) -> pl.Expr:
    """A column of GROUPED, of events. held: value x time from the event to its hour's end, in seconds and a rest."""
    left = 3_600_000_000 - (pl.col("timestamp") - pl.col("window_start")).dt.total_microseconds()
    match name:
        case "held_seconds":
            return (value * (left // 1_000_000).cast(DECIMAL)).sum()
        case "held_micros":
            return (value * (left % 1_000_000).cast(DECIMAL)).sum()
        case _:
            found: pl.Expr = getattr(value, name)()
            return found


def _merge(name: str, column: pl.Expr) -> pl.Expr:
    """A column of GROUPED, of rows of a finer key."""
    found: pl.Expr = getattr(column, name if name in EXTREMES else "sum")()
    return found


@dataclass(frozen=True, slots=True)
class Inputs:
    """Working columns of one measure: does the event count, and its value if it counts and has one.

    Measures that read the same events, or the same values, have the same columns, which are computed and summed once.
    """

    measure: Measure
    counts: str
    value: str | None

    @property
    def expressions(self) -> Iterator[pl.Expr]:
        yield matches(self.measure).alias(self.counts)
        if self.value is not None:
            column = (TEXT if self.measure.kind == "distinct" else NUMBER) + str(self.measure.key)
            yield pl.when(matches(self.measure)).then(pl.col(column)).alias(self.value)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Columns of the value that the group-by makes; the last value and the readings are found apart."""
        return tuple(name for statistic in self.measure.statistics for name in GROUPED.get(statistic, ()))


def hourly_states(events: pl.LazyFrame, measures: Sequence[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    """Grain (measure, customer reference, group values, hour, ingest batch): STATE, of the events given.

    What decides a measure's events is made into columns before the aggregation, which keeps it a plain streaming
    group-by; transaction_id is read only where a measure keeps the last value. `promoted` has the columns
    (`property_<name>`, `number_<name>`) that every row of `events` fills.
    """
    if not measures:
        return pl.LazyFrame(schema=STATE)
    inputs = _inputs(measures)
    prepared = _hours(events, measures, promoted).with_columns(_distinct(each.expressions for each in inputs))
    return pl.concat([part for key, members in _cubes(inputs) for part in _cube(prepared, key, members)])


def distinct_values(events: pl.LazyFrame, measures: Sequence[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    """Grain (measure, customer reference, group values, hour, value, ingest batch): VALUE, of distinct measures.

    And one row per event with a value, of measures that keep their readings.
    """
    chosen = [measure for measure in measures if measure.kind == "distinct" or "readings" in measure.statistics]
    if not chosen:
        return pl.LazyFrame(schema=VALUE)
    prepared = _hours(events, chosen, promoted)
    return pl.concat([_values(prepared, measure) for measure in chosen])


def group_json(columns: dict[str, str]) -> pl.Expr:
    """Canonical JSON of group values: keys sorted, null stays null. `columns` has the column of each name's text."""
    if not columns:
        return pl.lit(NO_GROUP)
    return pl.struct(pl.col(column).alias(name) for name, column in sorted(columns.items())).struct.json_encode()


def key_json(group_key: Iterable[str]) -> str:
    """Canonical JSON of the names of a group key."""
    return json.dumps(sorted(group_key), separators=(",", ":"), ensure_ascii=False)


def _hours(events: pl.LazyFrame, measures: Iterable[Measure], promoted: frozenset[str]) -> pl.LazyFrame:
    return readable(events, measures, promoted).with_columns(window_start=pl.col("timestamp").dt.truncate("1h"))


def _inputs(measures: Sequence[Measure]) -> list[Inputs]:
    readers: dict[object, str] = {}

    def named(prefix: str, *what: object) -> str:
        return readers.setdefault((prefix, what), f"{prefix}:{len(readers)}")

    return [
        Inputs(
            measure,
            counts=named("n", measure.kind == "no_metric", measure.filters),
            value=None if measure.key is None else named("v", measure.filters, measure.key, measure.kind == "distinct"),
        )
        for measure in measures
    ]


def _distinct(groups: Iterable[Iterator[pl.Expr]]) -> list[pl.Expr]:
    """All expressions, one of each name."""
    return list({each.meta.output_name(): each for group in groups for each in group}.values())


def _cubes(inputs: Sequence[Inputs]) -> Iterator[tuple[tuple[str, ...], list[Inputs]]]:
    """The group keys that are part of no other, each with the measures of its parts that no earlier one has."""
    keys = sorted({each.measure.group_key for each in inputs})
    left = list(inputs)
    for key in keys:
        if not any(set(key) < set(other) for other in keys):
            yield key, [each for each in left if set(each.measure.group_key) <= set(key)]
            left = [each for each in left if not set(each.measure.group_key) <= set(key)]


def _cube(prepared: pl.LazyFrame, key: tuple[str, ...], members: list[Inputs]) -> Iterator[pl.LazyFrame]:
    """The states of the members, measure by measure."""
    finest = _narrowed(prepared, key, members).group_by(*GRAIN, *_texts(key)).agg(_aggregates(members)).cache()
    for group_key in sorted({each.measure.group_key for each in members}):
        own = [each for each in members if each.measure.group_key == group_key]
        rows = finest if group_key == key else finest.group_by(*GRAIN, *_texts(group_key)).agg(_merges(own))
        labelled = rows.with_columns(group_values=group_json({name: TEXT + name for name in group_key})).cache()
        for each in own:
            yield _states(labelled, each, prepared)


def _narrowed(prepared: pl.LazyFrame, key: tuple[str, ...], members: list[Inputs]) -> pl.LazyFrame:
    """`prepared` with the texts of `key` null in events that no member counts by them.

    A coarse measure that shares the cube of a fine one is then not torn apart by values that only the fine one needs.
    """
    narrow = []
    for name in key:
        needed = {each.counts: pl.col(each.counts) for each in members if name in each.measure.group_key}
        if len(needed) < len({each.counts for each in members}):
            narrow.append(pl.when(pl.any_horizontal(*needed.values())).then(pl.col(TEXT + name)).alias(TEXT + name))
    return prepared.with_columns(narrow)


def _aggregates(members: list[Inputs]) -> list[pl.Expr]:
    """Of events: how many count, how many of them have a value, and statistics of the values."""

    def of_one(each: Inputs) -> Iterator[pl.Expr]:
        yield pl.col(each.counts).sum().cast(pl.Int64)
        if each.value is not None:
            value = pl.col(each.value)
            yield value.count().cast(pl.Int64).alias(f"count:{each.value}")
            yield from (_aggregate(name, value).alias(f"{name}:{each.value}") for name in each.statistics)

    return _distinct(of_one(each) for each in members)


def _merges(members: list[Inputs]) -> list[pl.Expr]:
    """Of rows of a finer key: counts and sums add, extremes compare."""

    def of_one(each: Inputs) -> Iterator[pl.Expr]:
        yield pl.col(each.counts).sum()
        if each.value is not None:
            yield pl.col(f"count:{each.value}").sum()
            for name in each.statistics:
                yield _merge(name, pl.col(f"{name}:{each.value}"))

    return _distinct(of_one(each) for each in members)


def _states(rows: pl.LazyFrame, inputs: Inputs, prepared: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of one measure as states; rows without an event of the measure are left out."""
    measure, count = inputs.measure, pl.col(inputs.counts)
    valued = pl.col(f"count:{inputs.value}") if inputs.value is not None else count
    kept: dict[str, pl.Expr] = {"event_count": count, "exception_count": count - valued}
    for name in inputs.statistics:
        column = pl.col(f"{name}:{inputs.value}")
        # The sum of nothing is 0; as a state it is nothing.
        kept[name] = column if name in EXTREMES else pl.when(valued > 0).then(column)
    own = rows.filter(count > 0)
    if "last" in measure.statistics:
        key = [*GRAIN, *_texts(measure.group_key)]
        own = own.join(_latest(prepared, inputs), on=key, how="left", nulls_equal=True)
        kept |= {name: pl.col(name) for name in ("last_value", "last_at", "last_transaction_id")}
    return own.select(*_row(measure, kept, STATE))


def _latest(prepared: pl.LazyFrame, inputs: Inputs) -> pl.LazyFrame:
    """The last value of a measure per grain: the latest time first, then among its events the greatest id.

    Two group-bys, since ordering by both at once would compare texts for every event.
    """
    key = [*GRAIN, *_texts(inputs.measure.group_key)]
    valued = prepared.filter(pl.col(inputs.value or "").is_not_null()).select(
        *key, "transaction_id", last_at="timestamp", last_value=pl.col(inputs.value or "")
    )
    latest = valued.group_by(key).agg(pl.col("last_at").max())
    return (
        valued.join(latest, on=[*key, "last_at"], how="semi", nulls_equal=True)
        .group_by(*key, "last_at")
        .agg(pl.col("last_value").max_by("transaction_id"), last_transaction_id=pl.col("transaction_id").max())
    )


def _values(prepared: pl.LazyFrame, measure: Measure) -> pl.LazyFrame:
    if measure.kind == "distinct":
        kept = {"value": pl.col(TEXT + str(measure.key))}
    else:
        number = pl.col(NUMBER + str(measure.key))
        kept = {"value": number.cast(pl.String), "at": pl.col("timestamp"), "transaction_id": pl.col("transaction_id")}
    found = prepared.filter(matches(measure), usable(measure)).select(*GRAIN, *_texts(measure.group_key), **kept)
    labelled = found.unique().with_columns(group_values=group_json({name: TEXT + name for name in measure.group_key}))
    return labelled.select(*_row(measure, {name: pl.col(name) for name in kept}, VALUE))


def _texts(group_key: Iterable[str]) -> list[str]:
    return [TEXT + name for name in group_key]


def _row(measure: Measure, kept: dict[str, pl.Expr], columns: dict[str, pl.DataType]) -> Iterator[pl.Expr]:
    """The columns of a row in their order; what the measure does not keep is null."""
    fixed: dict[str, pl.Expr] = {
        "usage_date": pl.col("window_start").dt.date(),
        "measure_id": pl.lit(measure.measure_id),
        "group_key": pl.lit(key_json(measure.group_key)),
        **{name: pl.col(name) for name in ("group_values", *GRAIN)},
        **kept,
    }
    for name, dtype in columns.items():
        yield fixed[name].alias(name) if name in fixed else pl.lit(None, dtype=dtype).alias(name)
