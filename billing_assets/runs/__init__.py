"""What a run does: ingest, meter, rate, finalize, refresh drafts, check. Each takes the lake, the catalog and `now`.

Everything final goes through a numbered batch (`batches`); working tables have a slice replaced. The clock and Dagster
stay outside; `workspace` finds the places of a run.
"""

from billing_assets.runs.billing import draft, rate_month, refresh_drafts
from billing_assets.runs.books import due_months, finalize
from billing_assets.runs.catalogs import record_catalog, recorded_catalog
from billing_assets.runs.checks import check
from billing_assets.runs.ingest import ingest, new_files, waiting
from billing_assets.runs.inputs import sealed_months
from billing_assets.runs.meter import meter, stale_days
from billing_assets.runs.readiness import behind
from billing_assets.runs.reports import (
    CatalogRecord,
    CheckResult,
    DraftReport,
    FinalizeReport,
    IngestReport,
    MeterReport,
    RateReport,
)

__all__ = [
    "CatalogRecord",
    "CheckResult",
    "DraftReport",
    "FinalizeReport",
    "IngestReport",
    "MeterReport",
    "RateReport",
    "behind",
    "check",
    "draft",
    "due_months",
    "finalize",
    "ingest",
    "meter",
    "new_files",
    "rate_month",
    "record_catalog",
    "recorded_catalog",
    "refresh_drafts",
    "sealed_months",
    "stale_days",
    "waiting",
]
