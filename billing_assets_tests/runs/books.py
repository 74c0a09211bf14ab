"""A miniature of `close`: its frames are a pure function of the intent, as those of the real one are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from billing_assets.runs.batches import Batch, run
from billing_assets.storage.lake import Lake
from billing_assets_tests.runs.stopping import killing_at
from billing_assets_tests.storage.rows import rows

NOW = datetime(2026, 2, 2, tzinfo=UTC)
TABLES = ("line_items", "ledger_entries", "invoice_events", "closed_periods", "invoices", "month_closes")


def clock() -> datetime:
    return NOW


def propose_month(month: str) -> Callable[[int], dict[str, Any] | None]:
    """The intent to finalize ten invoices of the month."""

    def propose(batch_no: int) -> dict[str, Any]:
        return {"kind": "close", "now": NOW, "month": month, "invoices": [f"{month}/{n}" for n in range(10)]}

    return propose


def finish(batch: Batch) -> None:
    """Write every table of a close from the intent alone."""
    month, invoices = batch.intent["month"], batch.intent["invoices"]
    own = {"close_month": month, "batch_no": batch.batch_no, "amount": Decimal("0.1"), "at": NOW}
    each = [own | {"invoice_id": invoice, "number_sequence": n} for n, invoice in enumerate(invoices)]
    batch.write("line_items", _frame("line_items", [row | {"line_type": "usage"} for row in each]))
    batch.write("ledger_entries", _frame("ledger_entries", []))
    batch.write("invoice_events", _frame("invoice_events", [row | {"event": "FINALIZED"} for row in each]))
    batch.write("closed_periods", _frame("closed_periods", each))
    final = {"invoice_type": "USAGE", "status": "FINALIZED"}
    batch.write("invoices", _frame("invoices", [row | final for row in each]))
    batch.write("month_closes", _frame("month_closes", [own]))
    batch.commit({"finalized": len(invoices)})


def _frame(table: str, given: list[dict[str, Any]]) -> pl.DataFrame:
    columns = set(rows(table).columns)
    return rows(table, *({name: value for name, value in row.items() if name in columns} for row in given))


def contents(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """Everything in the tables of a close, and the results of its batches, which two lakes may be compared by."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        tables[table] = lake.collect(lake.scan(table, through={})).sort(pl.all()).to_dicts()
    batches = lake.collect(lake.scan("batches")).sort("batch_no", pl.col("state") == "COMMITTED", "attempt")
    tables["batches"] = batches.to_dicts()
    return tables


def close_and_die(root: str, instant: str) -> None:
    """Close a month in this process, which ends at `instant` (see `stopping`)."""
    lake = Lake(root, on_write=killing_at(instant))
    run(lake, "books", propose_month("2026-01"), finish, clock=clock)
