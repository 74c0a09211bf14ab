"""The ledger: what a batch of invoices moves, row by row; a balance is the sum of its rows (cases 13, 16 and 18).

Amounts: + increases what can be drawn. Every id is a hash of what the row is about, so that a retry writes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.identity import stable_id
from billing_assets.money import or_zero, proportion, zero
from billing_assets.periods import close_month

ENTRY: dict[str, pl.DataType] = {
    "close_month": pl.String(),
    "entry_id": pl.String(),
    "balance_id": pl.String(),
    "balance_type": pl.String(),
    "segment_id": pl.String(),
    "customer_id": pl.String(),
    "contract_id": pl.String(),
    "entry_type": pl.String(),
    "amount": DECIMAL,
    "cost": DECIMAL,
    "unit": pl.String(),
    "effective_at": TIMESTAMP,
    "invoice_id": pl.String(),
    "line_item_id": pl.String(),
    "reverses_entry_id": pl.String(),
    "reason": pl.String(),
}
"""Columns of ledger_entries that a batch computes; grain entry_id."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch makes final, as far as the ledger asks.

    final: its invoices (not TRUEUP), grain invoice_id: pool, dated_at, close_month. still_open: grain (invoice_id,
    contract_id whose lines it can carry) of those that stay open: invoice_type, period_start, dated_at. until: openings
    before it are written. sealed_months take no row; what belongs to one of them goes to `month`.

    The pending rows of drafts are those of a batch that would make all of them final.
    """

    final: pl.LazyFrame
    still_open: pl.LazyFrame
    until: datetime
    now: datetime
    month: str
    sealed_months: tuple[str, ...] = ()


def openings(access: pl.LazyFrame, ledger: pl.LazyFrame) -> pl.LazyFrame:
    """`access` with what the ledger says of each segment, and `available`: what invoices that are open may draw.

    ledger: rows of earlier batches. Adds `movements` and `moved` (how many rows, and their sum); `ungranted`, what of
    its amount no row has granted yet; `closings`, by which the next expiration gets an id of its own. A rollover has
    what the ledger gave it, and nothing before that. An amount that is lowered in the catalog takes away what is not
    drawn, and no more; neither counts once it is closed, unless a void has opened it again. `uncosted`: what of the
    segment's share of its balance's cost no row has yet; null where nothing is paid in advance.
    """
    kind = pl.col("entry_type")
    rows = ledger.group_by("segment_id").agg(
        movements=pl.len().cast(pl.Int64),
        moved=pl.col("amount").sum(),
        granted=pl.col("amount").filter(kind.is_in(GRANTS)).sum(),
        closings=kind.is_in(["EXPIRATION", "TRUEUP"]).sum().cast(pl.Int64),
        costed=pl.col("cost").sum(),
    )
    in_advance = (pl.col("balance_type") != "POSTPAID") & (pl.col("cost") > zero())
    cost = proportion(pl.col("amount"), pl.col("amount").sum().over("balance_id"), pl.col("cost"))
    due = pl.max_horizontal(pl.col("amount") - pl.col("granted"), pl.min_horizontal(-pl.col("moved"), zero()))
    closing = standing(ledger).filter(kind.is_in(["EXPIRATION", "TRUEUP"]))
    closed = closing.select("segment_id").unique().with_columns(is_closed=pl.lit(value=True))
    final = pl.col("is_rollover") | pl.col("is_closed").fill_null(value=False)
    return (
        access.join(rows, on="segment_id", how="left")
        .join(closed, on="segment_id", how="left")
        .with_columns(
            pl.col("moved", "granted").fill_null(zero()),
            pl.col("movements", "closings").fill_null(0),
            uncosted=pl.when(in_advance).then(cost - or_zero("costed")),
        )
        .with_columns(ungranted=pl.when(final).then(zero()).otherwise(due))
        .with_columns(available=pl.max_horizontal(pl.col("moved") + pl.col("ungranted"), zero()))
        .drop("granted", "costed", "is_closed")
    )


def standing(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that no void has reversed, and that are no reversal."""
    undone = ledger.drop_nulls("reverses_entry_id").select(entry_id="reverses_entry_id")
    return ledger.filter(pl.col("entry_type") != "VOID_REVERSAL").join(undone, on="entry_id", how="anti")


GRANTS = ("GRANT", "SEAT_ADJUSTMENT")
"""Openings that follow from the catalog alone."""


