"""Whose references final invoices counted: where that differs from the customers' references of today."""

from __future__ import annotations

import polars as pl

from billing_assets.catalog import CatalogFrames
from billing_assets.storage.lake import Lake

CLAIM = ("customer_ref", "contract_id", "period_start")


def invoiced_references(
    lake: Lake, frames: CatalogFrames, periods: pl.LazyFrame, books_through: int
) -> pl.LazyFrame | None:
    """Grain CLAIM: references of final periods that moved since, with `is_moved` and what `placements` shows of them.

    is_moved: the invoice counted the reference, and its customer no longer has it. Not is_moved: the customer has it
    now, and the invoice has not seen it. None where nothing moved. Invoices of a catalog whose dimensions the lake
    does not have are taken to have counted the references of today.
    """
    known = lake.scan("customer_aliases").select("catalog_version", "customer_ref", "customer_id")
    invoices = (
        lake.scan("invoices", through={"batch_no": books_through})
        .filter(pl.col("invoice_type") == "USAGE", pl.col("status") != "VOID")
        .select("contract_id", "period_start", "catalog_version")
        .join(known.select("catalog_version").unique(), on="catalog_version", how="semi")
    )
    columns = ("contract_id", "period_start", "period_end", "close_month", "is_billed", "events_through")
    owners = frames.contracts.select("contract_id", "contract_position", "customer_id")
    final = periods.select(columns).join(invoices, on=["contract_id", "period_start"]).join(owners, on="contract_id")
    counted = final.join(known, on=["catalog_version", "customer_id"])
    today = final.join(frames.customer_aliases, on="customer_id")
    moved = counted.join(today, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=True))
    unseen = today.join(counted, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=False))
    found = lake.collect(pl.concat([moved, unseen], how="diagonal").drop("catalog_version"))
    return found.lazy() if found.height else None
