"""JSON Lines and Parquet files as plain values: the same fields as YAML, one object a line or row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from billing_assets.catalog.book import COLLECTIONS
from billing_assets.catalog.sources import Batch, FieldPath, Reading
from billing_assets.catalog.values import Number

_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Number)


def read_json_lines(file: str, collection: str, text: str, reading: Reading) -> None:
    """Adds the objects of a JSON Lines file; a broken line is a problem of its own."""
    rows: list[object] = []
    lines: list[int] = []
    for line, found in enumerate(text.split("\n"), start=1):
        if not found or found.isspace():
            continue
        try:
            rows.append(_JSON.decode(found))
            lines.append(line)
        except (msgspec.DecodeError, RecursionError) as error:
            reading.unreadable(file, line, f"broken JSON: {error}")

    def line_of(row: int, path: FieldPath) -> int:
        return lines[row]

    reading.batches.append(Batch(file, collection, rows, line_of))


def read_parquet(file: str, collection: str, path: Path, reading: Reading) -> None:
    """Adds the rows of a Parquet file. Nested fields are structs and lists, or JSON text; null is an absent field."""
    try:
        table = pl.read_parquet(path)
        structured = structured_fields(collection)
        rows: list[object] = [
            {name: _value(value, name in structured) for name, value in row.items() if value is not None}
            for row in table.iter_rows(named=True)
        ]
    except (pl.exceptions.PolarsError, OSError, msgspec.DecodeError) as error:
        reading.unreadable(file, 0, f"unreadable Parquet: {' '.join(str(error).split())}")
        return

    def line_of(row: int, path: FieldPath) -> int:
        return row + 1

    reading.batches.append(Batch(file, collection, rows, line_of))


def _value(value: object, structured: bool) -> object:
    if structured and isinstance(value, str) and value[:1] in ("{", "["):
        return _JSON.decode(value)
    return _without_nulls(value)


def _without_nulls(value: object) -> object:
    """A struct has every field of every row; those that are null were not written."""
    match value:
        case dict():
            return {key: _without_nulls(found) for key, found in value.items() if found is not None}
        case list():
            return [_without_nulls(found) for found in value]
        case _:
            return value


@cache
def structured_fields(collection: str) -> frozenset[str]:
    """Fields of a collection's objects that are never plain text, so that text in them is JSON."""
    schema = COLLECTIONS[collection].json_schema()
    return frozenset(
        name
        for model in schema["$defs"].values()
        for name, found in model.get("properties", {}).items()
        if not _may_be_text(found)
    )


def _may_be_text(schema: Mapping[str, Any]) -> bool:
    alternatives = [schema, *schema.get("anyOf", ())]
    return any("string" in _types(found) and "pattern" not in found for found in alternatives)


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    found = schema.get("type", ())
    return (found,) if isinstance(found, str) else tuple(found)
