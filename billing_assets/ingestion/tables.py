"""Rows of CSV and Parquet files to readings.

A row has the columns of a plain event: `transaction_id, customer_id, event_type, timestamp`, and its properties as one
column `properties` (JSON text, a struct or a map) or as columns `properties.<name>`. A null cell, in CSV an empty one,
quoted or not, is an absent value. Cells of a CSV file are texts, and so is each of its properties: `1.0` stays `1.0`.
A value in any other column is refused (`unknown_field`), as in JSON; such a column without values is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from polars.datatypes import DataTypeClass

from billing_assets.ingestion.cells import TEXTS, canonical_cell, cell_reason, kind
from billing_assets.ingestion.dialects import PLAIN, missing, wrong_type
from billing_assets.ingestion.properties import EMPTY, json_string
from billing_assets.ingestion.property_texts import read_property_texts
from billing_assets.ingestion.readings import FIELDS, READINGS
from billing_assets.ingestion.reasons import Reason

PREFIX = f"{PLAIN.properties}."
INTERNAL = ("source_line", "raw", "reason", "detail")
"""Beside the columns of the file: its row, the row as text, and why it could not be read, if so."""

_INSTANT = "%Y-%m-%dT%H:%M:%S%.6f"
_Check = tuple[pl.Expr, pl.Expr]
"""Reason and detail of one check; null where it passes."""


def read_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Readings of rows with the file's columns and `INTERNAL` ones, which are renamed out of the way by `internal`."""
    schema = {name: dtype for name, dtype in rows.schema.items() if name not in map(internal, INTERNAL)}
    with_properties = _with_properties(rows, schema)
    checks = [
        (pl.col(internal("reason")), pl.col(internal("detail"))),
        *_unknown_fields(schema),
        *(check for name in PLAIN.required for check in _field_checks(name, schema.get(name))),
        (pl.col(_PROPERTIES_REASON), pl.col(_PROPERTIES_DETAIL)),
    ]
    return with_properties.select(
        source_line=internal("source_line"),
        raw=internal("raw"),
        **{field: _field_text(name, schema.get(name)) for field, name in zip(FIELDS, PLAIN.required, strict=False)},
        properties=_PROPERTIES,
        reason=pl.coalesce(reason for reason, _ in checks),
        detail=_first_detail(checks),
    ).match_to_schema(READINGS)


def internal(name: str) -> str:
    """Column of ours beside the columns of the file, by a name that no event field has."""
    return f"\x1f{name}"


_PROPERTIES, _PROPERTIES_REASON, _PROPERTIES_DETAIL = (internal(name) for name in ("text", "why", "what"))


def _first_detail(checks: Sequence[_Check]) -> pl.Expr:
    reason, detail = checks[-1]
    found: pl.Expr = pl.when(reason.is_not_null()).then(detail)
    for reason, detail in reversed(checks[:-1]):
        found = pl.when(reason.is_not_null()).then(detail).otherwise(found)
    return found


def _unknown_fields(schema: dict[str, pl.DataType]) -> list[_Check]:
    columns_of_properties = any(name.startswith(PREFIX) for name in schema)
    known = PLAIN.required if columns_of_properties else (*PLAIN.required, PLAIN.properties)
    unknown = [name for name in schema if name not in known and not name.startswith(PREFIX)]
    beside = f"{PLAIN.properties} beside columns {PREFIX}<name>"
    return [
        (
            pl.when(pl.col(name).is_not_null()).then(pl.lit(Reason.UNKNOWN_FIELD.value)),
            pl.lit(beside if name == PLAIN.properties else name),
        )
        for name in unknown
    ]


def _field_checks(name: str, dtype: pl.DataType | None) -> list[_Check]:
    reason, detail = missing(name)
    value = pl.lit(None) if dtype is None else pl.col(name)
    checks: list[_Check] = [(pl.when(value.is_null()).then(pl.lit(reason.value)), pl.lit(detail))]
    if dtype is None or _is_text(name, dtype):
        return checks
    reason, detail = wrong_type(name, "a string", kind(dtype))
    return [*checks, (pl.when(value.is_not_null()).then(pl.lit(reason.value)), pl.lit(detail))]


def _is_text(name: str, dtype: pl.DataType) -> bool:
    return dtype in (*TEXTS, pl.Null) or (name == PLAIN.timestamp and isinstance(dtype, pl.Datetime))


def _field_text(name: str, dtype: pl.DataType | None) -> pl.Expr:
    """The field as text. A Parquet timestamp without a time zone has no offset, and so it is refused later."""
    if dtype is None or not _is_text(name, dtype):
        return pl.lit(None, dtype=pl.String)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return pl.col(name).dt.strftime(_INSTANT)
        return pl.col(name).dt.convert_time_zone("UTC").dt.strftime(_INSTANT + "Z")
    return pl.col(name).cast(pl.String)


