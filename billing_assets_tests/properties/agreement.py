"""What the oracle says of a close, beside what the engine wrote, in the same plain rows; and where they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets import runs
from billing_assets.pipeline import bill
from billing_assets.runs.inputs import counting, holding, inputs
from billing_assets_tests.oracle.oracle import Batch, Invoice, Line, Result
from billing_assets_tests.oracle.oracle import bill as oracle_bill
from billing_assets_tests.pipeline.closing import Books, Closed

Key = tuple[str, datetime]
Row = tuple[Any, ...]
Disposition = tuple[str | None, str, date]


@dataclass
class Account:
    """One side: invoices and sorted lines by (contract, period start), dispositions, and counts of the ingest."""

    invoices: dict[Key, Row] = field(default_factory=dict)
    lines: dict[Key, list[Row]] = field(default_factory=dict)
    dispositions: dict[Disposition, int] = field(default_factory=dict)
    ingested: list[Row] = field(default_factory=list)


def places(number: Decimal) -> str:
    """Decimal text to the last digit; no negative zero."""
    return f"{number + 0:.12f}"


def sortable(row: Row) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row)


def of_oracle(result: Result) -> Account:
    """The oracle's side."""
    found = Account()
    for key, invoice in result.invoices.items():
        found.invoices[key] = invoice_row(invoice)
        found.lines[key] = sorted((line_row(invoice, line) for line in invoice.lines), key=sortable)
    found.dispositions = {key: count for key, count in result.dispositions.items() if count}
    counts = result.ingested
    found.ingested = [
        (rows, accepted, duplicates, conflicting, sorted(rejected.items()))
        for rows, accepted, duplicates, conflicting, rejected in zip(
            counts.rows, counts.accepted, counts.duplicates, counts.conflicting, counts.rejected, strict=True
        )
        if rows
    ]
    return found


def invoice_row(invoice: Invoice) -> Row:
    holds = ",".join(invoice.hold_reasons) if invoice.due else None
    dates = (invoice.period_end, invoice.close_month, invoice.invoice_date)
    money = tuple(places(number) for number in (invoice.subtotal, invoice.rounding, invoice.total))
    final = (invoice.issued_at, invoice.due_at) if invoice.status == "FINALIZED" else (None, None)
    return (invoice.customer_id, invoice.status, holds, invoice.currency, *dates, *money, *final)


def line_row(invoice: Invoice, line: Line) -> Row:
    """Line.key in plain values, with the identity of its price and its events."""
    start = line.rate_starting_at.strftime("%Y-%m-%dT%H") if line.rate_starting_at else None
    override = None if line.override_index is None else f"{invoice.contract_id}/overrides/{line.override_index}"
    figures = tuple(places(number) for number in (line.quantity, line.unit_price, line.amount))
    shown = (line.line_type, line.product_id, line.pricing_group_values, line.presentation_group_values)
    where = (line.starting_at, line.ending_before, line.tier_level, line.fee, line.rate_type)
    return (*shown, *where, start, override, *figures, line.event_count)


def of_engine(books: Books, closed: Closed, listed: Mapping[Disposition, int], now: datetime) -> Account:
    """The engine's side."""
    found = Account(dispositions=dict(listed), ingested=ingest_rows(books))
    keys: dict[str, Key] = {}
    for row in closed.invoices.iter_rows(named=True):
        key = keys[row["invoice_id"]] = (row["contract_id"], row["period_start"])
        assert key not in found.invoices, f"two invoices of {key}"
        found.invoices[key] = engine_invoice(row, now)
        found.lines[key] = []
    for row in closed.line_items.iter_rows(named=True):
        found.lines[keys[row["invoice_id"]]].append(engine_line(row))
    for lines in found.lines.values():
        lines.sort(key=sortable)
    return found


def engine_invoice(row: Mapping[str, Any], now: datetime) -> Row:
    due = row["issued_at"] is not None and row["issued_at"] <= now
    holds = ",".join(sorted(json.loads(row["hold_reasons"] or "[]"))) if due else None
    money = tuple(places(row[name]) for name in ("subtotal", "rounding", "total"))
    final = (row["issued_at"], row["due_at"]) if row["status"] == "FINALIZED" else (None, None)
    dates = (row["period_end"], row["close_month"], row["invoice_date"])
    return (row["customer_id"], row["status"], holds, row["currency"], *dates, *money, *final)


