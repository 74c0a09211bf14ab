"""JSON lines by their shape: a vectorized reader that is exact, since it never makes a value out of a text.

The shape of a line is the line with every plain value (a string, a number, true, false, null) replaced by a mark.
Events of one sender have few shapes, and what a shape is worth is decided once:

* A shape that is a JSON object when its marks are read as values, with no mark inside a key, proves that all of its
  lines are JSON: each is that text with a JSON value in place of each mark. No line is parsed again.
* All lines of a shape have the same keys at the same places, so the nth value of a line is the value of a known key;
  repeated, unknown and missing keys are found in the shape.
* Numbers stay text from the file to the canonical properties.

Lines of any other shape (nesting, arrays, mistakes, long numbers) and of rare ones go to `exact`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import polars as pl

from billing_assets.ingestion.properties import EMPTY, json_string
from billing_assets.numerals import SHORTEST_PLAIN, shortest_plain

MARK = "\x01"
"""In place of a value. No valid line contains it, and lines that do are read by `exact`."""

MAX_SHAPES = 64
"""Shapes of one chunk that are worth a pass of their own; the most frequent ones."""

SAMPLE = 1000
COMMON = 5
"""A shape that one in five of the first lines has is tried on all of them, before other shapes are looked for."""

# An escaped half of a surrogate pair is left to `exact`, which knows whether the other half follows.
_ESCAPE = r"\\(?:[\"\\/bfnrt]|u(?:[0-9a-ceA-CE-F][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2})"
_STRING = rf'"(?:[^"\\\x00-\x1f]|{_ESCAPE})*"'
# Longer numbers are rare; `exact` reads them, and decides about their digits.
_NUMBER = r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?"
_VALUE = rf":[ \t\r\n]*(?:{_STRING}|{_NUMBER}|true|false|null)"

Place = int
"""Position of a value among the values of a line."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Keys of an object in their order: each with the place of its value, or the members of a flat object."""

    members: tuple[tuple[str, Place | tuple[tuple[str, Place], ...]], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.members)

    @property
    def plain(self) -> dict[str, Place]:
        """Places of the members that are plain values."""
        return {key: value for key, value in self.members if isinstance(value, Place)}

    def nested(self, key: str) -> tuple[tuple[str, Place], ...]:
        """Members of the object at `key`; none where there is no such object."""
        return next((value for name, value in self.members if name == key and not isinstance(value, Place)), ())


