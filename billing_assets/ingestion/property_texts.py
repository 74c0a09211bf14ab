"""A column of properties as JSON text, to canonical properties; by shape where possible, else one by one."""

from __future__ import annotations

import polars as pl

from billing_assets.ingestion.dialects import repeated_key
from billing_assets.ingestion.exact import read_properties
from billing_assets.ingestion.properties import EMPTY
from billing_assets.ingestion.shapes import Shape, canonical_object, frequent_shapes, placed_values, shape_of

_READ = {"row": pl.UInt32, "properties": pl.String, "reason": pl.String, "detail": pl.String}


def read_property_texts(texts: pl.Series) -> pl.DataFrame:
    """properties, reason, detail of each text, in the same order; null is an absent map, and so an empty one."""
    shaped = pl.DataFrame({"text": texts}).with_row_index("row").with_columns(shape=shape_of(pl.col("text")))
    flat = {text: shape for text, shape in frequent_shapes(shaped.get_column("shape")).items() if _is_flat(shape)}
    by_shape = [_read_shape(shaped.filter(pl.col("shape") == text), shape) for text, shape in flat.items()]
    absent = shaped.filter(pl.col("text").is_null()).select("row", properties=pl.lit(EMPTY))
    rare = shaped.filter(pl.col("text").is_not_null() & ~pl.col("shape").is_in(list(flat)).fill_null(False))
    read = [*by_shape, absent, _read_exactly(rare)]
    return pl.concat([part.match_to_schema(_READ, missing_columns="insert") for part in read]).sort("row").drop("row")


def _is_flat(shape: Shape) -> bool:
    return len(shape.plain) == len(shape.members) and repeated_key(shape.keys) is None


def _read_shape(texts: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    members = list(shape.plain.items())
    values = placed_values(texts, "text", [place for _, place in members])
    return values.select("row", properties=canonical_object(values, members))


def _read_exactly(texts: pl.DataFrame) -> pl.DataFrame:
    read = [(row, *_columns(text)) for row, text in zip(texts.get_column("row"), texts.get_column("text"), strict=True)]
    return pl.DataFrame(read, schema=_READ, orient="row")


def _columns(text: str) -> tuple[str | None, str | None, str | None]:
    properties, finding = read_properties(text)
    return (properties, None, None) if finding is None else (None, finding[0].value, finding[1])
