"""Where output goes: results on stdout (tables, text or JSON alone), everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from billing_assets.cli.figures import aligned, jsonable, money_text

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

Row = Mapping[str, Any]

MONEY = frozenset(
    (
        *("subtotal", "discounts", "credits_applied", "postpaid_applied", "late_usage", "rounding", "total"),
        *("amount", "list_amount"),
        *("granted", "drawn", "expired", "rolled_over", "remaining", "pending_drawn"),
        *("before", "after", "difference", "total_after", "billed", "simulated", "invoiced", "would_be"),
        *("finalized", "recomputed", "carried", "outstanding"),
    )
)
"""Columns that are amounts in the row's currency, or other unit."""
PARSED = frozenset(
    (
        *("bill_to", "tags", "hold_reasons", "group_key", "group_values", "pricing_group_values"),
        *("presentation_group_values", "control_totals", "unbilled", "hold_reasons_after"),
    )
)
"""Columns that hold JSON text in the tables, and are given as JSON here."""
GAP = 2
"""Blanks between columns."""
SHOWN_AT_MOST = 1_000
"""Rows of a table on a terminal; what is redirected, and JSON, is always whole."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `rank` 0 is always there; on a narrow terminal the highest rank goes first."""

    title: str
    cell: Callable[[Row], str]
    numeric: bool = False
    rank: int = 0


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a result. Results are what is printed: small, and never on the data path."""
    return frame.to_dicts()


def record(row: Row) -> dict[str, Any]:
    """A row as JSON: money with at least its minor digits, group values and the like as objects."""
    currency = row.get("currency") or row.get("amount_unit") or row.get("unit")
    return {name: _json_cell(name, value, currency) for name, value in row.items()}


def _json_cell(name: str, value: Any, currency: str | None) -> Any:
    if value is None:
        return None
    if name in MONEY and not isinstance(value, int | str):
        return money_text(value, currency)
    if name in PARSED and isinstance(value, str):
        return json.loads(value)
    return jsonable(value)


def print_json(content: Mapping[str, Any]) -> None:
    print(json.dumps(jsonable(content), indent=2, ensure_ascii=False))


def say(text: str = "") -> None:
    """A line of the result."""
    print(text)


def paragraph(text: str, indent: int) -> None:
    """Indented text, wrapped where there is an edge."""
    edge = width()
    lines = [text] if edge is None else wrap(text, max(edge - indent, 20), break_long_words=False)
    for line in lines:
        say(f"{'':{indent}}{line}")


def tell(text: str) -> None:
    """A line about the work: on stderr, so that stdout is the result alone."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def heading(text: str) -> None:
    """A line that stands over what follows; bold on a terminal."""
    say()
    if sys.stdout.isatty():
        terminal().print(text, style="bold", highlight=False, markup=False)
    else:
        say(text)


def loud(text: str) -> None:
    """A line that must not be overlooked."""
    if sys.stdout.isatty():
        terminal().print(f" {text} ", style="bold white on red", highlight=False, markup=False)
    else:
        say(f"*** {text} ***")


def terminal() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout, soft_wrap=False)


def width() -> int | None:
    """Columns of the terminal; None where the output goes to a file or a pipe, which has no edge."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns) or 80
    except (OSError, ValueError):
        return 80


def print_table(rows: Sequence[Row], columns: Sequence[Column], indent: int = 0) -> None:
    """Rows as a table: as wide as it needs in a file, as wide as fits on a terminal. Nothing is cut off."""
    edge = width()
    shown = rows if edge is None else rows[:SHOWN_AT_MOST]
    filled = [Filled(column, _cells(shown, column)) for column in columns]
    if edge is None:
        _print_plain(filled, indent)
        return
    _print_rich(_fitting([one for one in filled if any(one.cells)], edge - indent), indent)
    if len(rows) > len(shown):
        say(f"{'':{indent}}... and {len(rows) - len(shown):,} more; filter, or redirect the output to see all")


@dataclass(frozen=True, slots=True)
class Filled:
    """A column with its cells."""

    column: Column
    cells: list[str]

    @property
    def width(self) -> int:
        from rich.cells import cell_len

        lines = (line for cell in (self.column.title, *self.cells) for line in cell.split("\n"))
        return max(cell_len(line) for line in lines)


def _cells(rows: Sequence[Row], column: Column) -> list[str]:
    texts = [column.cell(row) for row in rows]
    return aligned(texts) if column.numeric else texts


def _fitting(filled: list[Filled], edge: int) -> list[Filled]:
    """The columns that fit the edge: those of the highest rank are left out first."""
    chosen = list(filled)
    while sum(one.width + GAP for one in chosen) - GAP > edge:
        highest = max((one.column.rank for one in chosen), default=0)
        if highest == 0:
            break
        chosen = [one for one in chosen if one.column.rank < highest]
    return chosen


def _print_plain(filled: Sequence[Filled], indent: int) -> None:
    from rich.cells import cell_len

    titles = [[one.column.title for one in filled]] if any(one.column.title for one in filled) else []
    for line in (*titles, *zip(*(one.cells for one in filled), strict=True)):
        padded = []
        for one, cell in zip(filled, line, strict=True):
            gap = " " * (one.width - cell_len(cell))
            padded.append(gap + cell if one.column.numeric else cell + gap)
        say((" " * indent + "  ".join(padded)).rstrip())


def _print_rich(filled: Sequence[Filled], indent: int) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    titled = any(one.column.title for one in filled)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold", show_header=titled)
    for one in filled:
        side: Literal["left", "right"] = "right" if one.column.numeric else "left"
        table.add_column(one.column.title, justify=side, no_wrap=one.column.numeric, overflow="fold")
    for line in zip(*(one.cells for one in filled), strict=True):
        table.add_row(*(Text(cell, overflow="fold") for cell in line))
    console = terminal()
    with console.capture() as captured:
        console.print(Padding(table, (0, 0, 0, indent)))
    for text in captured.get().splitlines():
        say(text.rstrip())
