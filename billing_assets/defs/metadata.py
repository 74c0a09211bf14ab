"""Reports as the metadata that the Dagster UI shows: counts, totals, table versions, small tables as markdown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import dagster as dg
import polars as pl

from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

SHOWN_ROWS = 20


def stored(lake: Lake, tables: Iterable[str], *of: pl.Expr) -> dict[str, dict[str, Any]]:
    """Per table its address, its Delta version, and its committed rows: of the partition that the filters `of` say.

    A filter on a column that a table does not have leaves that table whole.
    """
    filters = {name: [one for one in of if set(one.meta.root_names()) <= set(TABLES[name].columns)] for name in tables}
    rows = lake.collect_all({name: lake.scan(name, *chosen).select(pl.len()) for name, chosen in filters.items()})
    return {
        name: {
            "dagster/uri": lake.uri(name),
            "delta_version": -1 if (version := lake.version(name)) is None else version,
            "dagster/partition_row_count" if chosen else "dagster/row_count": rows[name].item(),
        }
        for name, chosen in filters.items()
    }


def table(frame: pl.DataFrame, rows: int = SHOWN_ROWS) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a markdown table; says how many are left out."""
    if frame.is_empty():
        return dg.MetadataValue.md("none")
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + " --- |" * head.width]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in head.rows()]
    left = frame.height - head.height
    return dg.MetadataValue.md("\n".join(lines) + (f"\n\n… and {left:,} more" if left else ""))


def in_words(frame: pl.DataFrame, rows: int = 2) -> str:
    """How many rows a frame has, and the first of them, as a sentence; null values are left out."""
    if frame.is_empty():
        return "no row breaks it"
    shown = (
        ", ".join(f"{name} {_cell(value)}" for name, value in row.items() if value is not None)
        for row in frame.head(rows).to_dicts()
    )
    count = f"{frame.height:,} row{'' if frame.height == 1 else 's'}"
    return f"{count}: {'; '.join(shown)}{'; …' if frame.height > rows else ''}"


def listing(items: Iterable[object]) -> dg.MarkdownMetadataValue:
    """Texts as a markdown list."""
    return dg.MetadataValue.md("\n".join(f"- {item}" for item in items) or "none")


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            text = f"{value:,f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M:%S}"
        case int():
            return f"{value:,}"
        case _:
            return str(value).replace("|", "\\|")
