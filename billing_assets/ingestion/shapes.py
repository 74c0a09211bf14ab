"""JSON lines by their shape: a vectorized reader that is exact, since it never makes a value out of a text.

The shape of a line is the line with every plain value (a string without escapes, a number, true, false, null) replaced
by a mark. Events of one sender have few shapes, and what a shape is worth is decided once:

* A shape that is a JSON object when its marks are read as values, with no mark inside a key, proves that all of its
  lines are JSON: each is that text with a JSON value in place of each mark. No line is parsed again.
* All lines of a shape have the same keys at the same places, so the nth value of a line is the value of a known key;
  repeated, unknown and missing keys are found in the shape.
* Numbers stay text from the file to the canonical properties.

Lines of any other shape (escapes, nesting, arrays, mistakes) and of rare ones go to `exact`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import polars as pl

from billing_assets.ingestion.properties import EMPTY
from billing_assets.numerals import SHORTEST_PLAIN, shortest_plain

MARK = "\x01"
"""In place of a value. No valid line contains it, and lines that do are read by `exact`."""

MAX_SHAPES = 64
"""Shapes of one chunk that are worth a pass of their own; the most frequent ones."""

_STRING = r'"[^"\\\x00-\x1f]*"'
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


def shape_of(line: pl.Expr) -> pl.Expr:
    """The line's shape; null where a mark of its own would pass for one."""
    shape = line.str.replace_all(_VALUE, f":{MARK}")
    return pl.when(~line.str.contains(MARK, literal=True)).then(shape)


def value_at(values: pl.Expr, place: Place) -> pl.Expr:
    """JSON text of one value: a string with its quotes, or a bare number, boolean or null."""
    return values.list.get(place).str.strip_chars_start(": \t\r\n")


def placed_values(lines: pl.DataFrame, text: str, places: Sequence[Place]) -> pl.DataFrame:
    """`lines` with a column `column_of(place)` for the value at each of `places` of the JSON text in column `text`."""
    values = lines.get_column(text).str.extract_all(_VALUE)
    return lines.with_columns(value_at(pl.lit(values), place).alias(column_of(place)) for place in places)


def column_of(place: Place) -> str:
    return f"value_{place}"


def frequent_shapes(shapes: pl.Series) -> dict[str, Shape]:
    """The most frequent shapes that are readable, by their text; at most `MAX_SHAPES`."""
    counted = shapes.drop_nulls().value_counts(name="count").sort(["count", shapes.name], descending=[True, False])
    candidates = {text: parse_shape(text) for text in counted.get_column(shapes.name).head(MAX_SHAPES)}
    return {text: shape for text, shape in candidates.items() if shape is not None}


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
    value = pl.col(values.name)
    is_string = values.str.starts_with('"')
    bare = value if (is_string | values.str.contains(SHORTEST_PLAIN)).all() else _text_of_bare(value)
    quoted = pl.concat_str(pl.lit('"'), bare, pl.lit('"'))
    # A string goes over as it is written: without an escape, its JSON text is canonical already.
    text = value if is_string.all() else pl.when(is_string).then(value).otherwise(quoted)
    return pl.concat_str(pl.lit(json.dumps(key, ensure_ascii=False) + ":"), text)


def _text_of_bare(value: pl.Expr) -> pl.Expr:
    """A number in its shortest plain form, or a boolean; null of null."""
    numeric = pl.when(value.str.contains("^[-0-9]")).then(value)
    boolean = pl.when(value.is_in(["true", "false"])).then(value)
    return pl.coalesce(shortest_plain(numeric), boolean)
