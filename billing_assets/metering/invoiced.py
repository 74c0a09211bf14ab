"""What a final invoice has counted stays with it, wherever its reference moved since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.metering.grain import BILLED, CODE, LATE, SETTLED, SLICE_OF_METRIC

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames

WINDOW = ("customer_ref", "window_start")
HISTORY = ("is_unseen", "is_moved", "is_cut", "stays")


def with_invoiced(
    inside: pl.LazyFrame, windows: pl.LazyFrame, frames: CatalogFrames, invoiced: pl.LazyFrame | None
) -> pl.LazyFrame:
    """`inside`, windows in periods, with `is_unseen`, and beside them the windows of references that have moved away.

    is_unseen: the period's final invoice did not count the reference. is_moved: it did, and by today's catalog the
    window is not the contract's: the customer no longer has the reference, or (is_cut) the contract is over or not yet
    begun.
    stays: the customer has no other contract there that could have billed it. False or null on other rows.
    `invoiced`: customer_ref, contract_id, customer_id, contract_position, the period, is_moved; None: nothing moved.
    """
    if invoiced is None:
        return inside.with_columns(pl.lit(value=False).alias(name) for name in HISTORY)
    period = pl.col("window_start").is_between("period_start", "period_end", closed="left")
    contracts = frames.contracts.select("contract_id", "customer_id", "starting_at", "ending_before")
    given_away = windows.join(invoiced.filter("is_moved"), on="customer_ref").filter(period)
    cut_off = inside.join(_covered(inside, contracts), on=[*WINDOW, "contract_id"], how="anti")
    away = pl.concat(
        [given_away, cut_off.with_columns(is_moved=pl.lit(value=True), is_cut=pl.lit(value=True))], how="diagonal"
    )
    others = (
        _covered(away.select(*WINDOW, "customer_id").unique(), contracts)
        .join(away, on=[*WINDOW, "contract_id"], how="anti")
        .select(*WINDOW, "customer_id", stays=pl.lit(value=False))
        .unique()
    )
    moved = away.join(others, on=[*WINDOW, "customer_id"], how="left").with_columns(
        pl.col("stays").fill_null(value=True), place=pl.lit(CODE[BILLED], dtype=pl.Int8)
    )
    came = invoiced.filter(~pl.col("is_moved")).select(
        "customer_ref", "contract_id", "period_start", is_unseen=pl.lit(value=True)
    )
    here = inside.join(cut_off, on=[*WINDOW, "contract_id"], how="anti").join(
        came, on=["customer_ref", "contract_id", "period_start"], how="left"
    )
    return pl.concat([here, moved], how="diagonal")


def _covered(windows: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """`windows` (WINDOW, customer_id) by the contracts of the customer in whose dates they lie."""
    at, until = pl.col("window_start"), pl.col("ending_before")
    return (
        windows.select(*WINDOW, "customer_id")
        .join(contracts, on="customer_id")
        .filter(pl.col("starting_at") <= at, until.is_null() | (at < until))
        .select(*WINDOW, "customer_id", "contract_id")
    )


def settled_stays(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """`candidates` without what usage that moved cannot be: of a reference its old customer's after the invoice, or any
    other's where a final invoice has billed or listed it. Of hours that a contract has billed and that were cut off
    since, what comes late is late."""
    is_moved, is_cut = (pl.col(name).fill_null(value=False) for name in ("is_moved", "is_cut"))
    could_bill = pl.col("product_id").is_not_null() & ~pl.col("is_excluded")
    is_late = is_cut & (pl.col("code") == CODE[LATE])
    possible = candidates.filter(~is_moved | is_late | (pl.col("code") == CODE[SETTLED]))
    taken = possible.filter(is_moved & (could_bill | pl.col("stays"))).select(SLICE_OF_METRIC).unique()
    elsewhere = possible.filter(~is_moved).join(taken, on=SLICE_OF_METRIC, how="anti")
    return pl.concat([possible.filter(is_moved), elsewhere])
