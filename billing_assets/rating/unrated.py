"""Unrated usage: what has no price, and therefore holds its invoice; never a silent zero."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.money import zero
from billing_assets.rating.grain import GROUP

WAIVED: dict[str, pl.DataType] = {
    "contract_id": pl.String(),
    "period_start": TIMESTAMP,
    "product_id": pl.String(),
}
"""Usage of a product in a billing period that is not billed, since a person waived it while it had no price."""


def waive(quantified: pl.LazyFrame, waived: pl.LazyFrame) -> pl.LazyFrame:
    """`quantified` with segment_status "waived" for what is `waived` and has no price; with one it is billed."""
    marked = waived.select(*WAIVED, is_waived=pl.lit(value=True)).unique()
    is_waived = (pl.col("segment_status") == "unrated") & pl.col("is_waived").fill_null(value=False)
    return (
        quantified.join(marked, on=list(WAIVED), how="left")
        .with_columns(segment_status=pl.when(is_waived).then(pl.lit("waived")).otherwise("segment_status"))
        .drop("is_waived")
    )


def unrated(quantified: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (group, unrated span): customer_id, starting_at, ending_before, reason, quantity, event_count.

    `quantified` is what `quantify` returns. A span is a run of contiguous segments with one reason; one whose
    increments net to 0 holds nothing and is left out (docs/semantics.md, Unrated usage). Reasons:

    * no_rate: no rate of the card and no OVERWRITE holds for the hours; all of the span's usage is unrated.
    * beyond_last_tier: quantity is the excess over the last tier's size for TIERED, whose events stay billed, and
      everything for VOLUME. The span is the run of hours with a sized table, also where its excess is 0 or falls.
    """
    kept = quantified.filter(pl.col("unrated_reason").is_not_null())
    reason, start = pl.col("unrated_reason"), pl.col("segment_start")
    continues = (reason.shift(1) == reason) & (pl.col("segment_end").shift(1) == start)
    begins = (~continues).fill_null(True).over(*GROUP, order_by="segment_start")
    return (
        kept.with_columns(begins=begins)
        .with_columns(span=pl.col("begins").cast(pl.Int64).cum_sum().over(*GROUP, order_by="segment_start"))
        .group_by(*GROUP, "span")
        .agg(
            pl.col("customer_id", "unrated_reason").first(),
            starting_at=start.min(),
            ending_before=pl.col("segment_end").max(),
            quantity=pl.col("unrated_quantity").sum(),
            event_count=pl.col("event_count").sum(),
        )
        .filter(pl.col("quantity") != zero())
        .rename({"unrated_reason": "reason"})
        .drop("span")
    )
