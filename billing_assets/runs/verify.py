"""Compute final invoices again from their watermarks, and compare (docs/semantics.md, Reproducible).

A batch is computed by the function that made it, from its recorded intent. Its usage is metered again from the events,
beside the lake, so that nothing which may be written again is trusted; nothing is written to the lake.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from billing_assets import __version__
from billing_assets.errors import InvariantBreach
from billing_assets.runs.books import SEQUENCE, computed_from
from billing_assets.runs.catalogs import needed
from billing_assets.runs.decisions import carries
from billing_assets.runs.meter import meter
from billing_assets.runs.tables import as_table
from billing_assets.storage.beside import METERED, beside
from billing_assets.storage.lake import Lake

OF_VOIDS = ("status", "voided_at", "void_reason", "replaced_by_invoice_id")
KEYS = {"invoices": ("invoice_id",), "line_items": ("line_item_id",), "ledger_entries": ("entry_id",)}
"""What of a batch is compared, and by which key."""

DIFFERENCE: dict[str, pl.DataType] = dict.fromkeys(
    ("invoice_id", "table", "key", "column", "recorded", "recomputed"), pl.String()
)
"""One value that differs. column: null where a whole row is missing on one side, which then says "none"."""


@dataclass(frozen=True, slots=True)
class Verified:
    """batches: batch_no, computed_as_of, engine_version and invoices, what was asked of each batch. differences:
    DIFFERENCE with batch_no; those of ledger rows without an invoice have no invoice_id."""

    batches: pl.DataFrame
    differences: pl.DataFrame

    @property
    def other_engines(self) -> list[str]:
        """Versions, other than the one that runs, by which invoices were made."""
        return sorted(set(self.batches["engine_version"].to_list()) - {__version__})


def verify(lake: Lake, invoices: pl.DataFrame) -> Verified:
    """Compute the batches again that made `invoices` (rows of the table), and compare their rows of `invoices`,
    `line_items` and `ledger_entries`, each by its key, every column as it is recorded, money to its last digit.

    What a void has changed since is left out. Raises InvariantBreach where a catalog version or an intent is missing.
    """
    batches = (
        invoices.group_by("batch_no")
        .agg(pl.col("computed_as_of", "engine_version").first(), invoices=pl.len())
        .sort("batch_no")
    )
    asked = invoices["invoice_id"].implode()
    found = [pl.DataFrame(schema={**DIFFERENCE, "batch_no": pl.Int64()})]
    with metered_anew(lake) as beside:
        for batch_no in batches["batch_no"]:
            rows = _of_batch(lake, beside, int(batch_no))
            mine = rows.filter(pl.col("invoice_id").is_null() | pl.col("invoice_id").is_in(asked))
            found.append(mine.with_columns(batch_no=pl.lit(batch_no, dtype=pl.Int64)))
    return Verified(batches, pl.concat(found))


@contextmanager
def metered_anew(lake: Lake) -> Iterator[Lake]:
    """The lake, with tables of its own for what is metered. A lake in an object store is read as it is, with the states
    that it has."""
    if not lake.is_local:
        yield lake
        return
    with beside(lake, METERED) as other:
        yield other


def _of_batch(lake: Lake, beside: Lake, batch_no: int) -> pl.DataFrame:
    """DIFFERENCE rows of one batch."""
    intent = intent_of(lake, batch_no)
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
    """DIFFERENCE rows between two versions of the rows of a batch in a table."""
    keys = list(KEYS[table])
    compared = [name for name in recorded.columns if name not in (*keys, *OF_VOIDS)]
    one, other = (
        frame.lazy()
        .with_columns(_invoice=pl.col("invoice_id"))
        .select(*keys, "_invoice", pl.struct(pl.col(compared).cast(pl.String)).alias("row"))
        for frame in (recorded, recomputed)
    )
    both = one.join(other, on=keys, how="full", coalesce=True, suffix="_again").with_columns(
        invoice_id=pl.coalesce("_invoice", "_invoice_again"), table=pl.lit(table), key=pl.col(keys[0])
    )
    absent = pl.lit("none")
    gone = both.filter(pl.col("row").is_null() | pl.col("row_again").is_null()).select(
        *("invoice_id", "table", "key"),
        column=pl.lit(None, dtype=pl.String),
        recorded=pl.when(pl.col("row").is_null()).then(absent).otherwise(pl.lit("a row")),
        recomputed=pl.when(pl.col("row_again").is_null()).then(absent).otherwise(pl.lit("a row")),
    )
    columns = [
        both.filter(pl.col("row").is_not_null(), pl.col("row_again").is_not_null()).select(
            *("invoice_id", "table", "key"),
            column=pl.lit(name),
            recorded=pl.col("row").struct.field(name),
            recomputed=pl.col("row_again").struct.field(name),
        )
        for name in compared
    ]
    values = pl.concat(columns).filter(pl.col("recorded").ne_missing(pl.col("recomputed")))
    together = pl.concat([gone, values]).select(*DIFFERENCE).sort("invoice_id", "table", "key", "column")
    return together.collect()
