"""Bill what a final invoice would be now, on the contract's next invoice (docs/semantics.md, Variances)."""

from __future__ import annotations

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.errors import UsageError
from billing_assets.money import ZERO
from billing_assets.runs import lifecycle
from billing_assets.runs.billing import draft, refresh_drafts
from billing_assets.runs.catalogs import keep_version, needed
from billing_assets.runs.decisions import CARRY
from billing_assets.runs.inputs import watermarks
from billing_assets.runs.lifecycle import Decision, Row
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.variances import incomparable_contracts
from billing_assets.storage.lake import Lake


@naming_overflows
def to_carry(lake: Lake, catalog: Catalog, invoice: Row, decision: Decision) -> pl.DataFrame:
    """Rows of `invoice_variances` of a final invoice that are outstanding as of now, by the catalog of today.

    Raises UsageError for an invoice that is void, for one whose usage the catalog of today has in another currency or
    measures in a way that is not metered yet, and where nothing is outstanding but late usage, which is billed anyway.
    """
    number = invoice["invoice_number"]
    if invoice["status"] == "VOID":
        raise UsageError(f"{number} is void; its replacement is by the catalog of now")
    mine = pl.col("invoice_id") == invoice["invoice_id"]
    periods = lake.collect(lake.scan("closed_periods").filter(mine, ~pl.col("is_late")))
    incomparable = incomparable_contracts(lake, needed(lake, invoice["catalog_version"]), catalog, periods)
    found = lake.collect(periods.lazy().join(incomparable, on="contract_id", how="semi"))
    if names := sorted(set(found["contract_id"])):
        raise UsageError(
            f"{number}: the catalog has usage of {', '.join(names)} in another currency, or measures it in a way that "
            f"is not metered yet, which `billing close` does; `billing void {number}` and `billing regenerate "
            f"{number}` bill it anew"
        )
    tables = draft(lake, catalog, decision.now, watermarks(lake, catalog, decision.now))
    rows = tables["invoice_variances"].filter(mine, pl.col("outstanding") != ZERO)
    if rows.filter(pl.col("cause") != "LATE_EVENT").is_empty():
        raise UsageError(
            f"{number} has nothing to carry: by the catalog of now it would be the same, but for late usage, which is "
            "billed by itself; `billing variances` lists all"
        )
    return rows.sort("line_item_id", "cause")


def carry(lake: Lake, catalog: Catalog, invoice: Row, decision: Decision) -> int:
    """Carry an invoice to what it would be by the catalog of now; the number of the action.

    What is outstanding of it is billed as late usage is: on the contract's next invoice, or on a CORRECTION. A later
    action, by a later catalog, takes the place of an earlier one.
    """
    keep_version(lake, catalog, decision.now)
    number = lifecycle.record(lake, CARRY, invoice, decision, {"catalog_version": catalog.version})
    refresh_drafts(lake, catalog, decision.now)
    return number
