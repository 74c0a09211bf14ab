"""Every invariant of the system as a function that returns the rows that break it.

One flat list, `INVARIANTS`: the same functions gate a batch before its commit, run as asset checks on what was
stored, and answer `billing check`. An empty frame means that the invariant holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_assets.charges.invariants import overlapping_fees, repeated_charges
from billing_assets.commitments.invariants import (
    applied_access,
    covered_outside_access,
    overdrawn_balances,
    repeated_entries,
    unbalanced_balances,
    unexplained_deductions,
    unmatched_reversals,
    unmatched_rollovers,
)
from billing_assets.ingestion.invariants import conflicting_duplicates, lost_rows, unbalanced_files
from billing_assets.invoicing.invariants import (
    altered_contents,
    finalized_drafts,
    invoice_sums,
    line_arithmetic,
    line_numbers,
    number_gaps,
    orphan_lines,
    overlapping_periods,
    repeated_invoices,
    unexplained_voids,
)
from billing_assets.schemas import TABLES

Tables = Callable[[str], pl.LazyFrame]
"""A table's committed rows by name; a table that does not exist yet is an empty frame of its schema."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must always hold. `of` is the table (and Dagster asset) that it speaks about."""

    name: str
    of: str
    about: str
    find: Callable[[Tables], pl.LazyFrame]
    warning: bool = False


def uncounted_usage(equation: pl.LazyFrame) -> pl.LazyFrame:
    """(metric, day) where billed + listed differs from the accepted events that match the metric."""
    return equation.filter(pl.col("billed") + pl.col("listed") != pl.col("accepted"))


