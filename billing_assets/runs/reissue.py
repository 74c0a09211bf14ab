"""Void an invoice, and issue its replacement (docs/semantics.md, Void and regenerate)."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.errors import UsageError
from billing_assets.invoicing.headers import CORRECTION
from billing_assets.pipeline.late import correcting_month
from billing_assets.runs import batches, lifecycle
from billing_assets.runs.billing import forget_billed, rate_month, refresh_drafts
from billing_assets.runs.books import SEQUENCE, Books, books_of, encoded, finish_from_intent, write
from billing_assets.runs.catalogs import keep_version
from billing_assets.runs.inputs import watermarks
from billing_assets.runs.lifecycle import Decision, Row
from billing_assets.runs.overflow import naming_overflows
from billing_assets.storage.lake import Lake


def void(lake: Lake, catalog: Catalog, invoice: Row, decision: Decision) -> int | None:
    """Void a final invoice and take back what it moved in the ledger; the number of the batch.

    invoice: its row of `invoices`. catalog: by which the drafts are refreshed then. Raises UsageError as
    `lifecycle.refuse_void` does. None where another process has voided it meanwhile.
    """
    lifecycle.refuse_void(lake, invoice)
    lifecycle.record(lake, lifecycle.VOID, invoice, decision)

    def propose(batch_no: int) -> dict[str, Any] | None:
        events = lake.scan("invoice_events").filter(pl.col("invoice_id") == invoice["invoice_id"])
        if "VOIDED" in lake.collect(events)["event"].to_list():
            return None
        return lifecycle.intent_of(lifecycle.VOID, invoice, decision)

    batch = batches.run(lake, SEQUENCE, propose, finish_from_intent, clock=lambda: decision.now, by=decision.by)
    refresh_drafts(lake, catalog, decision.now)
    return None if batch is None else batch.batch_no


@naming_overflows
def replacement_of(lake: Lake, catalog: Catalog, invoice: Row, decision: Decision, ledger_through: int) -> Books:
    """What `regenerate` would write. Raises UsageError where the invoice has no replacement, or that is held."""
    refuse(invoice)
    marks = watermarks(lake, catalog, decision.now, ledger_through)
    month = computed_with(invoice, decision)
    books = books_of(lake, catalog, marks, month, decision.by, {}, invoice["invoice_id"])
    if books.rows["invoices"].height == 1:
        return books
    drafts = books.drafts.filter(pl.col("replaces_invoice_id") == invoice["invoice_id"])
    number = invoice["invoice_number"]
    if drafts.is_empty() and invoice["invoice_type"] == CORRECTION:
        raise UsageError(
            f"{number} has nothing to be replaced by: nothing of what it corrected is outstanding any more"
        )
    if drafts.is_empty():
        raise UsageError(f"{number} has nothing to be replaced by: what it billed is not in the catalog any more")
    reasons = ", ".join(drafts["hold_reasons"].to_list())
    raise UsageError(f"the replacement of {number} is held: {reasons}; clear that first")


def computed_with(invoice: Row, decision: Decision) -> str:
    """The month with which the replacement of a void invoice is computed: its own, but a CORRECTION is dated anew."""
    if invoice["invoice_type"] == CORRECTION:
        return correcting_month(decision.now)
    month: str = invoice["close_month"]
    return month


def refuse(invoice: Row) -> None:
    """Raise UsageError for an invoice that is not void, or that is replaced already."""
    number = invoice["invoice_number"]
    if invoice["status"] != "VOID":
        raise UsageError(f"{number} is not void; `billing void {number}` first, then regenerate it")
    if invoice["replaced_by_invoice_id"] is not None:
        raise UsageError(f"{number} is replaced already, by {invoice['replaced_by_invoice_id']}")


def regenerate(lake: Lake, catalog: Catalog, invoice: Row, decision: Decision) -> Books:
    """Issue what replaces a void invoice: by the catalog, events and balances of now, under a new id and number."""
    proposed: dict[int, Books] = {}

    def propose(batch_no: int) -> dict[str, Any]:
        proposed[batch_no] = replacement_of(lake, catalog, invoice, decision, batch_no - 1)
        keep_version(lake, catalog, decision.now)
        marks = watermarks(lake, catalog, decision.now, batch_no - 1)
        about = lifecycle.intent_of(lifecycle.REGENERATE, invoice, decision)
        return {**about, **encoded(marks), "month": computed_with(invoice, decision), "replaces": invoice["invoice_id"]}

    def finish(batch: batches.Batch) -> None:
        own = None if batch.is_resumed else proposed.get(batch.batch_no)
        if own is None:
            finish_from_intent(batch)
        else:
            write(batch, own, decision.now)

    replacement_of(lake, catalog, invoice, decision, lake.committed(SEQUENCE))
    # Once it is final, what is listed of its period stays as it is then.
    rate_month(lake, catalog, computed_with(invoice, decision), decision.now)
    lifecycle.record(lake, lifecycle.REGENERATE, invoice, decision)
    batch = batches.run(lake, SEQUENCE, propose, finish, clock=lambda: decision.now, by=decision.by)
    books = proposed[max(proposed)]
    if batch is not None:
        forget_billed(lake, books.rows["closed_periods"], batch.batch_no)
    refresh_drafts(lake, catalog, decision.now)
    return books
