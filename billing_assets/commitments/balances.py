"""Balances: what each segment was granted, what became of it, and what is left, as the table `balances` shows it."""

from __future__ import annotations

import polars as pl

from billing_assets.commitments.ledger import GRANTS
from billing_assets.money import share, zero

OPENINGS = ("GRANT", "ROLLOVER_IN", "SEAT_ADJUSTMENT", "MANUAL")
_OF_KIND = {
    "granted": (OPENINGS, 1),
    "drawn": (("DEDUCTION",), -1),
    # What a true-up charges cannot be drawn any more, as what expired.
    "expired": (("EXPIRATION", "TRUEUP"), -1),
    "rolled_over": (("ROLLOVER_OUT",), -1),
}


def balances(access: pl.LazyFrame, ledger: pl.LazyFrame, pending: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment_id: segments with a row in the ledger, or an opening among the pending rows.

    granted = drawn + expired + rolled_over + remaining. A reversal counts with what it reverses; what a true-up
    charged counts as expired. pending: rows that drafts would write; their grants are granted, their deductions are
    `pending_drawn`, beside the rest.
    """
    opening = pending.filter(pl.col("entry_type").is_in(GRANTS)).join(
        ledger.select("entry_id"), on="entry_id", how="anti"
    )
    rows = pl.concat([by_kind(ledger), by_kind(opening)])
    parts = [
        (sign * pl.col("amount").filter(pl.col("kind").is_in(kinds)).sum()).alias(name)
        for name, (kinds, sign) in _OF_KIND.items()
    ]
    summed = rows.group_by("segment_id").agg(
        *parts,
        pl.col("balance_id", "balance_type", "customer_id", "contract_id", "unit").first(),
        remaining=pl.col("amount").sum(),
        first=pl.col("effective_at").min(),
    )
    drafts = pending.filter(pl.col("entry_type") == "DEDUCTION").group_by("segment_id")
    basis = share(pl.col("cost"), pl.col("amount").sum().over("balance_id"))
    terms = access.select(
        "segment_id", access_starting_at="starting_at", access_ending_before="ending_before",
        cost_basis=pl.when(pl.col("cost") > zero()).then(basis),
    )  # fmt: skip
    return (
        summed.join(terms, on="segment_id", how="left")
        .join(drafts.agg(pending_drawn=-pl.col("amount").sum()), on="segment_id", how="left")
        .with_columns(
            pl.col("pending_drawn").fill_null(zero()),
            # A segment that is no longer in the catalog keeps its rows.
            access_starting_at=pl.coalesce("access_starting_at", "first"),
        )
        .drop("first")
        .sort("segment_id")
    )


def by_kind(entries: pl.LazyFrame) -> pl.LazyFrame:
    """`entries` with `kind`: their type, of a reversal the type of what it reverses."""
    types = entries.select(reverses_entry_id="entry_id", reversed_type="entry_type")
    columns = ("segment_id", "balance_id", "balance_type", "customer_id", "contract_id", "unit", "amount")
    return entries.join(types, on="reverses_entry_id", how="left").select(
        *columns, "effective_at", kind=pl.coalesce("reversed_type", "entry_type")
    )
