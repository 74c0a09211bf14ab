"""`billing export`: a month's invoices, lines, ledger and journal as files for other systems."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted
from billing_assets.cli.output import say, tell
from billing_assets.cli.settings import Settings, month
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing export --month 2026-10 --format csv --to exports/2026-10
billing export --month 2026-10 --format parquet --to exports/2026-10 --force
"""

TABLES = ("invoices", "line_items", "ledger_entries")


class FileFormat(StrEnum):
    """What the files are."""

    CSV = "csv"
    PARQUET = "parquet"


@command("export", examples=EXAMPLES)
def export(
    settings: Settings,
    month_: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="The month, by close_month.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Directory of the files; made if it does not exist.")],
    format: Annotated[  # noqa: A002 - the option's name
        FileFormat, typer.Option("--format", metavar="csv|parquet", help="Kind of files.")
    ] = FileFormat.CSV,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> int:
    """Write the finalized invoices of a month, their lines and ledger entries, and the month's journal as files.

    The files are DIR/invoices, DIR/line_items and DIR/ledger_entries; DIR/journal, double-entry postings in the
    currency's minor unit, ready for a general ledger; DIR/journal_details, the exact entries behind them, each with its
    line or ledger entry; and DIR/control_totals, opening + debits - credits = closing of each account. All are sorted
    by key: the same month gives the same bytes. CSV has exact decimals, timestamps in UTC, and an empty field for an
    absent value. Drafts are not exported. Accounts and rules are in docs/bookkeeping.md; a journal that does not
    balance is refused, and nothing is written.
    """
    from billing_assets.runs import journal

    chosen = month(month_) or ""
    lake = settings.lake()
    files = {name: to / f"{name}.{format.value}" for name in (*TABLES, *journal.FILES)}
    if existing := [str(file) for file in files.values() if file.exists() and not force]:
        raise UsageError(f"{', '.join(existing)}: exists already; --force overwrites")
    frames = {table: of_month(lake, table, chosen) for table in TABLES} | journal.month_of(lake, chosen)
    to.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        _write(frames[name], file, format)
        say(f"{file}: {counted(frames[name].height, 'row')}")
    _warn_if_open(lake, chosen)
    return 0


def of_month(lake: Lake, table: str, chosen: str) -> pl.DataFrame:
    """The month's committed rows in the order of the table's key."""
    import polars as pl

    from billing_assets.schemas import TABLES as SPECS

    return lake.collect(lake.scan(table, pl.col("close_month") == chosen).sort(SPECS[table].sort_keys))


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Decimals as shortest plain text, timestamps as RFC 3339: exact, and the same in every release."""
    import polars as pl
    import polars.selectors as cs

    decimals = cs.decimal().cast(pl.String)
    shortest = (
        pl.when(decimals.str.contains(".", literal=True))
        .then(decimals.str.strip_chars_end("0").str.strip_chars_end("."))
        .otherwise(decimals)
    )
    return frame.with_columns(shortest, cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))


def _write(frame: pl.DataFrame, file: Path, kind: FileFormat) -> None:
    """Beside its place first, so that a file is there whole or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if kind is FileFormat.CSV:
            as_text(frame).write_csv(unfinished)
        else:
            frame.write_parquet(unfinished, compression="zstd")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _warn_if_open(lake: Lake, chosen: str) -> None:
    import polars as pl

    sealed = lake.collect(lake.scan("month_closes", pl.col("close_month") == chosen)).height
    if not sealed:
        drafts = lake.collect(lake.scan("draft_invoices", pl.col("close_month") == chosen)).height
        tell(f"note: {chosen} is not sealed; {counted(drafts, 'draft')} of it may still become invoices")
