"""The assets of the graph by stage: one for each Delta table that a person may want to open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.schemas import TABLES, TableSpec
from billing_assets.schemas.reference import TYPE_NAMES

OWNERS = ["team:billing"]
KINDS = {"polars", "deltalake"}
LAKE_POOL = "lake"
"""All that writes to the lake runs in this pool; its limit is set in dagster.yaml."""

INGESTION = ("ingested_files", "rejected_events", "duplicate_events")
RATED = ("rated_lines", "usage", "unbilled_usage")
BOOKS = ("invoices", "line_items", "ledger_entries", "invoice_events", "closed_periods")
SEALS = "month_closes"
DRAFTS = ("draft_invoices", "draft_line_items", "invoice_variances", "pending_ledger_entries", "balances")


UI_TYPES = {**TYPE_NAMES, DECIMAL: "decimal(38,12)", TIMESTAMP: "timestamp, UTC"}
"""Where docs/tables.md says once what a word means."""
DAILY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(days=3))
"""Of what every close, and every schedule, renews at least once a day."""
MONTHLY = dg.FreshnessPolicy.cron(deadline_cron="0 12 3 * *", lower_bound_delta=timedelta(days=2, hours=12))
"""Of months: on the 3rd at noon the one before has been asked for. That it is sealed, a check says."""


def asset_spec(name: str, group: str, deps: Iterable[Any], **extra: Any) -> dg.AssetSpec:
    """The asset of one Delta table, described by the table's own schema."""
    return dg.AssetSpec(
        name,
        group_name=group,
        deps=list(deps),
        owners=OWNERS,
        kinds=KINDS,
        description=TABLES[name].description,
        metadata=described(TABLES[name]),
        **extra,
    )


def asset_specs(names: Sequence[str], group: str, deps: Iterable[Any], **extra: Any) -> list[dg.AssetSpec]:
    shared = list(deps)
    return [asset_spec(name, group, shared, **extra) for name in names]


def described(spec: TableSpec) -> dict[str, Any]:
    """What the UI shows of a table before any run: its name, its columns with their comments, how it is partitioned."""
    columns = [
        dg.TableColumn(
            one.name,
            UI_TYPES[one.dtype],
            one.comment,
            dg.TableColumnConstraints(nullable=one.nullable),
        )
        for one in spec.columns.values()
    ]
    return {
        "dagster/table_name": spec.name,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "partitioned_by": ", ".join(spec.partition_by) or "nothing",
    }
