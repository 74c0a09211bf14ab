"""Rate a month into its working tables, and refresh the drafts of every open period.

Both compute the same function as a close, `pipeline.bill`, over what is committed; they write what may be replaced.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets import __version__
from billing_assets.catalog import Catalog
from billing_assets.errors import Overtaken
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.metering.dispositions import MOVED
from billing_assets.metering.grain import LATE
from billing_assets.pipeline import Bill, Hold, bill, month_after
from billing_assets.runs import months
from billing_assets.runs.inputs import counting, holding, inputs, sealed_months, watermarks
from billing_assets.runs.invoiced import CLAIM, carried_references
from billing_assets.runs.late_usage import open_inputs
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.periods import closed_periods, started_periods
from billing_assets.runs.reports import DraftReport, RateReport
from billing_assets.runs.tables import as_table
from billing_assets.runs.variances import other_variances
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake


@naming_overflows
def rate_month(lake: Lake, catalog: Catalog, month: str, now: datetime) -> RateReport:
    """Write the month's slices of rated_lines, usage and unbilled_usage for the periods that are still open.

    Rows of periods that are final stay as they were when they were finalized. Which periods are final is asked once,
    before anything is computed: where another close has finalized some meanwhile, all of it is computed again. Earlier
    months that are finalized with this one, since they draw on a balance first, are written before it.
    """
    while True:
        marks = watermarks(lake, catalog, now)
        try:
            for earlier in months_before(lake, catalog, month, marks):
                _rate_month(lake, catalog, earlier, marks)
            return _rate_month(lake, catalog, month, marks)
        except Overtaken:
            continue


def months_before(lake: Lake, catalog: Catalog, month: str, marks: Watermarks) -> list[str]:
    """Earlier months with open periods that are computed with a month."""
    periods = inputs(lake, catalog, marks.computed_as_of, month, marks).periods
    earlier = periods.filter("is_billed", pl.col("close_month") < month)
    return lake.collect(earlier.select(pl.col("close_month").unique().sort()))["close_month"].to_list()


def _rate_month(lake: Lake, catalog: Catalog, month: str, marks: Watermarks) -> RateReport:
    now = marks.computed_as_of
    asked = months.question(lake, catalog, month, now, marks)
    given = open_inputs(lake, catalog, now, month, marks)
    billed = bill(given, holding(lake), counting(lake))
    computed = lake.collect_all(billed.frames())
    kept = {name: computed[name] for name in months.OF_BOOKS}
    months.keep(asked, months.Month(**kept, settled=billed.settled))
    drafts = computed["invoices"].filter(pl.col("close_month") == month)
    of_month = lake.collect(given.periods.filter(pl.col("close_month") == month).select("contract_id", "period_start"))
    lines = (
        computed["rated_lines"]
        .join(of_month, on=["contract_id", "period_start"], how="semi")
        .with_columns(
            month=pl.lit(month),
            catalog_version=pl.lit(catalog.version),
            events_through=pl.lit(marks.events_through, dtype=pl.Int64),
            rated_as_of=pl.lit(now),
        )
    )
    usage, unbilled = computed["usage"].filter(pl.col("month") == month), computed["unbilled"]
    final = closed_periods(lake, marks.ledger_through).select("contract_id", "period_start")
    for table, rows in (("rated_lines", lines), ("usage", usage), ("unbilled_usage", unbilled)):
        replace_open(lake, table, rows, month, final, marks)
    return RateReport(
        month=month,
        lines=lines.height,
        invoices=drafts.height,
        usage_rows=usage.height,
        unbilled_rows=unbilled.height,
        totals=totals(drafts, "currency"),
        unrated=computed["unrated"],
        unbilled=by_disposition(unbilled),
    )


def replace_open(
    lake: Lake, table: str, computed: pl.DataFrame, month: str, final: pl.LazyFrame, marks: Watermarks
) -> None:
    """Make `computed` the month's rows of `table`, beside the stored ones of the `final` contract periods.

    `computed` has no rows of those, but for all of their late usage. Stored rows that repeat a key are kept once.
    The instant of the computation does not count as a difference: a repeated run writes nothing.
    Raises Overtaken, with nothing written, if the books went on since the watermarks.
    """
    spec = TABLES[table]
    kept = lake.scan(table).filter(pl.col("month") == month).join(final, on=["contract_id", "period_start"], how="semi")
    if "disposition" in spec.columns:
        kept = kept.filter(pl.col("disposition") != LATE)
    once = kept.sort(pl.all()).unique(subset=list(spec.sort_keys), keep="first", maintain_order=True)
    fresh = spec.complete(computed.lazy()).select(*spec.columns)
    rows = lake.collect(pl.concat([once, fresh], how="diagonal_relaxed"))

    def is_current() -> bool:
        return lake.committed("books") == marks.ledger_through

    ignored = [name for name in WHEN if name in rows.columns]
    lake.replace_slice(table, rows, {"month": month}, ignoring=ignored, provided=is_current)


def forget_billed(lake: Lake, closed: pl.DataFrame, batch_no: int) -> None:
    """Take off the lists of unbilled usage what is late no more: of the periods of which late usage was just billed.

    `closed`: the rows of `closed_periods` of the batch. Usage that is late since its reference moved is billed where an
    action carries it, and stays elsewhere.
    """
    late = closed.filter("is_late").with_columns(batch_no=pl.lit(batch_no, dtype=pl.Int64))
    billed = late.select("close_month", "contract_id", "period_start")
    moved = lake.collect(carried_references(lake, late.lazy())).lazy()
    for (month,), periods in billed.group_by("close_month", maintain_order=True):
        rows = lake.scan("unbilled_usage").filter(pl.col("month") == month)
        listed = rows.filter(pl.col("disposition") == LATE)
        has_moved = pl.col("reason").eq_missing(pl.lit(MOVED))
        came = listed.filter(~has_moved).join(periods.lazy(), on=["contract_id", "period_start"], how="semi")
        gone = pl.concat([came, listed.filter(has_moved).join(moved, on=list(CLAIM), how="semi")])
        kept = lake.collect(rows.join(gone, on=list(TABLES["unbilled_usage"].sort_keys), how="anti", nulls_equal=True))
        lake.replace_slice("unbilled_usage", kept, {"month": str(month)})


WHEN = ("rated_as_of", "events_through")
"""Columns that say when a working row was computed, not what."""


@naming_overflows
def refresh_drafts(lake: Lake, catalog: Catalog, now: datetime) -> DraftReport:
    """Overwrite the drafts: every open period as of `now`, whatever month it ends in.

    Computed again where another close has finalized some of them meanwhile.
    """
    while True:
        marks = watermarks(lake, catalog, now)

        def is_current(seen: int = marks.ledger_through) -> bool:
            return lake.committed("books") == seen

        tables = draft(lake, catalog, now, marks)
        try:
            for table, rows in tables.items():
                lake.overwrite(table, rows, provided=is_current)
        except Overtaken:
            continue
        invoices = tables["draft_invoices"]
        return DraftReport(
            invoices.height, tables["draft_line_items"].height, totals(invoices, "close_month", "currency")
        )


@naming_overflows
def draft(lake: Lake, catalog: Catalog, now: datetime, marks: Watermarks | None = None) -> dict[str, pl.DataFrame]:
    """As of `now`, computed without writing: draft_invoices, draft_line_items, invoice_variances,
    pending_ledger_entries and balances, by the name of their table and as it would have them."""
    marks = marks or watermarks(lake, catalog, now)
    given = open_inputs(lake, catalog, now, marks=marks)
    billed = bill(given, holding(lake), counting(lake))
    late = TABLES["invoice_variances"].empty() if given.late is None else given.late.variances
    since, contracts = catalog.settings.starting_at, given.frames.contracts
    periods = started_periods(lake, contracts, since, now, marks.ledger_through)
    others = other_variances(lake, catalog, given.frames, periods, marks)
    variances = pl.concat([late.select(others.collect_schema().names()), others])
    seen = {
        "computed_as_of": pl.lit(now),
        "events_through": pl.lit(marks.events_through, dtype=pl.Int64),
        "catalog_version": pl.lit(catalog.version),
        "engine_version": pl.lit(__version__),
    }
    invoices = billed.invoices.with_columns(**seen, issuing_entity=pl.lit(catalog.settings.issuing_entity)).drop(
        "events_through_right", strict=False
    )
    held = billed.invoices.select("invoice_id", "hold_reasons")
    tables = {
        "draft_invoices": invoices,
        "draft_line_items": billed.line_items.join(held, on="invoice_id"),
        "invoice_variances": variances,
        **of_balances(billed, now, sealed_months(lake, marks.ledger_through), holding(lake)),
    }
    return lake.collect_all({table: as_table(table, frame) for table, frame in tables.items()})


def of_balances(billed: Bill, now: datetime, sealed: tuple[str, ...], hold: Hold) -> dict[str, pl.LazyFrame]:
    """What is left of every balance, and the rows that its drafts would write if all of them became final now."""
    if billed.settled is None:
        return {table: TABLES[table].empty() for table in ("pending_ledger_entries", "balances")}
    pending = hold(billed.settled.entries(billed.invoices, month_after(now), f"{now:%Y-%m}", sealed))
    return {"pending_ledger_entries": pending, "balances": billed.settled.table(pending)}


def by_disposition(unbilled: pl.DataFrame) -> pl.DataFrame:
    """Unbilled events per disposition and metric."""
    keys = ["disposition", "billable_metric_id"]
    return unbilled.group_by(keys).agg(events=pl.col("event_count").sum()).sort(keys)


def totals(invoices: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Invoices and their exact total per combination of `keys`."""
    frame = invoices.lazy().group_by(keys).agg(invoices=pl.len(), total=pl.col("total").sum())
    return frame.sort(keys).collect()
