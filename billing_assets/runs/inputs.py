"""What a computation reads: states and invoices up to its watermarks, for the periods that are open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets import __version__, metering
from billing_assets.catalog import Catalog, CatalogFrames, resolve
from billing_assets.charges import FEE
from billing_assets.charges.lines import CHARGE_KEY
from billing_assets.columns import TIMESTAMP
from billing_assets.commitments import ENTRY, dated_trueups, known_segments, recorded_segments
from billing_assets.invoicing.drafts import stands_for
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.money import zero
from billing_assets.periods import close_month
from billing_assets.pipeline import Books, Count, EventsAt, Hold, Inputs
from billing_assets.runs.decisions import decided, last_action, waived
from billing_assets.runs.invoiced import invoiced_references
from billing_assets.runs.periods import refuse_forgotten, started_periods, void_invoices
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

if TYPE_CHECKING:
    from billing_assets.pipeline.late import Late


LateOf = Callable[[pl.DataFrame, CatalogFrames], "Late | None"]
"""Late usage of the closed ones of some periods, and the catalog of today."""


def watermarks(lake: Lake, catalog: Catalog, now: datetime, ledger_through: int | None = None) -> Watermarks:
    """What a computation that begins now depends on; of the books, all that is committed if nothing else is said."""
    return Watermarks(
        events_through=lake.committed("ingest"),
        ledger_through=lake.committed("books") if ledger_through is None else ledger_through,
        actions_through=last_action(lake),
        catalog_version=catalog.version,
        computed_as_of=now,
        engine_version=__version__,
    )


def inputs(
    lake: Lake,
    catalog: Catalog,
    now: datetime,
    month: str | None = None,
    marks: Watermarks | None = None,
    only: pl.DataFrame | None = None,
    late: LateOf | None = None,
    unseen: pl.LazyFrame | None = None,
    aliases: pl.LazyFrame | None = None,
    spans: pl.DataFrame | None = None,
) -> Inputs:
    """Everything that `bill` needs for the open periods of `month` (None: of all months) as of `now`.

    Without `marks` everything committed is read. Usage is read from the first open period's start on. only: the periods
    to bill (contract_id, period_start), of those that are open; None: all that are asked for. late: what finds late
    usage of the periods (`late_usage`); None: none is asked for. unseen: references (customer_ref) and the ingest
    batch after which nothing of them counts (`seen_through`); None: all of all counts. aliases: whose references
    are (as `CatalogFrames.customer_aliases`); None: as the catalog says. spans: periods (CLOSED columns) that are
    open with these dates, whatever periods the catalog has over their hours; None: none. With either of these,
    usage is of who has its reference, whoever was billed for it.
    """
    events_through = marks.events_through if marks else lake.committed("ingest")
    books_through = marks.ledger_through if marks else lake.committed("books")
    actions_through = marks.actions_through if marks else last_action(lake)
    frames = with_known_segments(lake, resolve(catalog), books_through)
    frames = frames if aliases is None else replace(frames, customer_aliases=aliases)
    by_references = aliases is not None or spans is not None
    since = catalog.settings.starting_at
    periods = started_periods(lake, frames.contracts, since, now, books_through, spans)
    asked = pl.lit(value=True) if month is None else is_asked(lake, frames, month)
    if spans is None:
        refuse_forgotten(periods)
    periods = periods.with_columns(is_billed=pl.col("is_open") & asked)
    if only is not None:
        keys = only.select("contract_id", "period_start").with_columns(is_asked=pl.lit(value=True))
        periods = periods.join(keys, on=keys.columns[:2], how="left")
        periods = periods.with_columns(pl.col("is_billed") & pl.col("is_asked").fill_null(value=False)).drop("is_asked")
    thresholds = lake.collect(frames.thresholds.select("pool").unique())["pool"]
    is_watched = pl.col("is_open") & pl.col("pool").is_in(thresholds.implode())
    first = _first_day(periods.filter(pl.col("is_billed") | is_watched), month, now)
    read = {"ingest_batch": events_through}
    # Charges are placed on the invoice of any open period, also of one that ended before the usage that is read.
    near = periods.filter((pl.col("period_end") > first) | pl.col("is_open")).lazy()
    states, values, past = (
        frame if unseen is None else without(frame, unseen)
        for frame in (
            lake.scan("usage_states", pl.col("usage_date") >= first.date(), through=read),
            lake.scan("usage_values", pl.col("usage_date") >= first.date(), through=read),
            earlier_levels(lake, catalog, first.date(), read),
        )
    )
    return Inputs(
        catalog=catalog,
        frames=frames,
        periods=near,
        invoiced=None if by_references else invoiced_references(lake, frames, near, books_through),
        states=states,
        values=values,
        past=metering.history(past),
        events=events_at(lake, read, unseen),
        billed_charges=billed_charges(lake, books_through),
        fees=fees(lake, books_through),
        scheduled=scheduled_invoices(lake, books_through),
        voided=unreplaced(lake, books_through),
        decided=decided(lake, actions_through),
        waived=waived(lake, actions_through),
        late=None if late is None else late(periods, frames),
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


def with_known_segments(lake: Lake, frames: CatalogFrames, books_through: int) -> CatalogFrames:
    """`frames` with the access segments of schedules under the names that the ledger has for them (`known_segments`);
    as they are where no item was put before one that is granted, or taken away. A POSTPAID commit has one segment."""
    several = frames.access_segments.filter(pl.col("balance_type") != "POSTPAID")
    ledger = lake.scan("ledger_entries", through={"batch_no": books_through}).select(*ENTRY)
    recorded = recorded_segments(ledger.join(several.select("balance_id").unique(), on="balance_id", how="semi"))
    same = ["segment_id", "starting_at"]
    odd = lake.collect(recorded.join(several.select(same), on=same, how="anti").select("balance_id").unique())
    if odd.is_empty():
        return frames
    moved = several.join(odd.lazy(), on="balance_id", how="semi")
    named = known_segments(moved, recorded.join(odd.lazy(), on="balance_id", how="semi"))
    others = frames.access_segments.join(odd.lazy(), on="balance_id", how="anti")
    columns = others.collect_schema().names()
    return replace(frames, access_segments=lake.collect(pl.concat([others, named.select(columns)])).lazy())


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


def open_trueups(lake: Lake, frames: CatalogFrames, now: datetime, books_through: int) -> pl.LazyFrame:
    """Grain POSTPAID commit that has ended by `now` and is not settled: close_month and dated_at of its true-up."""
    rows = lake.scan("ledger_entries", through={"batch_no": books_through})
    left = rows.group_by("segment_id").agg(left=pl.col("amount").sum())
    return (
        dated_trueups(frames.trueup_terms, rows)
        .filter(pl.col("dated_at") <= pl.lit(now, dtype=TIMESTAMP))
        .join(left, on="segment_id", how="left")
        .filter(pl.col("left").is_null() | (pl.col("left") != zero()))
        .select("dated_at", close_month=close_month(pl.col("dated_at")))
    )


def billed_charges(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain (CHARGE_KEY, amount): how many charges of schedules and purchases invoices have that are not void."""
    lines = charge_lines(lake, ("scheduled", "commit_purchase"), books_through)
    return lines.group_by(*CHARGE_KEY, "amount").agg(billed=pl.len())


