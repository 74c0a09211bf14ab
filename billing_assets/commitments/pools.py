"""Pools: the order in which invoices draw on common balances, and which of them have to wait (cases 0.4 and 16)."""

from __future__ import annotations

import polars as pl

from billing_assets.commitments.order import place_in
from billing_assets.commitments.reach import Hold, Reach, meeting

TYPE_ORDER = {"SCHEDULED": 0, "USAGE": 1, "USAGE_CONSOLIDATED": 1, "TRUEUP": 2, "CORRECTION": 3}
"""At one date: what is charged in advance before usage, then what usage left; corrections come last (case 0.17)."""


def in_pool_order(invoices: pl.LazyFrame) -> pl.LazyFrame:
    """`invoices` with `invoice_place`: the place in the pool, from 0. Sorted by pool and place.

    Columns read: pool, dated_at (the period's end, or the date), invoice_type, period_start (null last),
    contract_position, invoice_id.
    """
    by_type = pl.col("invoice_type").replace_strict(TYPE_ORDER, return_dtype=pl.Int8)
    order = ("pool", "dated_at", by_type, "period_start", "contract_position", "invoice_id")
    return invoices.sort(*order, nulls_last=True).with_columns(invoice_place=place_in("pool"))


def crowded(invoices: pl.LazyFrame) -> pl.LazyFrame:
    """Grain pool: pools in which an invoice that cannot be final yet has another one behind it.

    `invoices` has invoice_place, is_held and is_due. Only these pools have predecessors to look at.
    """
    stuck = pl.col("is_held") | ~pl.col("is_due")
    waited_for = stuck & (pl.col("invoice_place") < pl.col("invoice_place").max().over("pool"))
    return invoices.filter(waited_for).select("pool").unique()


def uses(found: Reach, lines: pl.LazyFrame, invoices: pl.LazyFrame, rolling: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (invoice_id, balance): what each invoice could draw on by its lines, whatever the balance still holds.

    `found` is the reach of `lines` without those of amount 0, and of one line for each span of unrated usage. The open
    invoices of a contract count as users of what rolls over from it (`rolling`, ROLLOVER), since they decide how much
    that is.
    """
    of_lines = found.lines.join(lines.select("line_key", "invoice_id"), on="line_key").select("line", "invoice_id")
    met = meeting(found, found.lines, found.balances).select("line", "balance").join(of_lines, on="line")
    of_old = (
        rolling.select("segment_id", contract_id="from_contract_id", last="drawn_after")
        .join(found.balances.select("segment_id", "balance"), on="segment_id")
        .join(invoices.select("invoice_id", "contract_id", "dated_at"), on="contract_id")
        .filter(pl.col("dated_at") <= pl.col("last"))
    )
    both = [used.select("invoice_id", "balance") for used in (met, of_old)]
    return pl.concat(both).unique()


def predecessors(invoices: pl.LazyFrame, used: pl.LazyFrame, places: int, hold: Hold) -> pl.LazyFrame:
    """Grain invoice_id: `predecessor_held` and `waits`, of the open invoices that have either.

    invoices: open ones, with invoice_place, is_held (for a reason of its own) and is_due. used: `uses`. places: at
    least one more than the largest invoice_place. What stands behind a held invoice on a balance is held, and in turn
    holds what stands behind it; waiting for one that is not due yet goes on in the same way (case 0.4).
    """
    steps = hold(used.join(invoices.select("invoice_id", "invoice_place", "is_held", "is_due"), on="invoice_id"))
    stuck = pl.LazyFrame(schema={"balance": pl.UInt32(), "held": pl.Boolean(), "late": pl.Boolean()})
    found = []
    for place in range(places):
        step = steps.filter(pl.col("invoice_place") == place).join(stuck, on="balance", how="left")
        invoice = hold(
            step.group_by("invoice_id").agg(
                predecessor_held=pl.col("held").fill_null(value=False).any(),
                waits=pl.col("late").fill_null(value=False).any(),
            )
        )
        found.append(invoice)
        passed_on = step.select("invoice_id", "balance", "is_held", "is_due").join(invoice, on="invoice_id")
        now_stuck = passed_on.select(
            "balance", held=pl.col("is_held") | pl.col("predecessor_held"), late=~pl.col("is_due") | pl.col("waits")
        )
        stuck = hold(pl.concat([stuck, now_stuck]).group_by("balance").agg(pl.col("held", "late").any()))
    every = pl.concat(found) if found else pl.LazyFrame(schema=_PREDECESSORS)
    return every.filter(pl.col("predecessor_held") | pl.col("waits"))


_PREDECESSORS = {"invoice_id": pl.String(), "predecessor_held": pl.Boolean(), "waits": pl.Boolean()}
