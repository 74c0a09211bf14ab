"""Which segment of an access schedule is which of the ledger: by when it starts, not by its place in the schedule.

The catalog numbers the items of a schedule in the order of their starts. Once the ledger has rows of a segment, its
name stays, whatever is put before it or taken away (docs/semantics.md, Access).
"""

from __future__ import annotations

import polars as pl

_START = ("balance_id", "starting_at", "place")


def recorded_segments(ledger: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (segment_id, starting_at): the starts under which segments were granted; `is_closed`: what was left of them
    has expired, rolled over or been charged. `ledger` has ENTRY columns."""
    kind = pl.col("entry_type")
    closed = ledger.group_by("segment_id").agg(is_closed=kind.is_in(["EXPIRATION", "TRUEUP", "ROLLOVER_OUT"]).any())
    granted = ledger.filter(kind == "GRANT").select("balance_id", "segment_id", starting_at="effective_at").unique()
    return granted.join(closed, on="segment_id")


def known_segments(segments: pl.LazyFrame, recorded: pl.LazyFrame) -> pl.LazyFrame:
    """`segments` (of access schedules, in the order of their starts) under the names that the ledger has for them.

    A segment is the recorded one of its balance that was granted from its start; else one that is not closed and was
    granted from an instant inside it, so that its start was moved back. Others get the next free number.
    recorded: `recorded_segments`; of several of one start the first is the first.
    """
    items = segments.with_columns(place=_place("starting_at", "segment_id"))
    known = recorded.with_columns(place=_place("starting_at", "segment_id"))
    same = (
        items.select(*_START, item="segment_id")
        .join(known.select(*_START, recorded_id="segment_id"), on=_START)
        .sort("recorded_id", "starting_at", "item")
        .unique(subset="recorded_id", keep="first", maintain_order=True)
    )
    left = items.join(same.select(segment_id="item"), on="segment_id", how="anti")
    free = recorded.filter(~pl.col("is_closed")).join(
        same.select(segment_id="recorded_id"), on="segment_id", how="anti"
    )
    inside = (pl.col("starting_at") <= pl.col("granted_from")) & (
        pl.col("ending_before").is_null() | (pl.col("granted_from") < pl.col("ending_before"))
    )
    moved = (
        left.select("balance_id", "starting_at", "ending_before", item="segment_id")
        .join(free.select("balance_id", recorded_id="segment_id", granted_from="starting_at"), on="balance_id")
        .filter(inside)
        .sort("recorded_id", "starting_at", "item")
        .unique(subset="recorded_id", keep="first", maintain_order=True)
        .unique(subset="item", keep="first", maintain_order=True)
    )
    names = pl.concat([same.select("item", "recorded_id"), moved.select("item", "recorded_id")])
    last = recorded.group_by("balance_id").agg(last=_number("segment_id").max())
    named = segments.join(names, left_on="segment_id", right_on="item", how="left")
    named = named.join(last, on="balance_id", how="left")
    order = ["starting_at", _number("segment_id")]
    fresh = pl.col("recorded_id").is_null().cum_sum().over("balance_id", order_by=order)
    number = (fresh + pl.col("last").fill_null(0)).cast(pl.String)
    return named.with_columns(
        segment_id=pl.coalesce("recorded_id", pl.concat_str("balance_id", pl.lit("/"), number))
    ).drop("recorded_id", "last")


def _place(*order: str) -> pl.Expr:
    """Among segments of one balance that start together."""
    return pl.int_range(pl.len(), dtype=pl.Int64).over("balance_id", order[0], order_by=[order[0], _number(order[1])])


def _number(name: str) -> pl.Expr:
    return pl.col(name).str.split("/").list.last().cast(pl.Int64)
