"""A column of properties as JSON text, to canonical properties; by shape where possible, else one by one."""

from __future__ import annotations

import polars as pl

from billing_assets.ingestion.dialects import repeated_key
from billing_assets.ingestion.exact import read_properties
from billing_assets.ingestion.properties import EMPTY
from billing_assets.ingestion.shapes import Shape, by_shape, canonical_object, placed_values

_READ = {"row": pl.UInt32, "properties": pl.String, "reason": pl.String, "detail": pl.String}


def read_property_texts(texts: pl.Series) -> pl.DataFrame:
    """properties, reason, detail of each text, in the same order; null is an absent map, and so an empty one."""
    rows = pl.DataFrame({"raw": texts}).with_row_index("row")
    shaped, rare = by_shape(rows.filter(pl.col("raw").is_not_null()), _is_flat)
    absent = rows.filter(pl.col("raw").is_null()).select("row", properties=pl.lit(EMPTY))
    read = [*(_read_shape(group, shape) for shape, group in shaped), absent, _read_exactly(rare)]
    return pl.concat([part.match_to_schema(_READ, missing_columns="insert") for part in read]).sort("row").drop("row")


def _is_flat(shape: Shape) -> bool:
    return len(shape.plain) == len(shape.members) and repeated_key(shape.keys) is None


def _read_shape(texts: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    members = list(shape.plain.items())
    values = placed_values(texts, [place for _, place in members])
    return values.select("row", properties=canonical_object(values, members))


def _read_exactly(texts: pl.DataFrame) -> pl.DataFrame:
    read = [(row, *_columns(text)) for row, text in zip(texts.get_column("row"), texts.get_column("raw"), strict=True)]
    return pl.DataFrame(read, schema=_READ, orient="row")


def _columns(text: str) -> tuple[str | None, str | None, str | None]:
    properties, finding = read_properties(text)
    return (properties, None, None) if finding is None else (None, finding[0].value, finding[1])
