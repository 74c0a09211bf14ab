"""What a computation reads: states and invoices up to its watermarks, for the periods that are open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import polars as pl

from billing_assets import __version__, metering
from billing_assets.catalog import Catalog, CatalogFrames, resolve
from billing_assets.charges.lines import CHARGE_KEY
from billing_assets.columns import TIMESTAMP
from billing_assets.commitments import ENTRY
from billing_assets.invoicing.consolidation import OF_PERIODS, on_invoices
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.money import zero
from billing_assets.periods import billing_periods, close_month
from billing_assets.pipeline import Books, Count, EventsAt, Hold, Inputs
from billing_assets.runs.invoiced import invoiced_references
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake


def watermarks(lake: Lake, catalog: Catalog, now: datetime, ledger_through: int | None = None) -> Watermarks:
    """What a computation that begins now depends on; of the books, all that is committed if nothing else is said."""
    return Watermarks(
        events_through=lake.committed("ingest"),
        ledger_through=lake.committed("books") if ledger_through is None else ledger_through,
        actions_through=0,
        catalog_version=catalog.version,
        computed_as_of=now,
        engine_version=__version__,
    )


def inputs(
    lake: Lake, catalog: Catalog, now: datetime, month: str | None = None, marks: Watermarks | None = None
) -> Inputs:
    """Everything that `bill` needs for the open periods of `month` (None: of all months) as of `now`.

    Without `marks` everything committed is read. Usage is read from the first open period's start on.
    """
    events_through = marks.events_through if marks else lake.committed("ingest")
    books_through = marks.ledger_through if marks else lake.committed("books")
    frames = resolve(catalog)
    periods = lake.collect(started_periods(lake, frames.contracts, catalog.settings.starting_at, now, books_through))
    asked = pl.lit(value=True) if month is None else is_asked(lake, frames, month)
    periods = periods.with_columns(is_billed=pl.col("is_open") & asked)
    thresholds = lake.collect(frames.thresholds.select("pool").unique())["pool"]
    is_watched = pl.col("is_open") & pl.col("pool").is_in(thresholds.implode())
    first = _first_day(periods.filter(pl.col("is_billed") | is_watched), month, now)
    read = {"ingest_batch": events_through}
    # Charges are placed on the invoice of any open period, also of one that ended before the usage that is read.
    near = periods.filter((pl.col("period_end") > first) | pl.col("is_open")).lazy()
    return Inputs(
        catalog=catalog,
        frames=frames,
        periods=near,
        invoiced=invoiced_references(lake, frames, near, books_through),
        states=lake.scan("usage_states", pl.col("usage_date") >= first.date(), through=read),
        values=lake.scan("usage_values", pl.col("usage_date") >= first.date(), through=read),
        past=past_levels(lake, catalog, first.date(), read),
        events=events_at(lake, read),
        billed_charges=billed_charges(lake, books_through),
        scheduled=scheduled_invoices(lake, books_through),
        books=books(lake, frames, periods.lazy(), books_through),
        sealed_months=sealed_months(lake, books_through),
        month=month,
        now=now,
    )


def holding(lake: Lake) -> Hold:
    """Hold a frame in memory."""
    return lambda frame: lake.collect(frame).lazy()


def counting(lake: Lake) -> Count:
    """The number in a frame of one row and column."""
    return lambda frame: int(lake.collect(frame).item())


def is_asked(lake: Lake, frames: CatalogFrames, month: str) -> pl.Expr:
    """Whether a period is of `month`, or of one before it in a pool of balances, which its invoice draws on first."""
    balances = (frames.access_segments, frames.recurring_balances, frames.thresholds)
    pools = lake.collect(pl.concat([frame.select("pool") for frame in balances]).unique())["pool"]
    earlier = (pl.col("close_month") < month) & pl.col("pool").is_in(pools.implode())
    return (pl.col("close_month") == month) | earlier


def books(lake: Lake, frames: CatalogFrames, periods: pl.LazyFrame, books_through: int) -> Books:
    """The ledger, when the invoices of final periods were issued, and what thresholds have bought on final invoices."""
    final = periods.filter(~pl.col("is_open"))
    return Books(
        ledger=lake.scan("ledger_entries", through={"batch_no": books_through}).select(*ENTRY),
        final_usage=final.select("contract_id", "period_start", issued_at="final_issued_at"),
        purchases=purchases(lake, frames, books_through),
    )


def purchases(lake: Lake, frames: CatalogFrames, books_through: int) -> pl.LazyFrame:
    """PURCHASE rows: what thresholds have bought on invoices that are not void. A line has units as its quantity, and
    money before a discount as its list amount."""
    through = {"batch_no": books_through}
    granted = pl.when("in_units").then("quantity").otherwise("list_amount")
    return (
        lake.scan("line_items", pl.col("line_type") == "commit_purchase", through=through)
        .join(void_invoices(lake, books_through), on="invoice_id", how="anti")
        .join(frames.thresholds.select("in_units", balance_id="commit_id"), on="balance_id")
        .sort("balance_id", "starting_at", "line_item_id")
        .select(commit_id="balance_id", bought_at="starting_at", amount=granted)
    )


def void_invoices(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain invoice_id."""
    invoices = lake.scan("invoices", through={"batch_no": books_through})
    return invoices.filter(pl.col("status") == "VOID").select("invoice_id")


