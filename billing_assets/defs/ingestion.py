"""Catalog and ingestion: what was sold, and what was used."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.failures import STEP_RETRIES, told
from billing_assets.defs.metadata import listing, stored, table
from billing_assets.defs.partitions import DAY_FORMAT, Calendar
from billing_assets.defs.resources import BillingWorkspace, ReportBook, launched_by, run_time
from billing_assets.defs.specs import DAILY, INGESTION, LAKE_POOL, OWNERS, asset_spec, asset_specs, described
from billing_assets.runs import IngestReport
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake


@dg.asset(
    group_name="catalog",
    owners=OWNERS,
    kinds={"yaml", "deltalake"},
    pool=LAKE_POOL,
    retry_policy=STEP_RETRIES,
    metadata=described(TABLES["catalog_versions"]),
    description="What is sold and to whom: the catalog's files, checked as a whole and kept by content version.",
)
def catalog(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> dg.MaterializeResult[None]:
    lake = workspace.open_lake()
    with told(context):
        record = runs.record_catalog(lake, workspace.load_catalog(), run_time(context))
    reports.record("catalog", record)
    return dg.MaterializeResult(
        metadata={
            "catalog_version": record.version,
            "new_version": record.is_new,
            "warnings": listing(record.warnings),
            **stored(lake, ["catalog_versions"])["catalog_versions"],
        },
        data_version=dg.DataVersion(record.version),
    )


@dg.multi_asset(
    name="ingestion",
    specs=asset_specs(INGESTION, "ingestion", ["catalog"], freshness_policy=DAILY),
    pool=LAKE_POOL,
    retry_policy=STEP_RETRIES,
    description="New event files, each ingested once: every row is accepted, a duplicate, or rejected with its reason.",
)
def ingestion(
    context: dg.AssetExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]:
    with told(context):
        lake, source = workspace.open_lake(), workspace.open_source()
        report = runs.ingest(lake, source, workspace.load_catalog(), run_time(context), launched_by(context))
    reports.record("ingestion", report)
    for problem in report.problems:
        context.log.warning(str(problem))
    yield from touched_days(lake, report)
    details = {
        "ingested_files": report.files,
        "rejected_events": report.rejects_by_reason,
        "duplicate_events": report.files.filter(pl.col("duplicates") > 0),
    }
    sums = report.files.select(pl.col("rows", "accepted", "rejected", "duplicates").sum()).row(0, named=True)
    batch = {"ingest_batch": report.batch_no or "nothing new", "problems": listing(report.problems), **sums}
    for name, facts in stored(lake, INGESTION).items():
        yield dg.MaterializeResult(asset_key=name, metadata={**batch, "details": table(details[name]), **facts})


def touched_days(lake: Lake, report: IngestReport) -> Iterator[dg.AssetMaterialization]:
    """An event for each event day of a batch: `events` is partitioned by day and its step is not."""
    counted = lake.scan("events", pl.col("event_date").is_in(report.days)).group_by("event_date").agg(pl.len())
    rows = dict(lake.collect(counted).iter_rows()) if report.days else {}
    version = lake.version("events")
    for day in report.days:
        facts = {"dagster/partition_row_count": rows[day], "delta_version": version, "ingest_batch": report.batch_no}
        yield dg.AssetMaterialization("events", partition=day.strftime(DAY_FORMAT), metadata=facts)


def events(calendar: Calendar) -> dg.AssetSpec:
    """The events table by event day; ingestion reports its materializations."""
    return asset_spec("events", "ingestion", ["ingested_files"], partitions_def=calendar.days)
