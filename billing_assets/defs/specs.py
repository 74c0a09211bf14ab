"""The assets of the graph by stage: one for each Delta table that a person may want to open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from billing_assets.schemas import TABLES

OWNERS = ["team:billing"]
LAKE_POOL = "lake"
"""All that writes to the lake runs in this pool; its limit is set in dagster.yaml."""

INGESTION = ("ingested_files", "rejected_events", "duplicate_events")
RATED = ("rated_lines", "usage", "unbilled_usage")
BOOKS = ("invoices", "line_items", "ledger_entries", "invoice_events", "month_closes")
DRAFTS = ("draft_invoices", "draft_line_items")


def asset_spec(name: str, group: str, deps: Iterable[Any], **extra: Any) -> dg.AssetSpec:
    """The asset of one Delta table, described by the table's own schema."""
    return dg.AssetSpec(
        name,
        group_name=group,
        deps=list(deps),
        owners=OWNERS,
        kinds={"polars", "deltalake"},
        description=TABLES[name].description,
        **extra,
    )


def asset_specs(names: Sequence[str], group: str, deps: Iterable[Any], **extra: Any) -> list[dg.AssetSpec]:
    shared = list(deps)
    return [asset_spec(name, group, shared, **extra) for name in names]
