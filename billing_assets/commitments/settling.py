"""One settlement: what open invoices draw, rollovers included, and the rows that a batch of them writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_assets.commitments.drawdown import Lanes, depth, drawdown
from billing_assets.commitments.ledger import Batch, deductions, expirations, final_draws, grants
from billing_assets.commitments.reach import Hold, reach
from billing_assets.commitments.rollover import after_rollover, rolled, rollover_entries
from billing_assets.commitments.trueup import trueup_entries

Count = Callable[[pl.LazyFrame], int]
"""The one number of a frame."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the catalog says of who may draw: `selectors`, `shares` (balance_contracts), and `rolling` (ROLLOVER)."""

    selectors: pl.LazyFrame
    shares: pl.LazyFrame
    rolling: pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Settlement:
    """draws: DRAW of all lines; rolls: what rolls over and is not in the ledger yet (`rolled`)."""

    draws: pl.LazyFrame
    rolls: pl.LazyFrame


def settle(
    lines: pl.LazyFrame, opened: pl.LazyFrame, terms: Terms, count: Count, hold: Hold, lanes: Lanes | None = None
) -> Settlement:
    """What the open invoices draw of `opened` (`openings`, in order).

    Pools in which something rolls over are drawn a second time: no invoice up to the old contract's last one can draw
    on what rolls over, so the first time tells how much that is. count: the number in a frame.
    """
    first = hold(_drawn(lines, opened, terms, count, hold, lanes))
    rolls = hold(rolled(opened, first, lines, terms.rolling))
    pools = hold(opened.join(rolls.select("segment_id"), on="segment_id", how="semi").select("pool").unique())
    again = hold(lines.join(pools, on="pool", how="semi"))
    renewed = hold(after_rollover(opened, rolls).join(pools, on="pool", how="semi"))
    second = _drawn(again, renewed, terms, count, hold, lanes)
    others = first.join(again.select("line_key"), on="line_key", how="anti")
    return Settlement(pl.concat([others, second]), rolls)


def _drawn(
    lines: pl.LazyFrame, opened: pl.LazyFrame, terms: Terms, count: Count, hold: Hold, lanes: Lanes | None
) -> pl.LazyFrame:
    found = reach(lines, opened, terms.selectors, terms.shares, hold)
    return drawdown(found, count(depth(found)), hold, lanes)


@dataclass(frozen=True, slots=True)
class Written:
    """What else the rows of a batch depend on.

    trueups: those that the batch makes final; ended: contract_id of contracts that are over and have no invoice open
    after the batch.
    """

    trueups: pl.LazyFrame
    ended: pl.LazyFrame


def entries(
    settled: Settlement,
    lines: pl.LazyFrame,
    opened: pl.LazyFrame,
    terms: Terms,
    given: Written,
    batch: Batch,
    hold: Hold,
) -> pl.LazyFrame:
    """ENTRY rows of `batch`, sorted by id: openings, deductions, rollovers, true-ups, then what expires."""
    drawn = hold(final_draws(settled.draws, lines, batch))
    rows = [
        grants(opened, drawn, batch),
        deductions(opened, drawn, batch),
        rollover_entries(opened, settled.rolls, terms.rolling, given.ended, batch),
        trueup_entries(opened, given.trueups, batch),
    ]
    moves = hold(pl.concat(rows))
    return pl.concat([moves, expirations(opened, moves, terms.shares, batch)]).sort("entry_id")
