"""The invariants of `reconcile` as asset checks, with the rows that break them as metadata."""

from collections.abc import Iterator

import dagster as dg

from billing_assets import runs
from billing_assets.defs.metadata import table
from billing_assets.defs.resources import BillingWorkspace
from billing_assets.defs.specs import BOOKS, DRAFTS, INGESTION
from billing_assets.reconcile import INVARIANTS, Invariant

STAGES = {"ingestion": (*INGESTION, "events"), "invoices": BOOKS, "drafts": DRAFTS}


def severity(invariant: Invariant) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.WARN if invariant.warning else dg.AssetCheckSeverity.ERROR


def stage_checks(stage: str) -> dg.AssetChecksDefinition:
    """All invariants of the tables of one stage in one step: a step costs more than a check."""
    chosen = [invariant for invariant in INVARIANTS if invariant.of in STAGES[stage]]

    @dg.multi_asset_check(
        name=f"{stage}_checks",
        specs=[dg.AssetCheckSpec(one.name, asset=one.of, description=one.about) for one in chosen],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, workspace: BillingWorkspace) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        for one in runs.check(workspace.open_lake(), [one for one in chosen if one.name in wanted]):
            yield dg.AssetCheckResult(
                check_name=one.invariant.name,
                asset_key=one.invariant.of,
                passed=one.discrepancies.is_empty(),
                severity=severity(one.invariant),
                metadata={"discrepancies": one.discrepancies.height, "rows": table(one.discrepancies)},
            )

    return checks
