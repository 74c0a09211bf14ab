"""JSON lines, plain events or CloudEvents, to readings."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets.ingestion.dialects import BINARY_KEY, VERSION, VERSION_KEY, dialect_of, finding_of_keys
from billing_assets.ingestion.exact import Reading, read_line
from billing_assets.ingestion.readings import FIELDS, READINGS, framed
from billing_assets.ingestion.shapes import Shape, by_shape, canonical_object, column_of, placed_values, string_texts


def read_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Readings of the lines of one chunk of a file; grain and columns as in `readings`, one row per line, in any order.

    Blank lines are no rows: the caller leaves them out, and they count only in `source_line`. A carriage return before
    the line feed is white space.
    """
    unreadable = lines.filter(pl.col("reason").is_not_null()).rename({"line": "raw"})
    readable = lines.filter(pl.col("reason").is_null()).select("source_line", raw="line")
    shaped, rare = by_shape(readable, _is_event)
    read = [_read_shape(group, shape) for shape, group in shaped]
    odd = [readings.filter(~pl.col("is_event")).select("source_line", "raw") for readings in read]
    events = [readings.filter("is_event").drop("is_event") for readings in read]
    parts = [*events, _read_exactly(pl.concat([rare, *odd])), unreadable]
    return pl.concat([part.match_to_schema(READINGS, missing_columns="insert") for part in parts])


def _is_event(shape: Shape) -> bool:
    """Whether all that can still be wrong with a line of the shape is the type or the text of a value."""
    dialect = dialect_of(shape.keys)
    needed = {*dialect.required} | ({VERSION_KEY} & {*shape.keys})
    return (
        needed <= shape.plain.keys()
        and dialect.properties not in shape.plain
        and not (dialect.open_ended and BINARY_KEY in shape.keys)
        and finding_of_keys(dialect, shape.keys, [key for key, _ in shape.nested(dialect.properties)]) is None
    )


def _read_shape(lines: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Readings of lines that all have this shape, and `is_event`: false where a value has the wrong type."""
    places, members = shape.plain, shape.nested(dialect_of(shape.keys).properties)
    sent = [places[name] for name in dialect_of(shape.keys).required]
    versions = [places[VERSION_KEY]] if VERSION_KEY in places else []
    values = placed_values(lines, [*sent, *versions, *(place for _, place in members)])
    return values.select(
        "source_line",
        "raw",
        *(
            string_texts(values.get_column(column_of(place))).alias(field)
            for place, field in zip(sent, FIELDS, strict=False)
        ),
        properties=canonical_object(values, members),
        is_event=pl.all_horizontal(
            *(pl.col(column_of(place)).str.starts_with('"') for place in sent),
            *(pl.col(column_of(place)) == f'"{VERSION}"' for place in versions),
        ),
    )


def _read_exactly(lines: pl.DataFrame) -> pl.DataFrame:
    readings: Sequence[Reading] = [read_line(text) for text in lines.get_column("raw")]
    return pl.concat([lines, framed(readings)], how="horizontal")
