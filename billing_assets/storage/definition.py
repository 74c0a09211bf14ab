"""A table's definition in Delta: columns with NOT NULL and comments, partitions, properties. Created on first use."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.errors import LakeError
from billing_assets.schemas import Column, TableSpec

_DELTA_TYPES: dict[pl.DataType, str] = {
    pl.String(): "string",
    pl.Int64(): "long",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    TIMESTAMP: "timestamp",
    DECIMAL: "decimal(38,12)",
}


def create(uri: str, spec: TableSpec, storage_options: dict[str, str]) -> DeltaTable:
    """The new table, or the one that another process has just created."""
    try:
        return DeltaTable.create(
            uri,
            schema=Schema([_field(column) for column in spec.columns.values()]),
            partition_by=list(spec.partition_by) or None,
            name=spec.name,
            description=spec.description,
            configuration={"delta.appendOnly": "true"} if spec.append_only else None,
            storage_options=storage_options,
        )
    except DeltaError:
        try:
            return DeltaTable(uri, storage_options=storage_options)
        except TableNotFoundError:
            pass
        raise


def widen(table: DeltaTable, spec: TableSpec, incoming: Iterable[str]) -> None:
    """Add the columns that the model or the incoming frame has and the table lacks; they are nullable.

    `schema_mode="merge"` would drop NOT NULL. A table that lacks a column which must not be null was written by
    another version of the engine: LakeError.
    """
    stored = {field.name for field in table.schema().fields}
    wanted = dict.fromkeys((*spec.columns, *incoming))
    added = [column for name in wanted if name not in stored and (column := spec.column(name))]
    for column in added:
        if not column.nullable:
            raise LakeError(f"table {spec.name} lacks column {column.name}, which is never null; migrate it first")
    if added:
        table.alter.add_columns([_field(column) for column in added])


def columns(table: DeltaTable) -> pl.Schema:
    """The columns of the stored table, as Polars reads them."""
    return pl.scan_delta(table, credential_provider=None).collect_schema()


def _field(column: Column) -> Field:
    kind = PrimitiveType(_DELTA_TYPES[column.dtype])
    return Field(column.name, kind, nullable=column.nullable, metadata={"comment": column.comment})
