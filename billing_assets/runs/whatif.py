"""What another catalog would make of open drafts, and of history; the lake stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.money import zero
from billing_assets.pipeline import month_after
from billing_assets.runs.billing import draft, rate_month, refresh_drafts
from billing_assets.runs.books import due_months, finalize
from billing_assets.runs.catalogs import record_catalog
from billing_assets.runs.meter import meter, stale_days
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.periods import void_invoices
from billing_assets.storage.beside import METERED, beside, unbilled
from billing_assets.storage.lake import Lake

BY = ("customer_id", "product_id", "currency")
OF_INVOICE = ("invoice_id", "customer_id", "contract_id", "close_month", "period_start", "currency")


@dataclass(frozen=True, slots=True)
class Difference:
    """lines: BY with before, after and difference, exact amounts as they count in totals; product_id is null for what
    belongs to an invoice as a whole. invoices: OF_INVOICE with total and hold_reasons of before and after, of those
    that differ; nulls where an invoice is on one side only."""

    lines: pl.DataFrame
    invoices: pl.DataFrame


@naming_overflows
def diff(lake: Lake, before: Catalog, after: Catalog, now: datetime) -> Difference:
    """The drafts of all open periods as of `now` by two catalogs. What the other one measures is metered beside the
    lake; of a lake in an object store, only what is metered already counts."""
    if lake.is_local:
        with beside(lake, METERED) as other:
            tables = [_drafts(other, catalog, now) for catalog in (before, after)]
    else:
        tables = [draft(lake, catalog, now) for catalog in (before, after)]
    return Difference(_lines(*(each["draft_line_items"].lazy() for each in tables)), _invoices(tables))


def _drafts(lake: Lake, catalog: Catalog, now: datetime) -> dict[str, pl.DataFrame]:
    _meter(lake, catalog, now)
    return draft(lake, catalog, now)


def _meter(lake: Lake, catalog: Catalog, now: datetime) -> None:
    if days := stale_days(lake, catalog, now):
        meter(lake, catalog, min(days), max(days))


def _invoices(tables: list[dict[str, pl.DataFrame]]) -> pl.DataFrame:
    one, other = (each["draft_invoices"].select(*OF_INVOICE, "total", "hold_reasons").lazy() for each in tables)
    both = one.join(other, on="invoice_id", how="full", coalesce=True, suffix="_after")
    known = [pl.coalesce(name, f"{name}_after").alias(name) for name in OF_INVOICE if name != "invoice_id"]
    differ = pl.col("total").ne_missing(pl.col("total_after")) | pl.col("hold_reasons").ne_missing(
        pl.col("hold_reasons_after")
    )
    return (
        both.filter(differ)
        .select("invoice_id", *known, "total", "total_after", "hold_reasons", "hold_reasons_after")
        .sort("close_month", "customer_id", "contract_id", "invoice_id")
        .collect()
    )


def _lines(one: pl.LazyFrame, other: pl.LazyFrame) -> pl.DataFrame:
    """BY with before, after and difference; sums that are equal left out."""
    sums = [
        frame.filter("in_total")
        .group_by("customer_id", "product_id", currency="amount_unit")
        .agg(pl.col("amount").sum())
        for frame in (one, other)
    ]
    both = sums[0].join(sums[1], on=list(BY), how="full", coalesce=True, nulls_equal=True, suffix="_after")
    amounts = both.select(
        *BY, before=pl.col("amount").fill_null(zero()), after=pl.col("amount_after").fill_null(zero())
    ).with_columns(difference=pl.col("after") - pl.col("before"))
    return amounts.filter(pl.col("difference") != zero()).sort(*BY, nulls_last=True).collect()


Tell = Callable[[str], None]


@naming_overflows
def simulate(
    lake: Lake, catalog: Catalog, months: tuple[str, str], now: datetime, tell: Tell = lambda month: None
) -> pl.DataFrame:
    """History by another catalog: all months up to the last of `months` are closed one after the other in a lake beside
    this one, as if nothing had ever been billed, and compared with what was, of the close months from the first on.

    Grain BY: billed, on invoices that are not void; simulated; difference. Late usage counts in its own month, since
    all events are there from the beginning. tell: is given each month that is closed. Raises UsageError for a lake in
    an object store.
    """
    first, last = months
    with unbilled(lake) as scratch:
        record_catalog(scratch, catalog, now)
        month = _first_of(f"{catalog.settings.starting_at:%Y-%m}", now)
        while f"{month:%Y-%m}" <= last:
            ends = month_after(month)
            tell(f"{month:%Y-%m}")
            _close(scratch, catalog, ends + catalog.settings.grace_period + timedelta(seconds=1))
            month = ends
        lines = [_billed(each, first, last) for each in (lake, scratch)]
        found = _lines(*(scratch.collect(frame).lazy() for frame in lines))
    return found.rename({"before": "billed", "after": "simulated"})


def _close(lake: Lake, catalog: Catalog, now: datetime) -> None:
    """What `billing close` does with events that are ingested."""
    _meter(lake, catalog, now)
    for month in due_months(lake, catalog, now):
        rate_month(lake, catalog, month, now)
        finalize(lake, catalog, month, now, "simulation")
    refresh_drafts(lake, catalog, now)


def _billed(lake: Lake, first: str, last: str) -> pl.LazyFrame:
    """Lines of final invoices of these months that are not void."""
    lines = lake.scan("line_items").filter(pl.col("close_month").is_between(pl.lit(first), pl.lit(last)))
    return lines.join(void_invoices(lake, lake.committed("books")), on="invoice_id", how="anti")


def _first_of(month: str, now: datetime) -> datetime:
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=now.tzinfo)


def sums(rows: pl.DataFrame, by: str, names: tuple[str, ...]) -> Mapping[str, pl.DataFrame]:
    """`rows` added up by a column and the currency, and by the currency alone."""
    added = [pl.col(name).sum() for name in names]
    return {
        by: rows.lazy().group_by(by, "currency").agg(added).sort(by, "currency", nulls_last=True).collect(),
        "currency": rows.lazy().group_by("currency").agg(added).sort("currency").collect(),
    }
