"""Reports as the metadata that the Dagster UI shows: counts, totals, small tables as markdown."""

from __future__ import annotations

from decimal import Decimal

import dagster as dg
import polars as pl

SHOWN_ROWS = 20


def table(frame: pl.DataFrame, rows: int = SHOWN_ROWS) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a markdown table; says how many are left out."""
    if frame.is_empty():
        return dg.MetadataValue.md("none")
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + " --- |" * head.width]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in head.rows()]
    left = frame.height - head.height
    return dg.MetadataValue.md("\n".join(lines) + (f"\n\n… and {left:,} more" if left else ""))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            text = f"{value:,f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case int():
            return f"{value:,}"
        case _:
            return str(value).replace("|", "\\|")
