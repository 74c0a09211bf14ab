"""docs/tables.md, made from the tables: `python -m billing_assets.schemas.reference > docs/tables.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.schemas.registry import TABLES, Column, TableSpec

INTRODUCTION = """\
# The tables

Made from the schemas by `python -m billing_assets.schemas.reference > docs/tables.md`; do not edit it.

A lake is a folder, on a local disk or in an object store, with one Delta table per folder. The descriptions below are
also in the tables' own metadata. `decimal` is `decimal(38,12)`: every quantity, rate and amount; `timestamp` is UTC
with microseconds. Group values are JSON text with sorted keys, their values strings or null, `{}` where there is no
group. Months are text, as `2026-10`.

Rows that a batch wrote carry its number, as `batch_no` (sequence `books`) or `ingest_batch` (sequence `ingest`). A
batch counts once its COMMITTED row is in `batches`: read rows up to the last committed number of the sequence, and join
`invoices` to see what exists. Tables that are *append-only* never lose or change a row. Columns may be added to a table
in a later version; none is renamed or given another meaning.
"""

SECTIONS: Mapping[str, str] = {
    "ingestion": "Events",
    "metering": "Usage",
    "rating": "Prices",
    "invoicing": "Invoices",
    "ledger": "Balances",
    "history": "History",
    "dimensions": "The catalog as dimensions",
}
"""Sections of the page by the schema module of a table's model, in the page's order."""

TYPE_NAMES: Mapping[pl.DataType, str] = {
    pl.String(): "text",
    pl.Int64(): "integer",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    TIMESTAMP: "timestamp",
    DECIMAL: "decimal",
}


def reference() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for module, title in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_table(spec)) for spec in TABLES.values() if _module(spec) == module]
    return "\n".join(parts)


def _module(spec: TableSpec) -> str:
    return spec.model.__module__.rsplit(".", 1)[-1]


def _table(spec: TableSpec) -> Iterator[str]:
    yield f"### {spec.name}\n"
    yield f"{spec.description}\n"
    facts = [f"Sorted by {', '.join(spec.sort_keys)}."]
    if spec.partition_by:
        facts.insert(0, f"Partitioned by {', '.join(spec.partition_by)}.")
    if spec.append_only:
        facts.append("Append-only.")
    yield f"{' '.join(facts)}\n"
    yield "| column | type | null | meaning |\n|---|---|---|---|"
    for column in (*spec.columns.values(), *spec.open_columns):
        kind, null = TYPE_NAMES[column.dtype], "yes" if column.nullable else ""
        yield f"| `{_name(column)}` | {kind} | {null} | {column.comment} |"
    yield ""


def _name(column: Column) -> str:
    """The column's name; of a family of columns, its prefix and a placeholder."""
    return f"{column.name[1:].split('[')[0]}<name>" if column.name.startswith("^") else column.name


if __name__ == "__main__":
    print(reference())
