"""Usage that came after the books of its month were written: which days and months have to be looked at again."""

from __future__ import annotations

from datetime import date

import polars as pl

from billing_assets.metering.grain import LATE, UNMATCHED
from billing_assets.pipeline.late import PERIOD
from billing_assets.runs.inputs import sealed_months
from billing_assets.runs.invoiced import last_carried
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
    """Months that are sealed or have final invoices, and into whose days usage came that the books have not seen; and
    those of `moved_months` and `joined_months`."""
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
    found = [inside.select("month"), sealed, moved_months(lake)]
    return set(lake.collect(pl.concat(found).unique())["month"]) | joined_months(lake)


def moved_months(lake: Lake) -> pl.LazyFrame:
    """Grain month: those that list usage as a customer's, or nobody's, whose reference is another's in the catalog."""
    aliases = lake.scan("customer_aliases").filter("is_current").select("customer_ref", today="customer_id")
    # What a period lists stays with it once that is final, but for usage that came after it.
    free = pl.col("contract_id").is_null() | (pl.col("disposition") == LATE)
    return (
        lake.scan("unbilled_usage")
        .filter(free, pl.col("disposition") != UNMATCHED)
        .join(aliases, on="customer_ref", how="left")
        .filter(pl.col("customer_id").ne_missing(pl.col("today")))
        .select("month")
        .unique()
    )


def joined_months(lake: Lake) -> set[str]:
    """Months of final invoices that have not seen a reference which is their customer's now, where its usage is not
    listed as late yet."""
    aliases = lake.scan("customer_aliases").select("catalog_version", "customer_ref", "customer_id", "is_current")
    final = lake.scan("invoices").filter(pl.col("status") == "FINALIZED", pl.col("invoice_type") == "USAGE")
    seen_by = pl.coalesce("carried_by", "catalog_version").alias("catalog_version")
    joined = (
        final.join(last_carried(lake, lake.committed("books")), on=PERIOD, how="left")
        .select("close_month", "contract_id", "customer_id", "period_start", "period_end", seen_by)
        .join(aliases.select("catalog_version").unique(), on="catalog_version", how="semi")
        .join(aliases.filter("is_current").select("customer_ref", "customer_id"), on="customer_id")
        .join(aliases, on=["catalog_version", "customer_ref", "customer_id"], how="anti")
    )
    late = lake.scan("unbilled_usage").filter(pl.col("disposition") == LATE)
    unlisted = lake.collect(joined.join(late, on=["customer_ref", "contract_id", "period_start"], how="anti"))
    if unlisted.is_empty():
        return set()
    references = pl.col("customer_ref").is_in(unlisted["customer_ref"].unique().to_list())
    used = lake.scan("usage_states", references).select("customer_ref", "window_start").unique()
    inside = pl.col("window_start").is_between("period_start", "period_end", closed="left")
    months = unlisted.lazy().join(used, on="customer_ref").filter(inside).select("close_month").unique()
    return set(lake.collect(months)["close_month"])
