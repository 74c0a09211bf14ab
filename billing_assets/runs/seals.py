"""The seal of a month: once nothing of it is open, its control totals are fixed, and it takes no further invoice."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import polars as pl

from billing_assets.catalog import Catalog, resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.identity import digest
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.runs.inputs import sealed_months, started_periods
from billing_assets.storage.lake import Lake


def months_to_seal(
    lake: Lake, catalog: Catalog, marks: Watermarks, finalized: pl.DataFrame, drafts: pl.DataFrame, month: str
) -> tuple[str, ...]:
    """Months up to `month` that are over, not sealed, and of which nothing is open once `finalized` is final.

    Months are sealed in order, so that each opening balance is the closing balance before it; the first month with
    something open ends the sequence. A period of `month` that has no draft is skipped by its contract's choice, and
    does not keep the month open.
    """
    settings, now = catalog.settings, marks.computed_as_of
    sealed = sealed_months(lake, marks.ledger_through)
    periods = started_periods(lake, resolve(catalog).contracts, settings.starting_at, now, marks.ledger_through)
    open_months = set(lake.collect(periods.filter("is_open", pl.col("close_month") != month))["close_month"])
    if drafts.join(finalized.select("invoice_id"), on="invoice_id", how="anti").height:
        open_months.add(month)
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


def seals(lake: Lake, marks: Watermarks, months: tuple[str, ...], invoices: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row of month_closes per month: control totals of its invoices, those of this batch included."""
    earlier = lake.scan("invoices", through={"batch_no": marks.ledger_through}).filter(
        pl.col("close_month").is_in(months)
    )
    columns = ["close_month", "invoice_id", "currency", "total", "content_hash"]
    together = pl.concat([lake.collect(earlier.select(columns)), invoices.select(columns)])
    unbilled = lake.collect(
        lake.scan("unbilled_usage").filter(pl.col("month").is_in(months)).select("month", "disposition", "event_count")
    )
    rows = [_seal(month, marks, by, together, unbilled) for month in months]
    return pl.DataFrame(rows, schema=_SEAL)


_SEAL: dict[str, pl.DataType | type[pl.DataType]] = {
    "close_month": pl.String,
    "sealed_at": TIMESTAMP,
    "by": pl.String,
    "control_totals": pl.String,
    "unbilled": pl.String,
    "content_hash": pl.String,
    "events_through": pl.Int64,
}


def _seal(month: str, marks: Watermarks, by: str, invoices: pl.DataFrame, unbilled: pl.DataFrame) -> dict[str, object]:
    of_month = invoices.filter(pl.col("close_month") == month)
    per_currency = (
        of_month.lazy()
        .group_by("currency")
        .agg(invoices=pl.len(), total=pl.col("total").sum())
        .sort("currency")
        .collect()
    )
    listed = (
        unbilled.lazy()
        .filter(pl.col("month") == month)
        .group_by("disposition")
        .agg(events=pl.col("event_count").sum())
        .sort("disposition")
        .collect()
    )
    totals = {
        "invoices": {
            row["currency"]: {"count": row["invoices"], "total": f"{row['total']:f}"}
            for row in per_currency.iter_rows(named=True)
        },
        "ledger": {"opening": {}, "movements": {}, "closing": {}},
    }
    return {
        "close_month": month,
        "sealed_at": marks.computed_as_of,
        "by": by,
        "control_totals": json.dumps(totals, sort_keys=True),
        "unbilled": json.dumps({row["disposition"]: row["events"] for row in listed.iter_rows(named=True)}),
        "content_hash": _digest(of_month),
        "events_through": marks.events_through,
    }


def _digest(invoices: pl.DataFrame) -> str:
    text = (
        invoices.lazy()
        .sort("invoice_id")
        .select(digest(pl.concat_str(["invoice_id", "content_hash"], separator=" ").str.join("\n")))
    )
    return str(text.collect().item())