def engine_line(row: Mapping[str, Any]) -> Row:
    rate = row["rate_id"]
    start = None if rate is None else rate.rsplit("/", 1)[1]
    start = f"{start}T00" if start is not None and "T" not in start else start
    fee = row["line_type"] == "usage" and row["event_count"] is None
    figures = tuple(places(row[name]) for name in ("quantity", "unit_price", "amount"))
    shown = tuple(row[n] for n in ("line_type", "product_id", "pricing_group_values", "presentation_group_values"))
    where = (row["starting_at"], row["ending_before"], row["tier_level"], fee, row["rate_type"])
    return (*shown, *where, start, row["override_id"], *figures, row["event_count"])


def ingest_rows(books: Books) -> list[Row]:
    """(rows, accepted, duplicates, conflicting, rejects by reason) per ingest batch."""
    lake, rows = books.lake, []
    conflicts = lake.collect(lake.scan("duplicate_events").filter("conflicting"))["ingest_batch"].to_list()
    rejects = lake.collect(lake.scan("rejected_events")).select("ingest_batch", "reason").rows()
    files = lake.scan("ingested_files").group_by("ingest_batch")
    for batch in lake.collect(files.agg(pl.col("rows", "accepted", "duplicates").sum()).sort("ingest_batch")).rows():
        number, *counts = batch
        reasons = Counter(reason for of, reason in rejects if of == number)
        if counts[0]:
            rows.append((*counts, conflicts.count(number), sorted(reasons.items())))
    return rows


def dispositions(books: Books, now: datetime) -> dict[Disposition, int]:
    """Events per (metric, disposition, day) of all months at once, as rating lists them before anything is final."""
    lake = books.lake
    given = inputs(lake, books.catalog, now)
    # Drafts read usage from the first open period on, where the oracle lists what is before it too.
    everything = replace(given, states=lake.scan("usage_states"), values=lake.scan("usage_values"))
    billed = bill(everything, holding(lake), counting(lake))
    frames = lake.collect_all({"listed": billed.unbilled, "equation": billed.equation})
    assert frames["equation"].filter(pl.col("accepted") != pl.col("billed") + pl.col("listed")).is_empty()
    keys = ["billable_metric_id", "disposition", "usage_date"]
    counts = frames["listed"].group_by(keys).agg(pl.col("event_count").sum())
    found = {(row[0], row[1], row[2]): row[3] for row in counts.iter_rows()}
    for row in frames["equation"].filter(pl.col("billed") > 0).iter_rows(named=True):
        found[(row["billable_metric_id"], "billed", row["usage_date"])] = row["billed"]
    return found


@dataclass(frozen=True)
class Comparison:
    """Both sides of one close."""

    oracle: Account
    engine: Account

    def differences(self) -> list[str]:
        """Every difference as readable text; empty where both agree to the last digit."""
        ours, theirs = self.engine, self.oracle
        found = _unlike("ingest batch", dict(enumerate(ours.ingested)), dict(enumerate(theirs.ingested)))
        found += _unlike("invoice", ours.invoices, theirs.invoices)
        for key in sorted(ours.lines.keys() & theirs.lines.keys()):
            mine, other = Counter(ours.lines[key]), Counter(theirs.lines[key])
            found += [f"line of {key}: engine only {_text(row)}" for row in (mine - other).elements()]
            found += [f"line of {key}: oracle only {_text(row)}" for row in (other - mine).elements()]
        return found + _unlike("disposition", ours.dispositions, theirs.dispositions)


def _unlike(what: str, ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> list[str]:
    keys = sorted({*ours, *theirs}, key=str)
    return [
        f"{what} {key}: engine {_text(ours.get(key))}, oracle {_text(theirs.get(key))}"
        for key in keys
        if ours.get(key) != theirs.get(key)
    ]


def _text(value: Any) -> str:
    shown = value if isinstance(value, tuple) else (value,)
    return ", ".join(one.isoformat() if isinstance(one, datetime) else str(one) for one in shown)


def compare(root: Path, catalog: Mapping[str, Any], batches: Sequence[Batch], now: datetime) -> Comparison:
    """Close the catalog's books and bill them by the oracle."""
    books = Books.open(root, catalog)
    for number, batch in enumerate(batches):
        books.receive({f"{number}.jsonl": batch.events}, batch.arrived_at)
    runs.record_catalog(books.lake, books.catalog, now)
    books.meter(now)
    listed = dispositions(books, now)
    return Comparison(of_oracle(oracle_bill(catalog, batches, now)), of_engine(books, books.close(now), listed, now))
