"""Which billing periods there are: what is closed, as it was recorded, and by the catalog the time that is left.

A close records the periods that it bills or skips in `closed_periods`. An edit that moves a contract's periods, by its
dates, its frequency or its anchor, therefore moves only what no final invoice has (docs/semantics.md, Periods).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.errors import CatalogContradiction
from billing_assets.invoicing.consolidation import OF_PERIODS, on_invoices
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.periods import billing_periods, close_month, uncovered
from billing_assets.storage.lake import Lake

CLOSED = (
    *("contract_id", "customer_id", "period_start", "period_end", "full_start", "full_end"),
    *("close_month", "invoice_id", "issued_at", "events_through", "is_late", "catalog_version"),
)

SPAN = ("period_start", "period_end", "full_start", "full_end")


def started_periods(
    lake: Lake,
    contracts: pl.LazyFrame,
    since: datetime,
    now: datetime,
    books_through: int,
    spans: pl.DataFrame | None = None,
    of: pl.Expr | None = None,
) -> pl.DataFrame:
    """One row per (contract, billing period) that has started by `now`, with its close month and whether it is open.

    Closed ones have their recorded dates and `events_through`, and of their contract what the catalog says now, which
    may be nothing; final_invoice_id, final_issued_at, final_catalog_version and final_batch_no are of their
    invoice; billed_through is what it has seen, without late usage billed since. Open ones are on an invoice
    (`on_invoices`) with its `regeneration`: 0, and one more for each invoice of that start that is void. spans: open
    periods of these dates (contract_id, period_start, period_end, full_start, full_end), in place of those that the
    catalog has over their hours. of: the closed periods to look at, of the contracts that are asked about; None: all.
    """

    def held(frame: pl.LazyFrame) -> pl.LazyFrame:
        return lake.collect(frame).lazy()  # each step reads the one before it several times

    terms = held(contracts.rename({"late_usage": "late_usage_policy"}))
    closed = held(closed_periods(lake, books_through, of))
    by_catalog = held(billing_periods(terms, since, now + timedelta(microseconds=1)))
    if spans is not None:
        given = spans.lazy().select("contract_id", *SPAN).join(terms, on="contract_id")
        apart = uncovered(by_catalog, spans.lazy(), ("contract_id",))
        by_catalog = held(pl.concat([apart, given], how="diagonal"))
    still_open = (
        held(uncovered(by_catalog, closed, ("contract_id",)))
        .pipe(on_invoices)
        .join(regenerations(lake, books_through), on=["invoice_contract_id", "invoice_period_start"], how="left")
        .with_columns(
            pl.col("regeneration").fill_null(0),
            close_month=close_month(pl.col("invoice_period_end")),
            is_open=pl.lit(value=True),
        )
    )
    of_invoice = ("invoice_id", "issued_at", "catalog_version", "batch_no")
    recorded = closed.drop("is_late").rename({name: f"final_{name}" for name in of_invoice})
    over = recorded.join(terms.drop("customer_id"), on="contract_id", how="left").with_columns(
        is_open=pl.lit(value=False)
    )
    return lake.collect(pl.concat([still_open, over], how="diagonal"))


def closed_periods(lake: Lake, books_through: int, of: pl.Expr | None = None) -> pl.LazyFrame:
    """Grain (contract, billing period): CLOSED and batch_no, of periods billed by an invoice that stands, or skipped.

    events_through counts late usage that is billed, too; billed_through does not. Late usage that a void invoice had
    billed is to be billed again: what later ones had billed beside it, up to the void, does not count either. of: those
    to look at, all of a contract or none; None: all.
    """
    rows, period = counting_rows(lake, books_through, of), ["contract_id", "period_start"]
    late = rows.filter("is_late").group_by(period).agg(late_through=pl.col("events_through").max())
    return (
        rows.filter(~pl.col("is_late"))
        .join(late, on=period, how="left")
        .with_columns(
            billed_through="events_through", events_through=pl.max_horizontal("events_through", "late_through")
        )
        .drop("late_through")
    )


def counting_rows(lake: Lake, books_through: int, of: pl.Expr | None = None) -> pl.LazyFrame:
    """Rows of `closed_periods` (CLOSED and batch_no) that count: of invoices that stand, of periods that are skipped,
    and of late usage that is still billed."""
    asked = () if of is None else (of,)
    rows = lake.scan("closed_periods", *asked, through={"batch_no": books_through}).select(*CLOSED, "batch_no")
    standing = rows.join(void_invoices(lake, books_through), on="invoice_id", how="anti")
    period = ["contract_id", "period_start"]
    voids = lake.scan("invoice_events", through={"batch_no": books_through}).filter(pl.col("event") == "VOIDED")
    undone = rows.filter("is_late").join(voids.select("invoice_id", voided_in="batch_no"), on="invoice_id")
    between = (
        standing.filter("is_late")
        .join(undone.select(*period, "voided_in", undone_in="batch_no"), on=period)
        .filter(pl.col("batch_no") > pl.col("undone_in"), pl.col("batch_no") < pl.col("voided_in"))
    )
    counting = standing.filter("is_late").join(between, on=[*period, "batch_no"], how="anti")
    return pl.concat([standing.filter(~pl.col("is_late")), counting])


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


class Computed(Protocol):
    """What the closed periods of a batch are made from (`months.Month`)."""

    @property
    def of_periods(self) -> pl.DataFrame:
        """Every billed period with its invoice_id and issued_at."""

    @property
    def invoices(self) -> pl.DataFrame:
        """All invoices that were computed."""

    @property
    def late(self) -> pl.DataFrame:
        """Closed periods of which late usage is billed with these invoices (`pipeline.late.Placed`)."""


def closed_rows(computed: Computed, final: pl.DataFrame, marks: Watermarks, month: str) -> pl.DataFrame:
    """Rows of `closed_periods` of a batch: the periods on the invoices `final`, those that are skipped by `month`, and
    those of which these invoices bill late usage, or of which it changes nothing.

    A period without a draft is skipped by its contract's choice, and closed when its invoice would be final.
    """
    of_periods, absent = computed.of_periods, pl.lit(None, dtype=pl.String)
    billed = of_periods.join(final.select("invoice_id"), on="invoice_id", how="semi")
    is_over = (pl.col("issued_at") <= pl.lit(marks.computed_as_of, dtype=TIMESTAMP)) & (pl.col("close_month") <= month)
    drafts = computed.invoices.select("invoice_id")
    skipped = of_periods.filter(is_over).join(drafts, on="invoice_id", how="anti").with_columns(invoice_id=absent)
    is_carried = pl.col("invoice_id").is_null() | pl.col("invoice_id").is_in(final["invoice_id"].implode())
    late = computed.late.filter(is_carried).rename({"final_issued_at": "issued_at"})
    own = pl.concat([billed, skipped]).with_columns(is_late=pl.lit(value=False))
    both = pl.concat([own, late.with_columns(is_late=pl.lit(value=True))], how="diagonal")
    return both.with_columns(
        events_through=pl.lit(marks.events_through, dtype=pl.Int64), catalog_version=pl.lit(marks.catalog_version)
    ).select(CLOSED)
