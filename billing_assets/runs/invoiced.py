"""Whose references final invoices counted: where that differs from the customers' references of today."""

from __future__ import annotations

import polars as pl

from billing_assets.catalog import CatalogFrames
from billing_assets.storage.lake import Lake

CLAIM = ("customer_ref", "contract_id", "period_start")


def invoiced_references(
    lake: Lake, frames: CatalogFrames, periods: pl.LazyFrame, books_through: int
) -> pl.LazyFrame | None:
    """Grain CLAIM: references of closed periods that moved since, with `is_moved` and what `placements` shows of them.

    is_moved: the invoice counted the reference, and its customer no longer has it. Not is_moved: the customer has it
    now, and the invoice has not seen it. None where nothing moved, neither references nor the dates of contracts below
    closed periods. Invoices of a catalog whose dimensions the lake does not have are taken to have counted the
    references of today.
    """
    known = lake.scan("customer_aliases").select("catalog_version", "customer_ref", "customer_id")
    columns = ("contract_id", "customer_id", "period_start", "period_end", "close_month", "is_billed", "events_through")
    positions = frames.contracts.select("contract_id", "contract_position")
    final = (
        periods.filter(~pl.col("is_open"))
        .select(*columns, catalog_version="final_catalog_version")
        .join(known.select("catalog_version").unique(), on="catalog_version", how="semi")
        .join(positions, on="contract_id", how="left")
    )
    counted = final.join(known, on=["catalog_version", "customer_id"])
    today = final.join(frames.customer_aliases, on="customer_id")
    moved = counted.join(today, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=True))
    unseen = today.join(counted, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=False))
    found = lake.collect(pl.concat([moved, unseen], how="diagonal").drop("catalog_version"))
    return found.lazy() if found.height or has_moved(periods, frames, lake) else None


def has_moved(periods: pl.LazyFrame, frames: CatalogFrames, lake: Lake) -> bool:
    """Whether any closed period has hours that its contract has no longer."""
    closed = periods.filter(~pl.col("is_open")).select("contract_id", "period_start", "period_end")
    terms = frames.contracts.select("contract_id", "starting_at", "ending_before")
    outside = (
        pl.col("starting_at").is_null()
        | (pl.col("period_start") < pl.col("starting_at"))
        | (pl.col("period_end") > pl.col("ending_before"))
    )
    found = closed.join(terms, on="contract_id", how="left").select(outside.fill_null(value=False).any())
    return bool(lake.collect(found).item())