def open_trueups(lake: Lake, frames: CatalogFrames, now: datetime, books_through: int) -> pl.LazyFrame:
    """Grain POSTPAID commit that has ended by `now` and is not settled: close_month and dated_at of its true-up."""
    rows = lake.scan("ledger_entries", through={"batch_no": books_through}).group_by("segment_id")
    left = rows.agg(left=pl.col("amount").sum())
    return (
        frames.trueup_terms.filter(pl.col("dated_at") <= pl.lit(now, dtype=TIMESTAMP))
        .join(left, on="segment_id", how="left")
        .filter(pl.col("left").is_null() | (pl.col("left") != zero()))
        .select("dated_at", close_month=close_month(pl.col("dated_at")))
    )


def billed_charges(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain CHARGE_KEY: how many charges of subscriptions, schedules and purchases invoices have that are not void."""
    through = {"batch_no": books_through}
    is_subscription = pl.col("line_type") == "subscription"
    return (
        lake.scan(
            "line_items", pl.col("line_type").is_in(["subscription", "scheduled", "commit_purchase"]), through=through
        )
        .join(void_invoices(lake, books_through), on="invoice_id", how="anti")
        # A subscription's charge may be split into what balances cover and what they do not.
        .with_columns(balance_id=pl.when(~is_subscription).then("balance_id"))
        .with_columns(contract_id="origin_contract_id")
        .group_by(CHARGE_KEY)
        .agg(billed=pl.when(is_subscription.first()).then(pl.lit(1, dtype=pl.UInt32)).otherwise(pl.len()))
    )


def scheduled_invoices(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain invoice: contract_id, charged_at and regeneration of every SCHEDULED invoice, void ones too."""
    return (
        lake.scan("invoices", through={"batch_no": books_through})
        .filter(pl.col("invoice_type") == "SCHEDULED")
        .select("contract_id", "regeneration", charged_at="issued_at")
    )


def past_levels(lake: Lake, catalog: Catalog, first: date, read: Mapping[str, int]) -> pl.LazyFrame:
    """What levels had come to before `first`: of the measures that keep one, all states ever made, merged."""
    kept = [one.measure_id for one in metering.compile_measures(catalog.billable_metrics) if metering.keeps_level(one)]
    if not kept:
        return metering.history(TABLES["usage_states"].empty())
    earlier = (pl.col("usage_date") < first) & pl.col("measure_id").is_in(kept)
    return metering.history(lake.scan("usage_states", earlier, through=read))


def events_at(lake: Lake, through: Mapping[str, int]) -> EventsAt:
    """Events of some places; references and days as literals skip whole files and most of what is in the others."""

    def read(places: pl.LazyFrame) -> pl.LazyFrame:
        found = lake.collect(places)
        if found.is_empty():
            return TABLES["events"].empty()
        of_places = pl.col("event_date").is_in(found["usage_date"].unique().implode())
        of_places &= pl.col("customer_ref").is_in(found["customer_ref"].unique().implode())
        return lake.scan("events", of_places, through=through).select(SAMPLED)

    return read


SAMPLED = ("event_date", "customer_ref", "transaction_id", "event_type", "timestamp", "properties", "ingest_batch")
"""Columns of events that a list of unbilled usage is made of."""


def started_periods(
    lake: Lake, contracts: pl.LazyFrame, since: datetime, now: datetime, books_through: int
) -> pl.LazyFrame:
    """One row per (contract, billing period) that has started by `now`, with its close month and whether it is open.

    A period is closed by the invoice that it is on, unless that is void, and where its contract skips zero invoices, by
    the seal of its month.
    """
    through = {"batch_no": books_through}
    closed = (
        lake.scan("invoices", through=through)
        .filter(pl.col("invoice_type").is_in(OF_PERIODS), pl.col("status") != "VOID")
        .select(
            "events_through",
            invoice_contract_id="contract_id",
            invoice_period_start="period_start",
            final_issued_at="issued_at",
        )
    )
    seals = lake.scan("month_closes", through=through).select("close_month", seal_through="events_through")
    # A skipped period has no invoice to say what it has seen; the seal of its month says it.
    seen = pl.coalesce("events_through", pl.when("skip_zero_invoices").then("seal_through"))
    return (
        billing_periods(contracts.rename({"late_usage": "late_usage_policy"}), since, now + timedelta(microseconds=1))
        .pipe(on_invoices)
        .with_columns(close_month=close_month(pl.col("invoice_period_end")))
        .join(closed, on=["invoice_contract_id", "invoice_period_start"], how="left")
        .join(seals, on="close_month", how="left")
        .with_columns(events_through=seen)
        .with_columns(is_open=pl.col("events_through").is_null())
        .drop("seal_through")
    )


def sealed_months(lake: Lake, books_through: int | None = None) -> tuple[str, ...]:
    """The months that are sealed, in order."""
    through = None if books_through is None else {"batch_no": books_through}
    months = lake.scan("month_closes", through=through).select("close_month").sort("close_month")
    return tuple(lake.collect(months)["close_month"])


def _first_day(billed: pl.DataFrame, month: str | None, now: datetime) -> datetime:
    """The first instant of usage to read: of the open periods, and of the month for usage without a contract."""
    starts = [billed["period_start"].min()] if billed.height else []
    starts.append(datetime.strptime(month, "%Y-%m").replace(tzinfo=now.tzinfo) if month else now)
    return min(start for start in starts if isinstance(start, datetime))
