"""What each run tells its caller: counts, totals, and small frames a person reads. All money is exact decimals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from billing_assets.errors import Problem
from billing_assets.reconcile import Invariant


@dataclass(frozen=True, slots=True)
class CatalogRecord:
    """The catalog of a run as recorded: its content version, and whether this run was the first to use it."""

    version: str
    is_new: bool
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """One ingest batch; `batch_no` is None where there was nothing new. `files` has a row of `ingested_files` each."""

    batch_no: int | None
    files: pl.DataFrame
    days: tuple[date, ...]
    problems: tuple[Problem, ...]
    rejects_by_reason: pl.DataFrame


@dataclass(frozen=True, slots=True)
class MeterReport:
    """Days that had a (day, ingest batch, measure) not yet metered, and what was written for them."""

    days: tuple[date, ...]
    states_written: int
    slices: int


@dataclass(frozen=True, slots=True)
class RateReport:
    """The priced periods of one month: lines before invoices, unrated spans, unbilled usage by disposition."""

    month: str
    lines: int
    invoices: int
    usage_rows: int
    unbilled_rows: int
    totals: pl.DataFrame
    unrated: pl.DataFrame
    unbilled: pl.DataFrame


@dataclass(frozen=True, slots=True)
class FinalizeReport:
    """One batch of the books for one month; `batch_no` is None where there was nothing to finalize or seal.

    drawn_first: of `finalized`, the invoices of other months, which draw first on balances that they share with it.
    """

    month: str
    batch_no: int | None
    finalized: pl.DataFrame
    drawn_first: pl.DataFrame
    held: pl.DataFrame
    not_yet_due: int
    open: int
    sealed: tuple[str, ...]
    top_customers: pl.DataFrame
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftReport:
    """The refreshed drafts: how many, their lines, totals per currency and close month."""

    drafts: int
    lines: int
    totals: pl.DataFrame


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One invariant and the rows that break it; empty when it holds."""

    invariant: Invariant
    discrepancies: pl.DataFrame
