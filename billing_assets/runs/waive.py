"""Let usage go that has no price: listed as waived, it holds its invoice no longer (docs/semantics.md, Holds)."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.errors import UsageError
from billing_assets.money import zero
from billing_assets.pipeline import bill
from billing_assets.rating import WAIVED
from billing_assets.runs.billing import rate_month
from billing_assets.runs.decisions import WAIVE
from billing_assets.runs.holds import decide, refuse_final
from billing_assets.runs.inputs import counting, holding, watermarks
from billing_assets.runs.late_usage import open_inputs
from billing_assets.runs.lifecycle import Decision, Row
from billing_assets.runs.overflow import naming_overflows
from billing_assets.storage.lake import Lake


@naming_overflows
def unpriced_usage(lake: Lake, catalog: Catalog, draft: Row, decision: Decision, product: str | None) -> pl.DataFrame:
    """Grain (contract_id, period_start, product_id): usage on a draft that has no price now, with its reasons, its
    quantity over all groups and the events behind it.

    Raises UsageError for an invoice that is final, and where there is no such usage (of `product`).
    """
    refuse_final(lake, draft["invoice_id"])
    marks = watermarks(lake, catalog, decision.now)
    given = open_inputs(lake, catalog, decision.now, draft["close_month"], marks)
    billed = bill(given, holding(lake), counting(lake))
    mine = billed.of_periods.filter(pl.col("invoice_id") == draft["invoice_id"]).select("contract_id", "period_start")
    found = lake.collect(
        billed.unrated.join(mine, on=["contract_id", "period_start"])
        .group_by(*WAIVED)
        .agg(
            reason=pl.col("reason").unique().sort().str.join(", "),
            quantity=pl.col("quantity").sum() + zero(),
            event_count=pl.col("event_count").sum(),
        )
        .sort(*WAIVED)
    )
    if found.is_empty():
        raise UsageError(f"{draft['invoice_id']} has no usage without a price, so there is nothing to waive")
    chosen = found if product is None else found.filter(pl.col("product_id") == product)
    if chosen.is_empty():
        names = ", ".join(found["product_id"].unique().sort())
        raise UsageError(f"--product {product}: of {draft['invoice_id']} these have usage without a price: {names}")
    return chosen


def waive(lake: Lake, catalog: Catalog, draft: Row, usage: pl.DataFrame, decision: Decision) -> dict[str, Any]:
    """Waive `usage` (`unpriced_usage`) of a draft; its row then. It stays waived in its period, whatever is run again,
    as long as it has no price."""
    keys = usage.select(
        "contract_id", "product_id", pl.col("period_start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        pl.col("quantity").cast(pl.String), "event_count",
    )  # fmt: skip
    after = decide(lake, catalog, WAIVE, draft, decision, {"usage": keys.to_dicts()})
    rate_month(lake, catalog, draft["close_month"], decision.now)
    return after
