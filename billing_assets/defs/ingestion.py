"""Catalog and ingestion: what was sold, and what was used."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.metadata import table
from billing_assets.defs.partitions import DAY_FORMAT, Calendar
from billing_assets.defs.resources import BillingWorkspace, ReportBook, launched_by, run_time
from billing_assets.defs.specs import INGESTION, LAKE_POOL, OWNERS, asset_spec, asset_specs


@dg.asset(
    group_name="catalog",
    owners=OWNERS,
    kinds={"yaml", "deltalake"},
    pool=LAKE_POOL,
    description="What is sold and to whom: the catalog's files, checked as a whole and kept by content version.",
)
def catalog(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> dg.MaterializeResult[None]:
    record = runs.record_catalog(workspace.open_lake(), workspace.load_catalog(), run_time(context))
    reports.record("catalog", record)
    return dg.MaterializeResult(
        metadata={
            "catalog_version": record.version,
            "new_version": record.is_new,
            "warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in record.warnings) or "none"),
        },
        data_version=dg.DataVersion(record.version),
    )


@dg.multi_asset(
    name="ingestion",
    specs=asset_specs(INGESTION, "ingestion", ["catalog"]),
    pool=LAKE_POOL,
    description="New event files, each ingested once: every row is accepted, a duplicate, or rejected with its reason.",
)
def ingestion(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
    report = runs.ingest(
        workspace.open_lake(),
        workspace.open_source(),
        workspace.load_catalog(),
        run_time(context),
        launched_by(context),
    )
    reports.record("ingestion", report)
    for problem in report.problems:
        context.log.warning(str(problem))
    # `events` is partitioned by day and this step is not: one event per touched day keeps its grid true.
    for day in report.days:
        yield dg.AssetMaterialization("events", partition=day.strftime(DAY_FORMAT))
    sums = report.files.select(pl.col("accepted", "rejected", "duplicates").sum()).row(0, named=True)
    shown: dict[str, tuple[int, pl.DataFrame]] = {
        "ingested_files": (report.files.height, report.files),
        "rejected_events": (sums["rejected"], report.rejects_by_reason),
        "duplicate_events": (sums["duplicates"], report.files.filter(pl.col("duplicates") > 0)),
    }
    for name, (rows, details) in shown.items():
        yield dg.MaterializeResult(
            asset_key=name,
            metadata={
                "dagster/row_count": rows,
                "ingest_batch": report.batch_no or "nothing new",
                "accepted": sums["accepted"],
                "details": table(details),
                "problems": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in report.problems) or "none"),
            },
        )


def events(calendar: Calendar) -> dg.AssetSpec:
    """The events table by event day; ingestion reports its materializations."""
    return asset_spec("events", "ingestion", ["ingested_files"], partitions_def=calendar.days)