def _with_properties(rows: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """`rows` with canonical properties, and why there are none."""
    named = {name.removeprefix(PREFIX): pl.col(name) for name in schema if name.startswith(PREFIX)}
    dtype = schema.get(PLAIN.properties)
    if named:
        return _with_members(rows, named, {name: schema[PREFIX + name] for name in named})
    match dtype:
        case pl.Struct():
            fields = {field.name: pl.col(PLAIN.properties).struct.field(field.name) for field in dtype.fields}
            return _with_members(rows, fields, {field.name: _instance(field.dtype) for field in dtype.fields})
        case pl.Map() | pl.List() if (entries := _entries(rows, dtype)) is not None:
            return _with_entries(rows, entries)
        case pl.String() | pl.Categorical() | pl.Enum():
            read = read_property_texts(rows.get_column(PLAIN.properties).cast(pl.String))
            return rows.hstack(read.rename(dict(zip(read.columns, _OUTPUTS, strict=True))))
        case None | pl.Null():
            return rows.with_columns(_columns(pl.lit(EMPTY)))
        case _:
            reason, detail = wrong_type(PLAIN.properties, "JSON text, a struct or a map", kind(dtype))
            value = pl.col(PLAIN.properties)
            refused = pl.when(value.is_not_null()).then(pl.lit(reason.value))
            return rows.with_columns(_columns(pl.when(value.is_null()).then(pl.lit(EMPTY)), refused, pl.lit(detail)))


_OUTPUTS = (_PROPERTIES, _PROPERTIES_REASON, _PROPERTIES_DETAIL)


def _columns(properties: pl.Expr, reason: pl.Expr | None = None, detail: pl.Expr | None = None) -> list[pl.Expr]:
    absent = pl.lit(None, dtype=pl.String)
    found = (properties, absent if reason is None else reason, absent if detail is None else detail)
    return [expression.alias(name) for expression, name in zip(found, _OUTPUTS, strict=True)]


def _instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _with_members(rows: pl.DataFrame, values: dict[str, pl.Expr], dtypes: dict[str, pl.DataType]) -> pl.DataFrame:
    """Properties from one column each."""
    texts = [
        pl.concat_str(json_string(pl.lit(name)), pl.lit(":"), json_string(canonical_cell(values[name], dtypes[name])))
        for name in sorted(values)
    ]
    joined = pl.concat_str([pl.lit(None, dtype=pl.String), *texts], separator=",", ignore_nulls=True)
    checks = [(cell_reason(values[name], dtypes[name]), pl.lit(name)) for name in sorted(values)]
    checks = checks or [(pl.lit(None, dtype=pl.String), pl.lit(""))]
    properties = pl.concat_str(pl.lit("{"), joined, pl.lit("}"))
    return rows.with_columns(_columns(properties, pl.coalesce(reason for reason, _ in checks), _first_detail(checks)))


def _entries(rows: pl.DataFrame, dtype: pl.DataType) -> pl.DataFrame | None:
    """Grain: one row per entry of a map column (row, key, value); None where a list is no map."""
    column = pl.col(PLAIN.properties)
    entries = rows.select(column.map.entries() if isinstance(dtype, pl.Map) else column).with_row_index("row")
    inner = entries.schema[PLAIN.properties]
    element = inner.inner if isinstance(inner, pl.List) else None
    if not isinstance(element, pl.Struct) or {field.name for field in element.fields} != {"key", "value"}:
        return None
    return entries.filter(pl.col(PLAIN.properties).list.len() > 0).explode(PLAIN.properties).unnest(PLAIN.properties)


def _with_entries(rows: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Properties from a map: its entries sorted by key; a key twice is refused."""
    dtype = entries.schema["value"]
    key, value = pl.col("key").cast(pl.String), pl.col("value")
    text = json_string(canonical_cell(value, dtype))
    read = (
        entries.with_columns(
            key=key,
            member=pl.concat_str(json_string(key), pl.lit(":"), text),
            why=pl.coalesce(_of_no_key(key), cell_reason(value, dtype)),
        )
        .sort("row", "key")
        .group_by("row")
        .agg(
            members=pl.col("member").drop_nulls(),
            why=pl.col("why").drop_nulls().first(),
            what=pl.col("key").filter(pl.col("why").is_not_null()).first(),
            repeated=pl.col("key").filter(pl.col("key").is_duplicated()).first(),
        )
        .select(
            "row",
            pl.concat_str(pl.lit("{"), pl.col("members").list.join(","), pl.lit("}")).alias(_PROPERTIES),
            pl.when(pl.col("repeated").is_not_null())
            .then(pl.lit(Reason.DUPLICATE_KEY.value))
            .otherwise("why")
            .alias(_PROPERTIES_REASON),
            pl.coalesce("repeated", "what").alias(_PROPERTIES_DETAIL),
        )
    )
    joined = rows.with_row_index("row").join(read, on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(pl.col(_PROPERTIES).fill_null(EMPTY))


def _of_no_key(key: pl.Expr) -> pl.Expr:
    return pl.when(key.is_null()).then(pl.lit(Reason.WRONG_TYPE.value))