def repeated_rows(table: str, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Keys of a table that several of its rows have."""
    keys = TABLES[table].sort_keys
    return rows.group_by(keys).agg(rows=pl.len()).filter(pl.col("rows") > 1)


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "files_reconcile", "ingested_files", "rows = accepted + duplicates + rejected, per file",
        lambda t: unbalanced_files(t("ingested_files")),
    ),
    Invariant(
        "events_stored", "events", "every accepted row of every file is stored, once",
        lambda t: lost_rows(t("ingested_files"), t("events"), "accepted"),
    ),
    Invariant(
        "rejects_stored", "rejected_events", "every rejected row is listed with its reason",
        lambda t: lost_rows(t("ingested_files"), t("rejected_events"), "rejected"),
    ),
    Invariant(
        "duplicates_stored", "duplicate_events", "every duplicate row is listed with the batch of the winner",
        lambda t: lost_rows(t("ingested_files"), t("duplicate_events"), "duplicates"),
    ),
    Invariant(
        "no_conflicting_duplicates", "duplicate_events", "no repeated id came with another payload or timestamp",
        lambda t: conflicting_duplicates(t("duplicate_events")), warning=True,
    ),
    Invariant(
        "states_once", "usage_states", "one state per measure, reference, group, hour and ingest batch",
        lambda t: repeated_rows("usage_states", t("usage_states")),
    ),
    Invariant(
        "sums_of_lines", "invoices", "each invoice's sums are the sums of its lines, exactly",
        lambda t: invoice_sums(t("invoices"), t("line_items")),
    ),
    Invariant(
        "contents_unaltered", "invoices", "each finalized invoice still has the content hash of its finalization",
        lambda t: altered_contents(t("invoices"), t("line_items")),
    ),
    Invariant(
        "numbers_gapless", "invoices", "invoice numbers are 1..n per issuing entity and series",
        lambda t: number_gaps(t("invoices")),
    ),
    Invariant(
        "one_invoice_per_period", "invoices", "one invoice that is not void per contract and period",
        lambda t: repeated_invoices(t("invoices")),
    ),
    Invariant(
        "periods_apart", "closed_periods", "no hour of a contract is in two periods that are billed or skipped",
        lambda t: overlapping_periods(t("closed_periods"), t("invoices")),
    ),
    Invariant(
        "charged_once", "line_items", "no scheduled charge or purchase of a commit is on two invoices",
        lambda t: repeated_charges(t("invoices"), t("line_items")),
    ),
    Invariant(
        "fees_apart", "line_items", "no hour of a subscription is in two periods that are charged",
        lambda t: overlapping_fees(t("invoices"), t("line_items")),
    ),
    Invariant(
        "lines_have_invoices", "line_items", "every line belongs to an invoice",
        lambda t: orphan_lines(t("invoices"), t("line_items")),
    ),
    Invariant(
        "lines_numbered", "line_items", "the lines of an invoice are numbered 1..n, each with its own id",
        lambda t: line_numbers(t("line_items")),
    ),
    Invariant(
        "lines_multiply", "line_items", "amount = quantity x unit price, rounded once at the 12th place",
        lambda t: line_arithmetic(t("line_items")),
    ),
    Invariant(
        "priced_once", "rated_lines", "no priced line is there twice",
        lambda t: repeated_rows("rated_lines", t("rated_lines")),
    ),
    Invariant(
        "counted_once", "usage", "one row per metric, contract, period, group and day",
        lambda t: repeated_rows("usage", t("usage")),
    ),
    Invariant(
        "listed_once", "unbilled_usage", "no unbilled usage is listed twice",
        lambda t: repeated_rows("unbilled_usage", t("unbilled_usage")),
    ),
    Invariant(
        "covered_inside_access", "line_items", "a balance covers no usage outside its access segment",
        lambda t: covered_outside_access(t("line_items"), applied_access(t("line_items"))),
    ),
    Invariant(
        "no_balance_below_zero", "ledger_entries", "no balance is overdrawn, except by a manual entry",
        lambda t: overdrawn_balances(t("ledger_entries")),
    ),
    Invariant(
        "entries_once", "ledger_entries", "every movement is in the ledger once",
        lambda t: repeated_entries(t("ledger_entries")),
    ),
    Invariant(
        "deductions_explained", "ledger_entries", "each deduction is what the lines of its invoice say",
        lambda t: unexplained_deductions(t("line_items"), t("ledger_entries")),
    ),
    Invariant(
        "rollovers_meet", "ledger_entries", "what rolls out of a contract rolls into the next",
        lambda t: unmatched_rollovers(t("ledger_entries")),
    ),
    Invariant(
        "reversals_match", "ledger_entries", "each reversal is the opposite of one row, which no other reverses",
        lambda t: unmatched_reversals(t("ledger_entries")),
    ),
    Invariant(
        "voids_explained", "invoices", "a void invoice has its event; it and its replacement name each other",
        lambda t: unexplained_voids(t("invoices"), t("invoice_events")),
    ),
    Invariant(
        "balances_conserved", "balances", "granted = drawn + expired + rolled over + remaining, per segment",
        lambda t: unbalanced_balances(t("balances")),
    ),
    Invariant(
        "drafts_are_open", "draft_invoices", "no draft of a period that is finalized",
        lambda t: finalized_drafts(t("draft_invoices"), t("invoices")),
    ),
    Invariant(
        "draft_sums_of_lines", "draft_invoices", "each draft's sums are the sums of its lines, exactly",
        lambda t: invoice_sums(t("draft_invoices"), t("draft_line_items")),
    ),
)  # fmt: skip


def ledger_gate(
    items: pl.LazyFrame, entries: pl.LazyFrame, taken: pl.LazyFrame, access: pl.LazyFrame
) -> dict[str, pl.LazyFrame]:
    """What is checked of the ledger rows of a batch, beside `gate`. `taken`: the rows of earlier batches; `access`: the
    dates of segments as `covered_outside_access` reads them."""
    segments = entries.select("segment_id").unique()
    together = pl.concat([taken.select(ENTRIES), entries.select(ENTRIES)]).join(segments, on="segment_id", how="semi")
    return {
        "no_balance_below_zero": overdrawn_balances(together),
        "entries_once": repeated_entries(together),
        "deductions_explained": unexplained_deductions(items, entries),
        "covered_inside_access": covered_outside_access(items, access),
        "rollovers_meet": unmatched_rollovers(entries.with_columns(batch_no=pl.lit(0))),
    }


ENTRIES = ("entry_id", "segment_id", "balance_id", "entry_type", "amount")


def gate(
    invoices: pl.LazyFrame, items: pl.LazyFrame, closed: pl.LazyFrame, taken: pl.LazyFrame, equation: pl.LazyFrame
) -> dict[str, pl.LazyFrame]:
    """What is checked on the frames of a batch before its first table is touched, by the name of the check.

    `taken` has the invoices that earlier batches committed; numbers and periods must fit behind them. `closed`: the
    periods of all batches up to this one.
    """
    keys = ["invoice_id", "contract_id", "invoice_type", "period_start", "status", "issuing_entity", "number_series",
            "number_sequence"]  # fmt: skip
    together = pl.concat([taken.select(keys), invoices.select(keys)])
    return {
        "sums_of_lines": invoice_sums(invoices, items),
        "contents_unaltered": altered_contents(invoices, items),
        "numbers_gapless": number_gaps(together),
        "one_invoice_per_period": repeated_invoices(together),
        "periods_apart": overlapping_periods(closed, together),
        "lines_have_invoices": orphan_lines(invoices, items),
        "lines_numbered": line_numbers(items),
        "lines_multiply": line_arithmetic(items),
        "usage_accounted_for": uncounted_usage(equation),
    }
