"""Compute final invoices again from their watermarks, and compare (docs/semantics.md, Reproducible).

A batch is computed by the function that made it, from its recorded intent. Its usage is metered again from the events,
beside the lake, so that nothing which may be written again is trusted; nothing is written to the lake.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from billing_assets import __version__
from billing_assets.columns import TIMESTAMP
from billing_assets.errors import InvariantBreach
from billing_assets.runs.books import SEQUENCE, computed_from
from billing_assets.runs.catalogs import needed
from billing_assets.runs.decisions import carries
from billing_assets.runs.meter import meter
from billing_assets.runs.tables import as_table
from billing_assets.storage.beside import METERED, beside
from billing_assets.storage.lake import Lake

OF_VOIDS = ("status", "voided_at", "void_reason", "replaced_by_invoice_id")
KEYS = {
    "invoices": "invoice_id",
    "line_items": "line_item_id",
    "ledger_entries": "entry_id",
    "month_closes": "close_month",
}
"""What of a batch is compared, and by which key."""
OF_MONTHS = ("invoices", "line_items", "closed_periods")
"""What tells which batches made a month's invoices, also where rows of one of them are gone."""

DIFFERENCE: dict[str, pl.DataType] = dict.fromkeys(
    ("invoice_id", "table", "key", "column", "recorded", "recomputed"), pl.String()
)
"""One value that differs. column: null where a whole row is missing on one side, which then says "none"."""


@dataclass(frozen=True, slots=True)
class Verified:
    """invoices: the compared rows of the table. batches: batch_no, computed_as_of, engine_version, events_through and
    catalog_version of what made them. differences: DIFFERENCE with batch_no; those of ledger rows and seals are of no
    invoice. metered_again: whether usage was, from the events."""

    invoices: pl.DataFrame
    batches: pl.DataFrame
    differences: pl.DataFrame
    metered_again: bool

    @property
    def other_engines(self) -> list[str]:
        """Versions, other than the one that runs, by which invoices were made."""
        return sorted(set(self.batches["engine_version"].to_list()) - {__version__})


def verify(lake: Lake, *, month: str | None = None, invoice_id: str | None = None) -> Verified:
    """Compute the batches again that made an invoice, the invoices of a close month, or all that are final, and compare
    their rows of KEYS, each by its key, every column as it is recorded, money to its last digit; of an invoice, its own
    and those that are of none.

    What a void has changed since is left out. Raises InvariantBreach where a catalog version or an intent is missing.
    """
    asked = pl.lit(value=True)
    if invoice_id is not None:
        asked &= pl.col("invoice_id") == invoice_id
    if month is not None:
        asked &= pl.col("close_month") == month
    through = {"batch_no": lake.committed(SEQUENCE)}
    rows = [lake.scan(table, through=through).filter(asked).select("batch_no") for table in OF_MONTHS]
    numbers = lake.collect(pl.concat(rows).unique().sort("batch_no"))["batch_no"].to_list()
    intents = {int(number): intent_of(lake, int(number)) for number in numbers}
    found = [pl.DataFrame(schema={**DIFFERENCE, "batch_no": pl.Int64()})]
    with metered_anew(lake, intents) as beside:
        for batch_no, intent in intents.items():
            differ = _of_batch(lake, beside, batch_no, intent)
            mine = differ.filter(_is_asked(month, invoice_id)).select(*DIFFERENCE)
            found.append(mine.with_columns(batch_no=pl.lit(batch_no, dtype=pl.Int64)))
    return Verified(
        invoices=lake.collect(lake.scan("invoices", through=through).filter(asked).sort("batch_no", "invoice_number")),
        batches=_described(intents),
        differences=pl.concat(found),
        metered_again=lake.is_local,
    )


def _is_asked(month: str | None, invoice_id: str | None) -> pl.Expr:
    """Of rows of `differing`."""
    if invoice_id is not None:
        return pl.col("invoice_id").is_null() | (pl.col("invoice_id") == invoice_id)
    if month is not None:
        return (pl.col("month") == month) | (pl.col("month_again") == month)
    return pl.lit(value=True)


def _described(intents: Mapping[int, Mapping[str, Any]]) -> pl.DataFrame:
    rows = [
        (number, datetime.fromisoformat(one["now"]), *(one[name] for name in MARKS)) for number, one in intents.items()
    ]
    schema = {"batch_no": pl.Int64(), "computed_as_of": TIMESTAMP, **MARKS}
    return pl.DataFrame(rows, schema=schema, orient="row")


