"""The seal of a month: once nothing of it is open, its control totals are fixed, and it takes no further invoice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from billing_assets.catalog import Catalog, resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.identity import digest
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.runs.inputs import sealed_months
from billing_assets.runs.periods import started_periods
from billing_assets.storage.lake import Lake


def months_to_seal(
    lake: Lake,
    catalog: Catalog,
    marks: Watermarks,
    finalized: pl.DataFrame,
    drafts: pl.DataFrame,
    closed: pl.DataFrame,
    month: str,
) -> tuple[str, ...]:
    """Months up to `month` that are over, not sealed, and of which nothing is open once `finalized` is final and the
    periods `closed` are closed.

    Months are sealed in order, so that each opening balance is the closing balance before it; the first month with
    something open ends the sequence.
    """
    settings, now = catalog.settings, marks.computed_as_of
    sealed = sealed_months(lake, marks.ledger_through)
    periods = started_periods(lake, resolve(catalog).contracts, settings.starting_at, now, marks.ledger_through)
    # A void invoice keeps no month open: its replacement is issued whenever somebody decides so.
    asked = periods.filter("is_open", pl.col("regeneration") == 0)
    others = asked.join(closed, on=["contract_id", "period_start"], how="anti")
    open_months = set(others["close_month"])
    drafts = drafts.filter(pl.col("replaces_invoice_id").is_null())
    open_months |= set(drafts.join(finalized.select("invoice_id"), on="invoice_id", how="anti")["close_month"])
    chosen = []
    for candidate in months_between(settings.starting_at, now - settings.grace_period):
        if candidate > month or (candidate in open_months and candidate not in sealed):
            break
        if candidate not in sealed:
            chosen.append(candidate)
    return tuple(chosen)


def months_between(first: datetime, end: datetime) -> list[str]:
    """Whole calendar months that begin at or after `first`'s month and are over at `end`."""
    months = []
    start = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while (following := (start + timedelta(days=32)).replace(day=1)) <= end:
        months.append(f"{start:%Y-%m}")
        start = following
    return months


def seals(
    lake: Lake,
    marks: Watermarks,
    months: tuple[str, ...],
    rows: Mapping[str, pl.DataFrame],
    by: str,
    listed: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """One row of month_closes per month: control totals of its invoices and of the ledger, this batch's included.

    `rows` has the batch's own `invoices` and `ledger_entries`; `listed` the column `unbilled` by month, if known.
    """
    read = {"batch_no": marks.ledger_through}
    columns = ["close_month", "invoice_id", "currency", "total", "content_hash"]
    earlier = lake.scan("invoices", through=read).filter(pl.col("close_month").is_in(months)).select(columns)
    invoices = pl.concat([lake.collect(earlier), rows["invoices"].select(columns)])
    moved = [
        lake.collect(movements(lake.scan("ledger_entries", through=read))),
        lake.collect(movements(rows["ledger_entries"].lazy())),
    ]
    unbilled = listed_events(lake, months) if listed is None else listed
    return pl.DataFrame(
        [_seal(month, marks, by, Sealed(invoices, pl.concat(moved), unbilled)) for month in months], schema=_SEAL
    )


def listed_events(lake: Lake, months: tuple[str, ...]) -> dict[str, str]:
    """Per month its unbilled events by disposition as they are now, JSON."""
    listed = lake.scan("unbilled_usage").filter(pl.col("month").is_in(months))
    found = lake.collect(listed.group_by("month", "disposition").agg(events=pl.col("event_count").sum()))
    by_month: dict[str, dict[str, int]] = {month: {} for month in months}
    for month, disposition, events in found.sort("month", "disposition").rows():
        by_month[month][disposition] = events
    return {month: json.dumps(events) for month, events in by_month.items()}


@dataclass(frozen=True, slots=True)
class Sealed:
    """What seals are made of: invoices, ledger movements (grain of `movements`), unbilled events by month as JSON."""

    invoices: pl.DataFrame
    movements: pl.DataFrame
    unbilled: Mapping[str, str]


def movements(entries: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (close_month, unit, entry_type): what was moved; units are never added together."""
    return entries.group_by("close_month", "unit", "entry_type").agg(amount=pl.col("amount").sum())


_SEAL: dict[str, pl.DataType | type[pl.DataType]] = {
    "close_month": pl.String,
    "sealed_at": TIMESTAMP,
    "by": pl.String,
    "control_totals": pl.String,
    "unbilled": pl.String,
    "content_hash": pl.String,
    "events_through": pl.Int64,
}


def _seal(month: str, marks: Watermarks, by: str, sealed: Sealed) -> dict[str, object]:
    of_month = sealed.invoices.filter(pl.col("close_month") == month)
    totals = {"invoices": _per_currency(of_month), "ledger": ledger_totals(sealed.movements, month)}
    return {
        "close_month": month,
        "sealed_at": marks.computed_as_of,
        "by": by,
        "control_totals": json.dumps(totals, sort_keys=True),
        "unbilled": sealed.unbilled[month],
        "content_hash": _digest(of_month),
        "events_through": marks.events_through,
    }


def _per_currency(invoices: pl.DataFrame) -> dict[str, dict[str, object]]:
    found = invoices.lazy().group_by("currency").agg(invoices=pl.len(), total=pl.col("total").sum()).collect()
    return {
        row["currency"]: {"count": row["invoices"], "total": f"{row['total']:f}"} for row in found.iter_rows(named=True)
    }


def ledger_totals(moved: pl.DataFrame, month: str) -> dict[str, object]:
    """opening + movements = closing, per unit; the opening balance is everything of earlier months."""
    before = _sums(moved.filter(pl.col("close_month") < month), "unit")
    within = _sums(moved.filter(pl.col("close_month") == month), "unit", "entry_type")
    by_unit: dict[str, dict[str, str]] = {}
    for (unit, entry_type), amount in within.items():
        by_unit.setdefault(unit, {})[entry_type] = f"{amount:f}"
    closing = _sums(moved.filter(pl.col("close_month") <= month), "unit")
    return {
        "opening": {unit: f"{amount:f}" for (unit,), amount in before.items()},
        "movements": by_unit,
        "closing": {unit: f"{amount:f}" for (unit,), amount in closing.items()},
    }


def _sums(moved: pl.DataFrame, *keys: str) -> dict[tuple[str, ...], Decimal]:
    found = moved.lazy().group_by(keys).agg(pl.col("amount").sum()).sort(keys).collect()
    return {tuple(row[:-1]): row[-1] for row in found.rows()}


def _digest(invoices: pl.DataFrame) -> str:
    text = (
        invoices.lazy()
        .sort("invoice_id")
        .select(digest(pl.concat_str(["invoice_id", "content_hash"], separator=" ").str.join("\n")))
    )
    return str(text.collect().item())
