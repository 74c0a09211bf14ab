"""Write `data/expected` from a lake in which the sample month was closed: `python -m ...golden.write LAKE`."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.schemas import TABLES as SPECS
from billing_assets.storage.lake import Lake

EXPECTED = Path(__file__).resolve().parents[2] / "data" / "expected"
TABLES = ("invoices", "line_items")
OF_THE_RUN = ("catalog_version", "computed_as_of")
"""Beside recorded history, what would change with every edit of a comment in the catalog, or with the run's now."""


def as_written(lake: Lake, table: str) -> str:
    """The table as CSV, sorted by its keys, without the columns that record history; money as shortest decimals."""
    rows = lake.scan(table).drop(*HISTORY_COLUMNS, *OF_THE_RUN, strict=False).sort(SPECS[table].sort_keys)
    return rows.with_columns(pl.col(pl.Decimal).cast(pl.String).str.replace(r"\.?0+$", "")).collect().write_csv()


if __name__ == "__main__":
    for name in TABLES:
        (EXPECTED / f"{name}.csv").write_text(as_written(Lake(sys.argv[1]), name), encoding="utf-8")
