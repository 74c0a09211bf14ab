"""Hold a draft by hand, and release it (docs/semantics.md, Holds)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.errors import UsageError
from billing_assets.invoicing.drafts import LIFTED, MANUAL
from billing_assets.runs import lifecycle
from billing_assets.runs.billing import refresh_drafts
from billing_assets.runs.books import apply_decisions
from billing_assets.runs.decisions import HOLD, RELEASE
from billing_assets.runs.lifecycle import Decision, Row
from billing_assets.storage.lake import Lake


def refuse_hold(lake: Lake, draft: Row) -> None:
    """Raise UsageError for an invoice that is final, or that is held by hand already. draft: a row as of a draft."""
    refuse_final(lake, draft["invoice_id"])
    if MANUAL in reasons_of(draft):
        raise UsageError(f"{draft['invoice_id']} is held by hand already; `billing release` lets it go")


def refuse_release(lake: Lake, draft: Row) -> None:
    """Raise UsageError for an invoice that is final, that is not held, or that nothing holds which a release lifts."""
    name, reasons = draft["invoice_id"], reasons_of(draft)
    refuse_final(lake, name)
    if not reasons:
        raise UsageError(f"{name} is not held; a close finalizes it when it is due")
    if not set(reasons) & set(LIFTED):
        raise UsageError(
            f"{name} is held by {', '.join(reasons)}, which a release does not lift; `billing show {name}` says what "
            "does"
        )


def refuse_final(lake: Lake, name: str) -> None:
    """Raise UsageError for an invoice that is final, or void."""
    rows = lake.collect(lake.scan("invoices").filter(pl.col("invoice_id") == name)).to_dicts()
    for row in rows:
        number = row["invoice_number"]
        if row["status"] == "VOID":
            raise UsageError(f"{number} is void; hold or release its replacement, the draft of the same period")
        raise UsageError(f"{number} is final, and no hold changes it; if it is wrong, `billing void {number}`")


def reasons_of(draft: Row) -> list[str]:
    return list(json.loads(draft.get("hold_reasons") or "[]"))


def left_after(draft: Row) -> Sequence[str]:
    """The reasons that hold a draft after its release."""
    return [reason for reason in reasons_of(draft) if reason not in LIFTED]


def hold(lake: Lake, catalog: Catalog, draft: Row, decision: Decision) -> dict[str, Any]:
    """Hold a draft until it is released; its row as the refreshed drafts have it. Raises UsageError as `refuse_hold`.

    catalog: by which the drafts are refreshed.
    """
    refuse_hold(lake, draft)
    return decide(lake, catalog, HOLD, draft, decision)


def release(lake: Lake, catalog: Catalog, draft: Row, decision: Decision) -> dict[str, Any]:
    """Lift what can be lifted of the reasons that hold a draft; its row then. Raises UsageError as `refuse_release`."""
    refuse_release(lake, draft)
    return decide(lake, catalog, RELEASE, draft, decision)


def decide(
    lake: Lake, catalog: Catalog, kind: str, draft: Row, decision: Decision, more: Row | None = None
) -> dict[str, Any]:
    """Record what is decided about a draft, and refresh the drafts by it; its row then. more: of the action's payload.

    Raises UsageError where it is final, or gone, meanwhile.
    """
    lifecycle.record(lake, kind, draft, decision, more)
    apply_decisions(lake, decision.by, decision.now)
    name = draft["invoice_id"]
    refuse_final(lake, name)  # a close that had begun has finalized it meanwhile
    refresh_drafts(lake, catalog, decision.now)
    found = lake.collect(lake.scan("draft_invoices").filter(pl.col("invoice_id") == name)).to_dicts()
    if not found:
        raise UsageError(
            f"{name} is no draft any more: its contract or its period is gone from the catalog. The {kind} is "
            "recorded, and counts if it comes back"
        )
    return dict(found[0])
