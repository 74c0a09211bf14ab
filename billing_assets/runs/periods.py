"""Which billing periods there are: what is closed, as it was recorded, and by the catalog the time that is left.

A close records the periods that it bills or skips in `closed_periods`. An edit that moves a contract's periods, by its
dates, its frequency or its anchor, therefore moves only what no final invoice has (docs/semantics.md, Periods).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.errors import CatalogContradiction
from billing_assets.invoicing.consolidation import OF_PERIODS, on_invoices
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.periods import billing_periods, close_month, uncovered
from billing_assets.storage.lake import Lake

CLOSED = (
    *("contract_id", "customer_id", "period_start", "period_end", "full_start", "full_end"),
    *("close_month", "invoice_id", "issued_at", "events_through", "catalog_version"),
)


def started_periods(
    lake: Lake, contracts: pl.LazyFrame, since: datetime, now: datetime, books_through: int
) -> pl.LazyFrame:
    """One row per (contract, billing period) that has started by `now`, with its close month and whether it is open.

    Closed ones have their recorded dates and `events_through`, and of their contract what the catalog says now, which
    may be nothing; final_issued_at and final_catalog_version are of their invoice. Open ones are on an invoice
    (`on_invoices`) with its `regeneration`: 0, and one more for each invoice of that start that is void.
    """
    terms = contracts.rename({"late_usage": "late_usage_policy"})
    closed = closed_periods(lake, books_through)
    by_catalog = billing_periods(terms, since, now + timedelta(microseconds=1))
    still_open = (
        uncovered(by_catalog, closed, ("contract_id",))
        .pipe(on_invoices)
        .join(regenerations(lake, books_through), on=["invoice_contract_id", "invoice_period_start"], how="left")
        .with_columns(
            pl.col("regeneration").fill_null(0),
            close_month=close_month(pl.col("invoice_period_end")),
            is_open=pl.lit(value=True),
        )
    )
    recorded = closed.drop("invoice_id").rename(
        {"issued_at": "final_issued_at", "catalog_version": "final_catalog_version"}
    )
    over = recorded.join(terms.drop("customer_id"), on="contract_id", how="left").with_columns(
        is_open=pl.lit(value=False)
    )
    return pl.concat([still_open, over], how="diagonal")


def closed_periods(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain (contract, billing period): CLOSED, periods billed by an invoice that stands, or skipped."""
    rows = lake.scan("closed_periods", through={"batch_no": books_through}).select(CLOSED)
    return rows.join(void_invoices(lake, books_through), on="invoice_id", how="anti")


def refuse_forgotten(periods: pl.DataFrame) -> None:
    """Raise CatalogContradiction where a customer has an open period over hours that are final under a contract that is
    no longer in the catalog: which of their usage is billed cannot be told without it. `periods`: `started_periods`."""
    final = periods.filter(~pl.col("is_open"), pl.col("contract_position").is_null())
    others = periods.filter("is_open").select(
        "customer_id", other="contract_id", other_start="period_start", other_end="period_end"
    )
    both = final.join(others, on="customer_id").filter(
        pl.col("period_start") < pl.col("other_end"), pl.col("other_start") < pl.col("period_end")
    )
    if both.is_empty():
        return
    found = both.group_by("contract_id").agg(pl.col("other").unique().sort(), end=pl.col("period_end").max())
    named = "; ".join(
        f"{contract} is billed up to {end:%Y-%m-%d %H:%M} UTC, and {', '.join(other)} has an open period before that"
        for contract, other, end in found.sort("contract_id").rows()
    )
    raise CatalogContradiction(
        f"contracts with final invoices are not in the catalog: {named}. Put them back into the catalog (with an "
        "ending_before, if they are over), or let the other contracts start where they end"
    )


def regenerations(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain (invoice_contract_id, invoice_period_start): the regeneration number of the next invoice of it."""
    invoices = lake.scan("invoices", through={"batch_no": books_through})
    keys = {"invoice_contract_id": "contract_id", "invoice_period_start": "period_start"}
    return (
        invoices.filter(pl.col("invoice_type").is_in(OF_PERIODS))
        .select("regeneration", **keys)
        .group_by(list(keys))
        .agg(pl.col("regeneration").max() + 1)
    )


def void_invoices(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain invoice_id: those that were void once the batch `books_through` was written."""
    rows = lake.scan("invoice_events", through={"batch_no": books_through})
    return rows.filter(pl.col("event") == "VOIDED").select("invoice_id").unique()


def closed_rows(
    of_periods: pl.DataFrame, drafts: pl.DataFrame, final: pl.DataFrame, marks: Watermarks, month: str
) -> pl.DataFrame:
    """Rows of `closed_periods` of a batch: the periods on the invoices `final`, and those that are skipped by `month`.

    of_periods: every billed period with its invoice_id and issued_at; drafts: all invoices that were computed. A period
    without a draft is skipped by its contract's choice, and closed when its invoice would be final.
    """
    billed = of_periods.join(final.select("invoice_id"), on="invoice_id", how="semi")
    is_over = (pl.col("issued_at") <= pl.lit(marks.computed_as_of, dtype=TIMESTAMP)) & (pl.col("close_month") <= month)
    skipped = of_periods.filter(is_over).join(drafts.select("invoice_id"), on="invoice_id", how="anti")
    both = pl.concat([billed, skipped.with_columns(invoice_id=pl.lit(None, dtype=pl.String))])
    return both.with_columns(
        events_through=pl.lit(marks.events_through, dtype=pl.Int64), catalog_version=pl.lit(marks.catalog_version)
    ).select(CLOSED)
