"""What people decide about invoices: hold and release a draft, void a final invoice, and issue its replacement.

Each is an action, recorded with reason and author, and a batch of the books (docs/semantics.md, Void and regenerate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.errors import UsageError
from billing_assets.identity import stable_id
from billing_assets.runs import batches
from billing_assets.runs.actions import Action, record_action
from billing_assets.runs.tables import as_table
from billing_assets.storage.lake import Lake

VOID, REGENERATE = "void", "regenerate"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, why and when."""

    reason: str
    by: str
    now: datetime


def refuse_void(lake: Lake, invoice: Row) -> None:
    """Raise UsageError for an invoice that cannot be voided: a void one, one of which a later invoice bills late usage,
    one that drew on a balance which has rolled over since."""
    number, name = invoice["invoice_number"], invoice["invoice_id"]
    if invoice["status"] == "VOID":
        raise UsageError(f"{number} is void already, since {invoice['voided_at']:%Y-%m-%d %H:%M} UTC")
    void = lake.scan("invoices").filter(pl.col("status") == "VOID").select("invoice_id")
    late = lake.scan("line_items").filter(pl.col("corrects_invoice_id") == name).join(void, on="invoice_id", how="anti")
    carriers = lake.scan("invoices").join(late, on="invoice_id", how="semi").select("invoice_number")
    if found := lake.collect(carriers.sort("invoice_number"))["invoice_number"].to_list():
        raise UsageError(f"{number} cannot be voided: {', '.join(found)} bills late usage of it; void that first")
    ledger = lake.scan("ledger_entries")
    drawn = ledger.filter(pl.col("invoice_id") == name).select("segment_id").unique()
    rolled = ledger.filter(pl.col("entry_type") == "ROLLOVER_OUT").join(drawn, on="segment_id", how="semi")
    if found := lake.collect(rolled.select("segment_id").unique().sort("segment_id"))["segment_id"].to_list():
        raise UsageError(f"{number} cannot be voided: what it left of {', '.join(found)} has rolled over since")


def reversals(lake: Lake, invoice_id: str, before: int, now: datetime) -> pl.LazyFrame:
    """VOID_REVERSAL rows: of every ledger row that names the invoice, and of what expired since of what it drew on.

    before: the ledger's batches up to this one count. What was reversed already is not reversed again.
    """
    ledger = lake.scan("ledger_entries", through={"batch_no": before})
    own = ledger.filter(pl.col("invoice_id") == invoice_id, pl.col("entry_type") != "VOID_REVERSAL")
    drawn = own.filter(pl.col("entry_type") == "DEDUCTION").select("segment_id").unique()
    expired = ledger.filter(pl.col("entry_type") == "EXPIRATION").join(drawn, on="segment_id", how="semi")
    reversed_before = ledger.drop_nulls("reverses_entry_id").select(entry_id="reverses_entry_id")
    rows = pl.concat([own, expired]).join(reversed_before, on="entry_id", how="anti")
    return rows.with_columns(
        reverses_entry_id="entry_id",
        entry_id=stable_id("le", [pl.lit("VOID_REVERSAL"), pl.col("entry_id")]),
        entry_type=pl.lit("VOID_REVERSAL"),
        amount=-pl.col("amount"),
        effective_at=pl.lit(now, dtype=TIMESTAMP),
        close_month=pl.lit(f"{now:%Y-%m}"),
        invoice_id=pl.lit(invoice_id),
    )


def finish_void(batch: batches.Batch) -> None:
    """Write and commit a void from its intent alone: ledger, event, then the four columns of the invoice."""
    lake, intent = batch.lake, batch.intent
    name, now = intent["invoice_id"], datetime.fromisoformat(intent["now"])
    number = pl.lit(batch.batch_no, dtype=pl.Int64)
    entries = reversals(lake, name, batch.batch_no - 1, now).with_columns(batch_no=number)
    batch.write("ledger_entries", lake.collect(as_table("ledger_entries", entries)))
    batch.write("invoice_events", lake.collect(as_table("invoice_events", event_row(intent, "VOIDED", number))))
    voided = {"status": "VOID", "voided_at": now, "void_reason": intent["reason"]}
    lake.amend("invoices", {"close_month": intent["close_month"], "invoice_id": name}, voided)
    batch.commit({"voided": name})


def event_row(intent: Row, event: str, batch_no: pl.Expr) -> pl.LazyFrame:
    """One row of `invoice_events` for the invoice of an intent."""
    return pl.LazyFrame(
        {
            "invoice_id": [intent["invoice_id"]],
            "content_hash": [intent.get("content_hash")],
            "event": [event],
            "at": [datetime.fromisoformat(intent["now"])],
            "by": [intent["by"]],
            "reason": [intent["reason"]],
        },
        schema_overrides={"at": TIMESTAMP, "content_hash": pl.String},
    ).with_columns(batch_no=batch_no)


def regenerated(lake: Lake, invoice_id: str, now: datetime, by: str) -> pl.LazyFrame:
    """The REGENERATED event of a void invoice that is being replaced."""
    invoices = lake.scan("invoices").filter(pl.col("invoice_id") == invoice_id)
    return invoices.select(
        "invoice_id", "content_hash", event=pl.lit("REGENERATED"), at=pl.lit(now, dtype=TIMESTAMP), by=pl.lit(by),
        reason=pl.lit(None, dtype=pl.String),
    )  # fmt: skip


def intent_of(kind: str, invoice: Row, decision: Decision) -> dict[str, Any]:
    """What a batch that is about one invoice depends on."""
    return {
        "kind": kind,
        "invoice_id": invoice["invoice_id"],
        "close_month": invoice["close_month"],
        "content_hash": invoice["content_hash"],
        "now": decision.now,
        "by": decision.by,
        "reason": decision.reason,
    }


def record(lake: Lake, kind: str, invoice: Row, decision: Decision, more: Row | None = None) -> int:
    """The number of the action. more: of its payload."""
    about = {
        **(more or {}),
        **{name: invoice[name] for name in ("invoice_number", "contract_id", "close_month") if invoice.get(name)},
    }
    return record_action(lake, Action(kind, invoice["invoice_id"], about, decision.reason, decision.by, decision.now))
