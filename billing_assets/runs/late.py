"""Usage that came after the books of its month were written: which days and months have to be looked at again."""

from __future__ import annotations

from datetime import date

import polars as pl

from billing_assets.runs.inputs import sealed_months
from billing_assets.storage.lake import Lake


def seen_by_the_books(lake: Lake) -> int:
    """The last ingest batch that a final invoice or the seal of a month has seen; 0 before the first."""
    marks = [lake.scan(name).select("events_through") for name in ("invoices", "month_closes")]
    return int(lake.collect(pl.concat(marks).select(pl.col("events_through").max().fill_null(0))).item())


def first_new_day(lake: Lake) -> date | None:
    """The first day with an event that the books have not seen, by what its file told when it was ingested."""
    new = lake.scan("ingested_files").filter(pl.col("ingest_batch") > seen_by_the_books(lake))
    found: date | None = lake.collect(new.select(pl.col("first_timestamp").min().dt.date())).item()
    return found


def late_months(lake: Lake) -> set[str]:
    """Months that are sealed or have final invoices, and into whose days usage came that the books have not seen."""
    new = pl.col("ingest_batch") > seen_by_the_books(lake)
    days = lake.scan("metered_slices").filter(new).select("usage_date").unique()
    final = lake.scan("invoices").filter(pl.col("status") == "FINALIZED")
    spans = final.select(
        month="close_month",
        first=pl.col("period_start").dt.date(),
        last=(pl.col("period_end") - pl.duration(microseconds=1)).dt.date(),
    ).unique()
    inside = days.join(spans, how="cross").filter(pl.col("usage_date").is_between(pl.col("first"), pl.col("last")))
    own = days.select(month=pl.col("usage_date").dt.strftime("%Y-%m"))
    sealed = own.filter(pl.col("month").is_in(sealed_months(lake)))
    return set(lake.collect(pl.concat([inside.select("month"), sealed]).unique())["month"])
