"""Draft to final: which are due, their numbers, their watermarks, and the seal of a month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.drafts import NOT_HELD, SEALED, VOIDED
from billing_assets.invoicing.headers import CORRECTION
from billing_assets.periods import close_month


@dataclass(frozen=True, slots=True)
class Watermarks:
    """Everything that a finalized invoice depends on, recorded on it (docs/semantics.md, Reproducible)."""

    events_through: int
    ledger_through: int
    actions_through: int
    catalog_version: str
    computed_as_of: datetime
    engine_version: str


def due(drafts: pl.LazyFrame, now: datetime, month: str) -> pl.LazyFrame:
    """The drafts to finalize: issued at or before `now`, neither held nor waiting, of `month`; and of other months
    those of pools with an invoice in `month`, which draw before that (docs/semantics.md, Pools).

    `drafts` has the pools of balances. True-ups among them may still wait for others (`commitments.ready`).
    """
    # A correction is dated by the run that issues it.
    of_month = (pl.col("close_month") == month) | (pl.col("invoice_type") == CORRECTION)
    asked = drafts.filter(of_month).select("pool").drop_nulls().unique()
    # One of the instant at which the month ends is of the next, and draws before the usage that ends there.
    is_scheduled = pl.col("invoice_type") == "SCHEDULED"
    draws_in = pl.when(is_scheduled).then(close_month(pl.col("issued_at"))).otherwise("close_month")
    before = drafts.filter(~of_month, draws_in <= month).join(asked, on="pool", how="semi")
    is_issued = pl.col("issued_at") <= pl.lit(now, dtype=TIMESTAMP)
    both = pl.concat([drafts.filter(of_month), before])
    return both.filter(is_issued, pl.col("hold_reasons") == NOT_HELD, ~pl.col("waits"))


def replacement(drafts: pl.LazyFrame, replaces: str) -> pl.LazyFrame:
    """The draft that replaces the void invoice `replaces`, unless something else than that, or the seal of its month,
    holds it."""
    reasons = pl.col("hold_reasons")
    for lifted in (VOIDED, SEALED):
        reasons = reasons.str.replace_all(f'"{lifted}"', "", literal=True)
    others = reasons.str.strip_chars("[,]")
    found = drafts.filter(pl.col("replaces_invoice_id") == replaces, others == "")
    return found.with_columns(hold_reasons=pl.lit(NOT_HELD))


def numbered(invoices: pl.LazyFrame, taken: pl.LazyFrame, issuing_entity: str, number_format: str) -> pl.LazyFrame:
    """`invoices` with their numbers: consecutive per issuing entity and series, in order of (issued_at, id).

    `taken` has the highest `number_sequence` of each (issuing_entity, number_series) so far, voided ones included.
    The series is the format with the year of issue filled in.
    """
    prefix, width, suffix = _parts(number_format)
    before, after = _with_year(prefix), _with_year(suffix)
    keys = ["issuing_entity", "number_series"]
    return (
        invoices.with_columns(
            issuing_entity=pl.lit(issuing_entity),
            number_series=pl.concat_str([before, pl.lit("{number}"), after]),
        )
        .join(taken.select(*keys, last="number_sequence"), on=keys, how="left")
        .sort("issued_at", "invoice_id")
        .with_columns(
            number_sequence=pl.int_range(pl.len(), dtype=pl.Int64).over(keys) + 1 + pl.col("last").fill_null(0)
        )
        .with_columns(
            invoice_number=pl.concat_str([before, pl.col("number_sequence").cast(pl.String).str.zfill(width), after])
        )
        .drop("last")
    )


def stamped(invoices: pl.LazyFrame, marks: Watermarks) -> pl.LazyFrame:
    """`invoices` FINALIZED at the run's now, with the watermarks of what they were computed from."""
    return invoices.with_columns(
        status=pl.lit("FINALIZED"),
        finalized_at=pl.lit(marks.computed_as_of, dtype=TIMESTAMP),
        computed_as_of=pl.lit(marks.computed_as_of, dtype=TIMESTAMP),
        events_through=pl.lit(marks.events_through, dtype=pl.Int64),
        ledger_through=pl.lit(marks.ledger_through, dtype=pl.Int64),
        actions_through=pl.lit(marks.actions_through, dtype=pl.Int64),
        catalog_version=pl.lit(marks.catalog_version),
        engine_version=pl.lit(marks.engine_version),
    )


def events_of(invoices: pl.LazyFrame, event: str, at: datetime, by: str) -> pl.LazyFrame:
    """One row of `invoice_events` per invoice."""
    return invoices.select(
        "invoice_id",
        "content_hash",
        event=pl.lit(event),
        at=pl.lit(at, dtype=TIMESTAMP),
        by=pl.lit(by),
        reason=pl.lit(None, dtype=pl.String),
    )


_TEXT = r"[^{}]*(?:\{year\}[^{}]*)?"
NUMBER_FORMAT = re.compile(rf"^(?P<prefix>{_TEXT})\{{number(?::0?(?P<width>\d+))?\}}(?P<suffix>{_TEXT})$")
"""`INV-{year}-{number:06}`: one `{number}`, padded to a width, and at most one `{year}`."""


def _with_year(text: str) -> pl.Expr:
    around = [pl.lit(part) for part in text.split("{year}")]
    year = pl.col("issued_at").dt.year().cast(pl.String)
    return pl.concat_str([around[0], year, around[1]]) if len(around) > 1 else around[0]


def _parts(number_format: str) -> tuple[str, int, str]:
    found = NUMBER_FORMAT.match(number_format)
    if found is None:  # the catalog checks the format; this states the precondition
        raise ValueError(f"not an invoice number format: {number_format!r}")
    return found["prefix"], int(found["width"] or 1), found["suffix"]
