"""Write `data/expected` from a lake in which three months were closed: `python -m ...golden.write LAKE`."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.runs import journal
from billing_assets.schemas import TABLES as SPECS
from billing_assets.storage.lake import Lake

EXPECTED = Path(__file__).resolve().parents[2] / "data" / "expected"
FIRST, LAST = "2023-11", "2024-01"
_MONTH = pl.col("close_month")
MONTH_FILES = {"invoices.csv": ("invoices", _MONTH == FIRST), "line_items.csv": ("line_items", _MONTH == FIRST)}
"""What the first close makes: the file, its table, and which rows of it."""
FILES = {
    **MONTH_FILES,
    "later/invoices.csv": ("invoices", _MONTH > FIRST),
    "later/line_items.csv": ("line_items", _MONTH > FIRST),
    "ledger_entries.csv": ("ledger_entries", pl.lit(value=True)),
    "balances.csv": ("balances", pl.lit(value=True)),
}
"""What is there after three closes; of the first one still the same."""
OF_THE_RUN = ("catalog_version", "computed_as_of")
"""Beside recorded history, what would change with every edit of a comment in the catalog, or with the run's now."""


MONTHS = (FIRST, "2023-12", LAST)
JOURNAL = ("journal.csv", "control_totals.csv")
"""What `billing export` makes of the books, of the three months together."""


def journal_as_written(lake: Lake) -> dict[str, str]:
    """JOURNAL: the months one after the other, without invoice numbers; money as shortest decimals."""
    months = [journal.month_of(lake, month) for month in MONTHS]
    shortest = pl.col(pl.Decimal).cast(pl.String).str.replace(r"\.?0+$", "")
    return {
        name: pl.concat(month[name.removesuffix(".csv")] for month in months)
        .drop(*HISTORY_COLUMNS, strict=False)
        .with_columns(shortest)
        .write_csv()
        for name in JOURNAL
    }


def as_written(lake: Lake, name: str) -> str:
    """The file as CSV, sorted by its keys, without the columns that record history; money as shortest decimals."""
    table, rows = FILES[name]
    chosen = lake.scan(table).filter(rows).drop(*HISTORY_COLUMNS, *OF_THE_RUN, strict=False)
    shortest = pl.col(pl.Decimal).cast(pl.String).str.replace(r"\.?0+$", "")
    return chosen.sort(SPECS[table].sort_keys).with_columns(shortest).collect().write_csv()


def write(lake: Lake) -> None:
    """All of FILES. Raises ValueError for a lake in which not all three months were closed."""
    if lake.scan("invoices").filter(_MONTH == LAST).collect().is_empty():
        raise ValueError(f"close three months in it, to {LAST}, as data/README.md has it")
    for name in FILES:
        (EXPECTED / name).write_text(as_written(lake, name), encoding="utf-8")
    for name, content in journal_as_written(lake).items():
        (EXPECTED / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(Lake(sys.argv[1]))