def by_shape(
    texts: pl.DataFrame, is_wanted: Callable[[Shape], bool]
) -> tuple[list[tuple[Shape, pl.DataFrame]], pl.DataFrame]:
    """Rows of `texts` by the shape of their `raw`, with its `values`; and the rows of no wanted frequent shape."""
    rest = texts.with_columns(values=pl.col("raw").str.extract_all(_VALUE))
    found: list[tuple[Shape, pl.DataFrame]] = []
    sample = texts.head(SAMPLE)
    for text, shape in _frequent_shapes(sample, sample.height // COMMON).items():
        if is_wanted(shape) and rest.height:
            fits = rest.select(_is_of_shape(text)).to_series()
            found.append((shape, rest if fits.all() else rest.filter(fits)))
            rest = rest.filter(~fits)
    shaped = rest.with_columns(shape=shape_of(pl.col("raw")))
    wanted = {text: shape for text, shape in _frequent_shapes(rest).items() if is_wanted(shape)}
    found += [(shape, shaped.filter(pl.col("shape") == text)) for text, shape in wanted.items()]
    return found, shaped.filter(~pl.col("shape").is_in(list(wanted)).fill_null(False)).select(texts.columns)


def shape_of(line: pl.Expr) -> pl.Expr:
    """The line's shape; null where a mark of its own would pass for one."""
    shape = line.str.replace_all(_VALUE, f":{MARK}")
    return pl.when(~line.str.contains(MARK, literal=True)).then(shape)


def _is_of_shape(text: str) -> pl.Expr:
    """Whether a line is the text of a shape with its values in the places of the marks; cheaper than `shape_of`."""
    first, *pieces = text.split(f":{MARK}")
    parts = [part for place, piece in enumerate(pieces) for part in (_value(place), pl.lit(piece))]
    return (pl.concat_str(pl.lit(first), *parts) == pl.col("raw")).fill_null(False)


def _frequent_shapes(texts: pl.DataFrame, at_least: int = 0) -> dict[str, Shape]:
    """The most frequent shapes that are readable, by their text; at most `MAX_SHAPES`."""
    shapes = texts.select(shape=shape_of(pl.col("raw"))).get_column("shape").drop_nulls()
    counted = shapes.value_counts(name="count").filter(pl.col("count") >= at_least)
    most = counted.sort(["count", "shape"], descending=[True, False]).head(MAX_SHAPES)
    candidates = {text: parse_shape(text) for text in most.get_column("shape")}
    return {text: shape for text, shape in candidates.items() if shape is not None}


def placed_values(lines: pl.DataFrame, places: Sequence[Place]) -> pl.DataFrame:
    """`lines` with a column `column_of(place)` each: a string with its quotes, or a bare number, boolean or null."""
    return lines.with_columns(
        _value(place).str.strip_chars_start(": \t\r\n").alias(column_of(place)) for place in places
    )


def _value(place: Place) -> pl.Expr:
    """The value at a place, behind its colon; null where the line has fewer."""
    return pl.col("values").list.get(place, null_on_oob=True)


def column_of(place: Place) -> str:
    return f"value_{place}"


def parse_shape(text: str) -> Shape | None:
    """The shape's keys and places, or None where it does not prove its lines to be flat objects in JSON."""
    try:
        parsed = json.loads(text.replace(MARK, "null"), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, tuple):
        return None
    inner = [pair for _, value in parsed if isinstance(value, tuple) for pair in value]
    # A mark follows a colon, so a key without one has none; and a value that is no mark is not null, an array say.
    keys_are_plain = all(":" not in key and "\\" not in key for key, _ in (*parsed, *inner))
    values_are_marks = all(value is None or isinstance(value, tuple) for _, value in parsed) and not any(
        value is not None for _, value in inner
    )
    return _placed(parsed) if keys_are_plain and values_are_marks else None


def _placed(parsed: Sequence[tuple[str, Sequence[tuple[str, None]] | None]]) -> Shape:
    places = count()
    return Shape(
        tuple(
            (key, next(places) if inner is None else tuple((name, next(places)) for name, _ in inner))
            for key, inner in parsed
        )
    )


def canonical_object(values: pl.DataFrame, members: Sequence[tuple[str, Place]]) -> pl.Expr:
    """Canonical JSON text of a flat object with these members of `placed_values`; their keys differ."""
    if not members:
        return pl.lit(EMPTY)
    texts = [_member(key, values.get_column(column_of(place))) for key, place in sorted(members)]
    joined = pl.concat_str(texts, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))


def _member(key: str, values: pl.Series) -> pl.Expr:
    """`"key":"text"`, null of null. What a column does not hold is not computed, and most need little."""
    is_string = values.str.starts_with('"')
    text = pl.lit(_canonical_strings(values))
    if not is_string.all():
        quoted = pl.concat_str(pl.lit('"'), pl.lit(_bare_texts(values, is_string)), pl.lit('"'))
        text = pl.when(is_string).then(text).otherwise(quoted)
    return pl.concat_str(pl.lit(json.dumps(key, ensure_ascii=False) + ":"), text)


def string_texts(values: pl.Series) -> pl.Series:
    """What JSON strings say. Other values do not matter here."""
    escaped = values.filter(values.str.contains("\\", literal=True)).unique()
    if escaped.is_empty():
        return values.str.slice(1).str.head(-1)
    decoded = '"' + escaped.str.json_decode(pl.String) + '"'
    return values.replace(escaped, decoded).str.slice(1).str.head(-1)


def _canonical_strings(values: pl.Series) -> pl.Series:
    """JSON strings with no escape but those that JSON requires; a string without any is canonical as it is written."""
    escaped = values.filter(values.str.contains("\\", literal=True)).unique()
    if escaped.is_empty():
        return values
    return values.replace(escaped, pl.select(json_string(pl.lit(escaped.str.json_decode(pl.String)))).to_series())


def _bare_texts(values: pl.Series, is_string: pl.Series) -> pl.Series:
    """Numbers in their shortest plain form and booleans as they are; null of null. Strings do not matter here."""
    other = values.filter(~(is_string | values.str.contains(SHORTEST_PLAIN))).unique()
    if other.is_empty():
        return values
    numeric = pl.when(other.str.contains("^[-0-9]")).then(other)
    boolean = pl.when(other.is_in(["true", "false"])).then(other)
    return values.replace(other, pl.select(pl.coalesce(shortest_plain(numeric), boolean)).to_series())