MARKS: dict[str, pl.DataType] = {
    "engine_version": pl.String(),
    "events_through": pl.Int64(),
    "catalog_version": pl.String(),
}


@contextmanager
def metered_anew(lake: Lake, asked: Collection[int]) -> Iterator[Lake]:
    """The lake, with tables of its own for what is metered. A lake in an object store is read as it is, with the states
    that it has; so is one of which nothing is asked."""
    if not lake.is_local or not asked:
        yield lake
        return
    with beside(lake, METERED) as other:
        yield other


def _of_batch(lake: Lake, beside: Lake, batch_no: int, intent: Mapping[str, Any]) -> pl.DataFrame:
    """`differing` of all tables of one batch."""
    if beside is not lake:
        for version in measured_by(lake, intent):
            meter(beside, needed(lake, version), date.min, date.max)
    rows = computed_from(beside, intent).rows
    found = [
        differing(
            table,
            lake.collect(lake.scan(table, pl.col("batch_no") == batch_no)),
            lake.collect(as_table(table, rows[table].with_columns(batch_no=pl.lit(batch_no, dtype=pl.Int64)).lazy())),
        )
        for table in KEYS
    ]
    return pl.concat(found)


def measured_by(lake: Lake, intent: Mapping[str, Any]) -> list[str]:
    """The catalog versions of whose metrics a batch has looked at usage: its own, those of the periods that were closed
    before it, whose late usage it may bill, and those that an action carries."""
    earlier = lake.scan("closed_periods", through={"batch_no": intent["ledger_through"]}).select("catalog_version")
    carried = carries(lake, intent["actions_through"]).select(catalog_version="carried_by")
    found = lake.collect(pl.concat([earlier, carried]).unique())["catalog_version"].drop_nulls().to_list()
    return sorted({intent["catalog_version"], *found})


def intent_of(lake: Lake, batch_no: int) -> dict[str, Any]:
    """What a batch of the books was computed from, as its last attempt recorded it; InvariantBreach without it."""
    rows = lake.scan("batches", pl.col("sequence") == SEQUENCE, pl.col("batch_no") == batch_no)
    intents = lake.collect(rows.filter(pl.col("state") == "INTENT").sort("attempt"))["intent"].to_list()
    if not intents:
        raise InvariantBreach(f"table batches lacks the intent of batch {batch_no} of {SEQUENCE}")
    return dict(json.loads(intents[-1]))


def differing(table: str, recorded: pl.DataFrame, recomputed: pl.DataFrame) -> pl.DataFrame:
    """Rows of DIFFERENCE, with the close month on either side (month, month_again), between two versions of the rows of
    a batch in a table."""
    key = KEYS[table]
    compared = [name for name in recorded.columns if name not in (key, *OF_VOIDS)]
    invoice = pl.col("invoice_id") if "invoice_id" in recorded.columns else pl.lit(None, dtype=pl.String)
    one, other = (
        frame.lazy().select(
            pl.col(key).alias("key"),
            pl.int_range(pl.len()).over(key).alias("nth"),  # a row that is there twice differs from one
            invoice.alias("invoice"),
            pl.col("close_month").alias("month"),
            pl.struct(pl.col(compared).cast(pl.String)).alias("row"),
        )
        for frame in (recorded, recomputed)
    )
    both = one.join(other, on=["key", "nth"], how="full", coalesce=True, suffix="_again").with_columns(
        invoice_id=pl.coalesce("invoice", "invoice_again"), table=pl.lit(table)
    )
    about = ("month", "month_again", "invoice_id", "table", "key")
    absent = pl.lit("none")
    gone = both.filter(pl.col("row").is_null() | pl.col("row_again").is_null()).select(
        *about,
        column=pl.lit(None, dtype=pl.String),
        recorded=pl.when(pl.col("row").is_null()).then(absent).otherwise(pl.lit("a row")),
        recomputed=pl.when(pl.col("row_again").is_null()).then(absent).otherwise(pl.lit("a row")),
    )
    columns = [
        both.filter(pl.col("row").is_not_null(), pl.col("row_again").is_not_null()).select(
            *about,
            column=pl.lit(name),
            recorded=pl.col("row").struct.field(name),
            recomputed=pl.col("row_again").struct.field(name),
        )
        for name in compared
    ]
    values = pl.concat(columns).filter(pl.col("recorded").ne_missing(pl.col("recomputed")))
    return pl.concat([gone, values]).sort("invoice_id", "table", "key", "column").collect()
