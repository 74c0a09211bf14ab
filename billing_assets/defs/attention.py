"""Checks that warn of what waits for a person. Nothing is wrong with the books; somebody has to decide or to look."""

from collections.abc import Iterator

import dagster as dg

from billing_assets.defs.checks import discrepancies
from billing_assets.defs.failures import told
from billing_assets.defs.metadata import in_words
from billing_assets.defs.resources import BillingWorkspace, run_time
from billing_assets.runs import attention

NOTHING_HELD = dg.AssetCheckKey(dg.AssetKey("draft_invoices"), "nothing_held")
SEALED_IN_TIME = dg.AssetCheckKey(dg.AssetKey("month_closes"), "sealed_in_time")
ABOUT = {
    NOTHING_HELD: "No invoice that is due is held. What is listed waits for a price, a decision, or a release.",
    SEALED_IN_TIME: f"Each month is sealed within {attention.PATIENCE.days} days after the grace period of its end.",
}


@dg.multi_asset_check(
    name="attention",
    specs=[dg.AssetCheckSpec(key.name, asset=key.asset_key, description=about) for key, about in ABOUT.items()],
    can_subset=True,
)
def attention_checks(
    context: dg.AssetCheckExecutionContext, workspace: BillingWorkspace
) -> Iterator[dg.AssetCheckResult]:
    with told(context):
        lake, now = workspace.open_lake(), run_time(context)
        found = {
            NOTHING_HELD: lambda: attention.held_invoices(lake, now),
            SEALED_IN_TIME: lambda: attention.overdue_months(lake, workspace.load_catalog(), now),
        }
        for key in sorted(context.selected_asset_check_keys):
            rows = found[key]()
            yield dg.AssetCheckResult(
                check_name=key.name,
                asset_key=key.asset_key,
                passed=rows.is_empty(),
                severity=dg.AssetCheckSeverity.WARN,
                description=in_words(rows),
                metadata=discrepancies(rows),
            )
