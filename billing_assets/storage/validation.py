"""The gate before every write: a frame has exactly the columns, dtypes and values that its table's model states."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import pandera.polars as pa
import polars as pl

from billing_assets.errors import SchemaBreach
from billing_assets.schemas import TableSpec

ROWS_A_SLICE = 1_000_000
_SHOWN = 5


def conform(spec: TableSpec, frame: pl.LazyFrame) -> pl.LazyFrame:
    """`frame` in the column order of the table, Enum and Categorical as text.

    Raises SchemaBreach where columns or dtypes differ; values are looked at by `checked`, as rows pass.
    """
    found = frame.collect_schema()
    texts = [name for name, dtype in found.items() if dtype in (pl.Enum, pl.Categorical)]
    known = [name for name in spec.columns if name in found]
    others = sorted(name for name in found if name not in spec.columns)
    ordered = frame.with_columns(pl.col(texts).cast(pl.String)).select(*known, *others)
    schema = ordered.collect_schema()
    if schema != spec.schema:
        checked(spec, pl.DataFrame(schema=schema))
    return ordered


def checked(spec: TableSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows themselves. Raises SchemaBreach with every column that is wrong and a few of the rows."""
    for part in rows.iter_slices(ROWS_A_SLICE) if rows.height else (rows,):
        try:
            spec.model.validate(part, lazy=True)
        except pa.errors.SchemaErrors as breach:
            raise SchemaBreach(_message(spec, part, breach.failure_cases)) from None
    return rows


def _message(spec: TableSpec, rows: pl.DataFrame, cases: pl.DataFrame) -> str:
    lines = [f"table {spec.name}: the frame breaks its schema; nothing was written"]
    for (column, check), failures in cases.group_by("column", "check", maintain_order=True):
        lines += _complaints(spec, rows, str(column), str(check), failures)
    return "\n  ".join(lines)


def _complaints(spec: TableSpec, rows: pl.DataFrame, column: str, check: str, failures: pl.DataFrame) -> Iterator[str]:
    names = failures["failure_case"].to_list()
    match check.partition("(")[0]:
        case "column_in_schema":
            yield from (f"{name}: not a column of the table{_nearest(spec, rows, name)}" for name in names)
        case "column_in_dataframe":
            yield from (f"{name}: the column is missing, expected {spec.schema[name]}" for name in names)
        case "dtype":
            expected = spec.column(column)
            yield f"{column}: expected {expected.dtype if expected else check}, found {names[0]}"
        case "not_nullable":
            yield f"{column}: null in {_rows(spec, rows, column, failures)}"
        case _:
            yield f"{column}: {check} does not hold in {_rows(spec, rows, column, failures)}"


def _nearest(spec: TableSpec, rows: pl.DataFrame, name: str) -> str:
    absent = [each for each in spec.columns if each not in rows.columns]
    near = difflib.get_close_matches(name, absent, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _rows(spec: TableSpec, rows: pl.DataFrame, column: str, failures: pl.DataFrame) -> str:
    keys = [key for key in spec.sort_keys if key in rows.columns]
    picked = rows.select(list(dict.fromkeys((*keys, column))))[failures["index"].head(_SHOWN).to_list()]
    shown = "; ".join(", ".join(f"{key}={value}" for key, value in row.items()) for row in picked.to_dicts())
    return f"{failures.height} row(s): {shown}"
