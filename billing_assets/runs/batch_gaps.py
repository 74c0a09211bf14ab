"""Whether the tables hold exactly what the committed batches put there: no row above the last one, no gap below it."""

from __future__ import annotations

import json

import polars as pl

from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

SEQUENCES = ("ingest", "books")
DISCREPANCY = pl.Schema(
    {
        "sequence": pl.String,
        "batch_no": pl.Int64,
        "table": pl.String,
        "problem": pl.String,
        "expected_rows": pl.Int64,
        "found_rows": pl.Int64,
    }
)


def batch_gaps(lake: Lake) -> pl.DataFrame:
    """The discrepancies: batches without their COMMITTED row, rows of batches that are not committed, rows missing.

    A batch that is open now is listed as well; the next run of its command finishes it.
    """
    found = pl.concat([_committed_gaps(lake, sequence) for sequence in SEQUENCES] + [_row_gaps(lake)])
    return found.sort("sequence", "batch_no", "table")


def _committed_gaps(lake: Lake, sequence: str) -> pl.DataFrame:
    """Numbers up to the last committed batch that lack their COMMITTED row."""
    rows = lake.scan("batches", pl.col("sequence") == sequence, pl.col("state") == "COMMITTED")
    present = set(lake.collect(rows.select("batch_no"))["batch_no"])
    absent = [number for number in range(1, lake.committed(sequence) + 1) if number not in present]
    return pl.DataFrame(
        [(sequence, number, "batches", "no COMMITTED row", 1, 0) for number in absent], DISCREPANCY, orient="row"
    )


def _row_gaps(lake: Lake) -> pl.DataFrame:
    expected = _expected(lake)
    found = _found(lake)
    joined = expected.join(found, on=["sequence", "batch_no", "table"], how="full", coalesce=True)
    return (
        joined.with_columns(pl.col("found_rows").fill_null(0))
        .filter(pl.col("expected_rows").ne_missing(pl.col("found_rows")))
        .with_columns(
            problem=pl.when(pl.col("expected_rows").is_null())
            .then(pl.lit("rows of a batch that is not committed"))
            .otherwise(pl.lit("rows that the batch did not write, or rows lost"))
        )
        .select(DISCREPANCY.names())
    )


def _expected(lake: Lake) -> pl.DataFrame:
    """Rows per committed batch and table, as its COMMITTED row says."""
    committed = lake.collect(lake.scan("batches", pl.col("state") == "COMMITTED"))
    stated = [
        (row["sequence"], row["batch_no"], table, result["rows"])
        for row in committed.iter_rows(named=True)
        for table, result in json.loads(row["result"])["tables"].items()
    ]
    schema = {name: DISCREPANCY[name] for name in ("sequence", "batch_no", "table", "expected_rows")}
    return pl.DataFrame(stated, schema, orient="row")


def _found(lake: Lake) -> pl.DataFrame:
    """Rows per batch and table, as stored, committed or not."""
    frames = {}
    for name, spec in TABLES.items():
        if spec.numbering is not None and name not in _DERIVED:
            number = pl.col(spec.numbering.column).alias("batch_no")
            counted = lake.scan(name, through={}).group_by(number).agg(found_rows=pl.len().cast(pl.Int64))
            where = {"sequence": pl.lit(spec.numbering.sequence), "table": pl.lit(name)}
            frames[name] = counted.with_columns(**where).select("sequence", "batch_no", "table", "found_rows")
    return pl.concat(lake.collect_all(frames).values())


_DERIVED = ("usage_states", "usage_values", "metered_slices")
"""Computed from committed batches at any later time, so no batch states their rows."""