def fees(lake: Lake, books_through: int) -> pl.LazyFrame:
    """FEE rows: the seats of subscriptions that invoices charge which are not void. A charge may be split into what
    balances cover and what they do not."""
    lines = charge_lines(lake, ("subscription",), books_through)
    spans = {"period_start": "service_period_start", "period_end": "service_period_end"}
    return (
        lines.select("contract_id", "subscription_id", "starting_at", "quantity", **spans)
        .group_by(name for name in FEE if name != "quantity")
        .agg(pl.col("quantity").sum())
        .select(*FEE)
    )


def charge_lines(lake: Lake, line_types: tuple[str, ...], books_through: int) -> pl.LazyFrame:
    """Lines of invoices that are not void, with the contract that they come from as contract_id."""
    lines = lake.scan("line_items", pl.col("line_type").is_in(line_types), through={"batch_no": books_through})
    standing = lines.join(void_invoices(lake, books_through), on="invoice_id", how="anti")
    return standing.with_columns(contract_id="origin_contract_id")


def unreplaced(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Void invoices without a replacement, by VOID."""
    events = lake.scan("invoice_events", through={"batch_no": books_through})
    replaced = events.filter(pl.col("event") == "REGENERATED").select("invoice_id")
    void = void_invoices(lake, books_through).join(replaced, on="invoice_id", how="anti")
    lines = lake.scan("line_items", pl.col("line_type") == "trueup", through={"batch_no": books_through})
    invoices = (
        lake.scan("invoices", through={"batch_no": books_through})
        .join(void, on="invoice_id", how="semi")
        .join(lines.select("invoice_id", "segment_id"), on="invoice_id", how="left")
    )
    return invoices.select("contract_id", stands_for=stands_for(), replaces_invoice_id="invoice_id")


def scheduled_invoices(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain invoice: contract_id, charged_at and regeneration of every SCHEDULED invoice, void ones too."""
    return (
        lake.scan("invoices", through={"batch_no": books_through})
        .filter(pl.col("invoice_type") == "SCHEDULED")
        .select("contract_id", "regeneration", charged_at="issued_at")
    )


def without(rows: pl.LazyFrame, unseen: pl.LazyFrame) -> pl.LazyFrame:
    """`rows` of references without those of a later batch than their `seen_through`."""
    known = rows.join(unseen.select("customer_ref", "seen_through"), on="customer_ref", how="left")
    seen = pl.col("seen_through").is_null() | (pl.col("ingest_batch") <= pl.col("seen_through"))
    return known.filter(seen).drop("seen_through")


def earlier_levels(lake: Lake, catalog: Catalog, first: date, read: Mapping[str, int]) -> pl.LazyFrame:
    """States before `first` of the measures that keep a level, all that were ever made."""
    kept = [one.measure_id for one in metering.compile_measures(catalog.billable_metrics) if metering.keeps_level(one)]
    if not kept:
        return TABLES["usage_states"].empty()
    earlier = (pl.col("usage_date") < first) & pl.col("measure_id").is_in(kept)
    return lake.scan("usage_states", earlier, through=read)


def events_at(lake: Lake, through: Mapping[str, int], unseen: pl.LazyFrame | None = None) -> EventsAt:
    """Events of some places; references and days as literals skip whole files and most of what is in the others."""

    def read(places: pl.LazyFrame) -> pl.LazyFrame:
        found = lake.collect(places)
        if found.is_empty():
            return TABLES["events"].empty()
        of_places = pl.col("event_date").is_in(found["usage_date"].unique().to_list())
        of_places &= pl.col("customer_ref").is_in(found["customer_ref"].unique().to_list())
        rows = lake.scan("events", of_places, through=through).select(SAMPLED)
        return rows if unseen is None else without(rows, unseen)

    return read


SAMPLED = ("event_date", "customer_ref", "transaction_id", "event_type", "timestamp", "properties", "ingest_batch")
"""Columns of events that a list of unbilled usage is made of."""


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