def final_draws(draws: pl.LazyFrame, lines: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """Grain (invoice_id, segment_id): `drawn` by the invoices that the batch makes final, with their dates."""
    of_invoices = lines.select("line_key", "invoice_id").join(
        batch.final.select("invoice_id", "dated_at", invoice_month="close_month"), on="invoice_id"
    )
    return (
        draws.select("line_key", "segment_id", "drawn")
        .join(of_invoices, on="line_key")
        .group_by("invoice_id", "segment_id")
        .agg(pl.col("drawn").sum(), pl.col("dated_at", "invoice_month").first())
    )


def grants(opened: pl.LazyFrame, drawn: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """Openings of segments that the batch's invoices can draw on, or that start before `until` (cases 0.16, 18).

    A change of a segment's amount in the catalog is granted as one more row, of the difference.
    """
    first_month = drawn.group_by("segment_id").agg(pl.col("invoice_month").min())
    reached = batch.final.group_by("pool").agg(last=pl.col("dated_at").max())
    starts = pl.col("starting_at")
    begins = (starts < pl.lit(batch.until, dtype=TIMESTAMP)) | (starts <= pl.col("last")).fill_null(value=False)
    return (
        opened.filter(pl.col("ungranted") != zero())
        .join(first_month, on="segment_id", how="left")
        .join(reached, on="pool", how="left")
        .filter(begins | pl.col("invoice_month").is_not_null())
        .with_columns(
            entry_type=pl.col("grant_type").fill_null("GRANT"),
            entry_id=entry_id("GRANT", pl.col("movements")),
            amount="ungranted",
            cost="uncosted",
            effective_at=starts,
            close_month=pl.min_horizontal(starts.dt.strftime("%Y-%m"), "invoice_month"),
        )
        .pipe(as_entries, batch)
    )


def deductions(opened: pl.LazyFrame, drawn: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """One DEDUCTION per invoice and segment, at the end of the service period, or of the segment if earlier."""
    return (
        opened.drop("amount", "cost")
        .join(drawn.filter(pl.col("drawn") != zero()), on="segment_id")
        .with_columns(
            entry_type=pl.lit("DEDUCTION"),
            entry_id=entry_id("DEDUCTION", pl.col("invoice_id")),
            amount=-pl.col("drawn"),
            effective_at=pl.min_horizontal("dated_at", "ending_before"),
            close_month="invoice_month",
        )
        .pipe(as_entries, batch)
    )


def expirations(opened: pl.LazyFrame, moves: pl.LazyFrame, shares: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """EXPIRATION of what is left of a segment that has ended, once no invoice that could draw on it is open.

    moves: the other rows of the batch, by ENTRY. A POSTPAID commit does not expire: its true-up closes it.
    """
    moved_now = moves.group_by("segment_id").agg(moved_now=pl.col("amount").sum())
    ended = (
        opened.drop("cost")
        .filter(pl.col("balance_type") != "POSTPAID")
        .filter(pl.col("ending_before") <= pl.lit(batch.now, dtype=TIMESTAMP))
        .join(moved_now, on="segment_id", how="left")
        .with_columns(left=pl.col("moved") + pl.col("moved_now").fill_null(zero()))
        .filter(pl.col("left") > zero())
    )
    return (
        ended.join(waited_for(ended, shares, batch.still_open), on="segment_id", how="anti")
        .with_columns(
            entry_type=pl.lit("EXPIRATION"),
            entry_id=entry_id("EXPIRATION", pl.col("closings")),
            amount=-pl.col("left"),
            effective_at="ending_before",
            close_month=close_month(pl.col("ending_before")),
        )
        .pipe(as_entries, batch)
    )


def waited_for(segments: pl.LazyFrame, shares: pl.LazyFrame, still_open: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment_id: those of `segments` on which an invoice that is still open could draw.

    segments: segment_id, commit_id, contract_id, starting_at, ending_before. An invoice counts whose period, or date,
    overlaps the segment; one that ends where the segment starts can carry a fee in advance.
    """
    who = ["segment_id", "commit_id", "contract_id", "starting_at", "ending_before"]
    shared = segments.select(who).drop("contract_id").join(shares, on="commit_id")
    own = segments.select(who).drop_nulls("contract_id")
    drawing = still_open.filter(pl.col("invoice_type") != "TRUEUP").with_columns(
        first=pl.coalesce("period_start", "dated_at")
    )
    overlaps = (pl.col("first") < pl.col("ending_before")) & (pl.col("dated_at") >= pl.col("starting_at"))
    both = pl.concat([own, shared.select(who)])
    return both.join(drawing, on="contract_id").filter(overlaps).select("segment_id").unique()


def entry_id(entry_type: str, about: pl.Expr) -> pl.Expr:
    return stable_id("le", [pl.lit(entry_type), pl.col("segment_id"), about])


def as_entries(rows: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """ENTRY columns, absent ones null; a row of a sealed month is one of the batch's month."""
    present = rows.collect_schema().names()
    sealed = pl.col("close_month").is_in(batch.sealed_months)
    return rows.with_columns(close_month=pl.when(sealed).then(pl.lit(batch.month)).otherwise("close_month")).select(
        (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name) for name, dtype in ENTRY.items()
    )
