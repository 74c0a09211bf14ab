"""The invariants of `reconcile` as asset checks, and whether a month can be rated; what fails comes as metadata."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from billing_assets import runs
from billing_assets.defs.failures import told
from billing_assets.defs.metadata import in_words, table
from billing_assets.defs.partitions import is_day, month_end
from billing_assets.defs.resources import BillingWorkspace, ReportBook, run_time
from billing_assets.defs.specs import BOOKS, DRAFTS, INGESTION, RATED
from billing_assets.reconcile import INVARIANTS, Invariant
from billing_assets.runs import journal
from billing_assets.runs.journal import RULES

STAGES = {
    "ingestion": (*INGESTION, "events"),
    "metering": ("usage_states",),
    "invoices": (*RATED, *BOOKS),
    "drafts": DRAFTS,
}
BLOCKING_STAGE = "ingestion"
"""Nothing is metered from events that do not reconcile. What is final was gated before its commit instead."""

INPUTS_CURRENT = dg.AssetCheckKey(dg.AssetKey("usage_states"), "inputs_are_current")
WHEN_BEHIND_TAG = "billing/when_behind"
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG, RANGE_END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
UNITS = {"ingestion": "event file(s) to ingest", "metering": "day(s) to meter"}
REFUSE = "refuse"
"""Value of the tag with which a run ends before it rates, if event files or days are waiting; others are told."""


def severity(invariant: Invariant) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.WARN if invariant.warning else dg.AssetCheckSeverity.ERROR


def stage_checks(stage: str) -> dg.AssetChecksDefinition:
    """All invariants of the tables of one stage in one step: a step costs more than a check."""
    chosen = [invariant for invariant in INVARIANTS if invariant.of in STAGES[stage]]

    @dg.multi_asset_check(
        name=f"{stage}_checks",
        specs=[
            dg.AssetCheckSpec(
                one.name,
                asset=one.of,
                description=one.about,
                blocking=stage == BLOCKING_STAGE and not one.warning,
            )
            for one in chosen
        ],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, workspace: BillingWorkspace, reports: dg.ResourceParam[ReportBook]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        with told(context):
            found = runs.check(workspace.open_lake(), [one for one in chosen if one.name in wanted], days_of(context))
            reports.record(f"{stage}_checks", found)
            for one in found:
                yield verdict(one)

    return checks


@dg.multi_asset_check(
    name="journal_checks",
    specs=[dg.AssetCheckSpec(name, asset=of, description=about) for name, (of, about) in RULES.items()],
    can_subset=True,
)
def journal_checks(
    context: dg.AssetCheckExecutionContext, workspace: BillingWorkspace
) -> Iterator[dg.AssetCheckResult]:
    """The double-entry journal of what is final, computed from the books as `billing export` does."""
    wanted = {key.name for key in context.selected_asset_check_keys}
    with told(context):
        for one in journal.checks(workspace.open_lake()):
            if one.invariant.name in wanted:
                yield verdict(one)


def verdict(found: runs.CheckResult) -> dg.AssetCheckResult:
    """What Dagster keeps of an invariant: whether it holds, how much it matters, and the rows that break it."""
    return dg.AssetCheckResult(
        check_name=found.invariant.name,
        asset_key=found.invariant.of,
        passed=found.discrepancies.is_empty(),
        severity=severity(found.invariant),
        description=in_words(found.discrepancies),
        metadata=discrepancies(found.discrepancies),
    )


def days_of(context: dg.AssetCheckExecutionContext) -> dict[str, pl.Expr]:
    """Of `usage_states`, the largest table, a run over days checks these days; any other run all of it."""
    tags = context.run.tags
    first = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG, "")
    last = tags.get(RANGE_END_TAG) or tags.get(PARTITION_TAG, "")
    if not (is_day(first) and is_day(last)):
        return {}
    return {"usage_states": pl.col("usage_date").is_between(date.fromisoformat(first), date.fromisoformat(last))}


@dg.multi_asset_check(
    name="readiness",
    specs=[
        dg.AssetCheckSpec(
            INPUTS_CURRENT.name,
            asset="usage_states",
            blocking=True,
            description="No event file waits to be ingested, and no day to be metered: a month can be rated.",
        )
    ],
)
def readiness(context: dg.AssetCheckExecutionContext, workspace: BillingWorkspace) -> Iterator[dg.AssetCheckResult]:
    """The first check of the monthly close. A run without the tag is only told, since it may be about to catch up."""
    refuses = context.run.tags.get(WHEN_BEHIND_TAG) == REFUSE
    month = context.run.tags[PARTITION_TAG] if refuses else None
    before = month_end(month) if month else date.max
    with told(context):
        lake, source = workspace.open_lake(), workspace.open_source()
        rows = runs.behind(lake, source, workspace.load_catalog(), before, run_time(context))
    message = readiness_message(rows, month)
    context.log.info(message)
    yield dg.AssetCheckResult(
        check_name=INPUTS_CURRENT.name,
        asset_key="usage_states",
        passed=rows.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if refuses else dg.AssetCheckSeverity.WARN,
        description=message,
        metadata=discrepancies(rows),
    )


def readiness_message(rows: pl.DataFrame, month: str | None) -> str:
    """What waits, and what to do about it."""
    if rows.is_empty():
        return "nothing waits to be ingested or metered"
    waiting = rows.group_by("waits_for", maintain_order=True).agg("what").iter_rows()
    parts = [
        f"{len(what)} {UNITS[stage]} ({', '.join(what[:3])}{', …' if len(what) > 3 else ''})" for stage, what in waiting
    ]
    return (
        f"{month or 'A month'} cannot be rated yet: {' and '.join(parts)} waiting. Run the job ingest_event_files, "
        "materialize the days of usage_states, then ask again; or run `billing close`, which does it all"
    )


def discrepancies(rows: pl.DataFrame) -> dict[str, Any]:
    return {"discrepancies": rows.height, "rows": table(rows)}
