"""What must hold of the ledger and of covered lines; each function returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.commitments.covered import APPLICATION
from billing_assets.money import zero


def overdrawn_balances(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """Segments whose rows add up to less than 0, unless somebody took something away by hand."""
    by_hand = pl.col("entry_type") == "MANUAL"
    return (
        ledger.group_by("segment_id")
        .agg(pl.col("balance_id").first(), remaining=pl.col("amount").sum(), by_hand=by_hand.any())
        .filter(pl.col("remaining") < zero(), ~pl.col("by_hand"))
        .drop("by_hand")
    )


def unbalanced_balances(balances: pl.LazyFrame) -> pl.LazyFrame:
    """Segments where granted is not drawn + expired + rolled over + remaining."""
    parts = pl.col("drawn") + pl.col("expired") + pl.col("rolled_over") + pl.col("remaining")
    return balances.filter(pl.col("granted") != parts).select(
        "segment_id", "granted", "drawn", "expired", "rolled_over", "remaining"
    )


def unmatched_rollovers(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """(batch, customer, unit) in which not all that rolled out of a contract rolled into another."""
    rolled = ledger.filter(pl.col("entry_type").is_in(["ROLLOVER_OUT", "ROLLOVER_IN"]))
    keys = ["batch_no", "customer_id", "unit"]
    return rolled.group_by(keys).agg(difference=pl.col("amount").sum()).filter(pl.col("difference") != zero())


def repeated_entries(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """Movements that are in the ledger more than once."""
    return ledger.group_by("entry_id").agg(entries=pl.len()).filter(pl.col("entries") > 1)


def unmatched_reversals(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """Reversals that are not the opposite of what they name, and rows that are reversed more than once."""
    reversals = ledger.filter(pl.col("entry_type") == "VOID_REVERSAL")
    named = ledger.select(reverses_entry_id="entry_id", of_segment="segment_id", reversed_amount="amount")
    once = pl.len().over("reverses_entry_id") == 1
    is_opposite = (pl.col("segment_id") == pl.col("of_segment")) & (pl.col("amount") == -pl.col("reversed_amount"))
    return (
        reversals.with_columns(is_once=once)
        .join(named, on="reverses_entry_id", how="left")
        .filter(~(is_opposite & pl.col("is_once")).fill_null(value=False))
        .select("entry_id", "segment_id", "amount", "reverses_entry_id", "reversed_amount")
    )


def unexplained_deductions(items: pl.LazyFrame, ledger: pl.LazyFrame) -> pl.LazyFrame:
    """(invoice, segment) where the ledger took another amount than the invoice's lines say.

    Of money, the application lines; of units, the quantities of the parts that the segment covers.
    """
    keys = ["invoice_id", "segment_id"]
    of_segments = items.filter(pl.col("segment_id").is_not_null(), pl.col("line_type") != "trueup")
    applied = pl.col("line_type") == APPLICATION
    told = of_segments.group_by(keys).agg(
        applied=-pl.col("amount").filter(applied).sum(), units=pl.col("quantity").filter(~applied).sum()
    )
    deducted = ledger.filter(pl.col("entry_type") == "DEDUCTION")
    taken = deducted.group_by(keys).agg(pl.col("unit").first(), deducted=-pl.col("amount").sum())
    by_units = pl.col("unit").str.starts_with("quantity:").fill_null(value=False)
    shown = pl.when(by_units).then("units").otherwise("applied").fill_null(zero())
    return (
        told.join(taken, on=keys, how="full", coalesce=True)
        .with_columns(shown=shown, deducted=pl.col("deducted").fill_null(zero()))
        .filter(pl.col("shown") != pl.col("deducted"))
        .select(*keys, "unit", "shown", "deducted")
    )


def covered_outside_access(items: pl.LazyFrame, access: pl.LazyFrame) -> pl.LazyFrame:
    """Usage lines that a balance covers outside the dates of its segment.

    access: access_starting_at and access_ending_before (null: open) by segment_id, and by invoice_id where it has one.
    """
    keys = [name for name in ("invoice_id", "segment_id") if name in access.collect_schema().names()]
    outside = (pl.col("starting_at") < pl.col("access_starting_at")) | (
        pl.col("ending_before") > pl.col("access_ending_before")
    )
    return (
        items.filter(pl.col("line_type") == "usage")
        .join(access.select(*keys, "access_starting_at", "access_ending_before"), on=keys)
        .filter(outside)
        .select("invoice_id", "line_item_id", "segment_id", "starting_at", "ending_before")
    )


def applied_access(items: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (invoice_id, segment_id): the access that invoices were made with, whatever the catalog says since, as far
    as it cuts their periods: that is how their application lines are dated."""
    start, end = pl.col("starting_at"), pl.col("ending_before")
    return (
        items.filter(pl.col("line_type") == APPLICATION)
        .group_by("invoice_id", "segment_id")
        .agg(
            access_starting_at=pl.when(start > pl.col("service_period_start")).then(start).max(),
            access_ending_before=pl.when(end < pl.col("service_period_end")).then(end).min(),
        )
    )
