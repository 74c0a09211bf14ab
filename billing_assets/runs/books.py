"""A batch of the books: what is due becomes final, months of which nothing is open are sealed; all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import polars as pl

from billing_assets.catalog import Catalog, resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.commitments import TRUEUP
from billing_assets.errors import InvariantBreach
from billing_assets.invoicing.drafts import NOT_HELD
from billing_assets.invoicing.finalize import Watermarks, due, events_of, numbered, replacement, stamped
from billing_assets.pipeline import Inputs, charging_terms, month_after, open_scheduled, with_purchases
from billing_assets.pipeline.late import correcting_month
from billing_assets.reconcile import gate, ledger_gate
from billing_assets.runs import batches, lifecycle, manual_entries, manual_holds
from billing_assets.runs.billing import forget_billed, totals
from billing_assets.runs.catalogs import keep_version, needed
from billing_assets.runs.inputs import (
    counting,
    holding,
    open_trueups,
    sealed_months,
    watermarks,
)
from billing_assets.runs.late import late_months
from billing_assets.runs.late_usage import open_inputs
from billing_assets.runs.months import Month, month_of
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.periods import closed_periods, closed_rows, started_periods
from billing_assets.runs.reports import FinalizeReport
from billing_assets.runs.seals import months_between, months_to_seal, seals
from billing_assets.runs.tables import as_table
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

SEQUENCE = "books"
WRITTEN = ("invoices", "ledger_entries", "closed_periods", "month_closes")
"""A batch that would put nothing into any of these is not written."""
TOP_CUSTOMERS = 10


@dataclass(frozen=True, slots=True)
class Books:
    """What one batch will write, the month's drafts that it was chosen from, and what its gates found."""

    rows: Mapping[str, pl.DataFrame]
    drafts: pl.DataFrame
    discrepancies: Mapping[str, pl.DataFrame]

    @property
    def is_empty(self) -> bool:
        return all(self.rows[name].is_empty() for name in WRITTEN)


@naming_overflows
def finalize(lake: Lake, catalog: Catalog, month: str, now: datetime, by: str) -> FinalizeReport:
    """One batch: finalize what is due and not held of `month`, and seal every month up to it that nothing is open of.

    Raises InvariantBreach, before the first table is touched, if a gate finds a discrepancy; the rows that break it are
    in `check_failures` then. A batch that was killed earlier is finished first, from its own intent.
    """
    proposed: dict[int, Books] = {}
    apply_decisions(lake, by, now)

    def propose(batch_no: int) -> dict[str, Any] | None:
        marks = watermarks(lake, catalog, now, batch_no - 1)
        books = proposed[batch_no] = books_of(lake, catalog, marks, month, by)
        if books.is_empty:
            return None
        keep_version(lake, catalog, now)  # before the intent that names it: whoever finishes the batch reads it there
        listed = {"unbilled": dict(books.rows["month_closes"].select("close_month", "unbilled").rows())}
        return {"kind": "close", "month": month, "by": by, **encoded(marks), **listed}

    def finish(batch: batches.Batch) -> None:
        own = None if batch.is_resumed else proposed.get(batch.batch_no)
        if own is None:
            finish_from_intent(batch)
        else:
            write(batch, own, now)

    batch = batches.run(lake, SEQUENCE, propose, finish, clock=lambda: now, by=by)
    if batch is not None:
        forget_billed(lake, proposed[max(proposed)].rows["closed_periods"], batch.batch_no)
    return report(month, None if batch is None else batch.batch_no, proposed[max(proposed)], now)


def apply_decisions(lake: Lake, by: str, now: datetime) -> list[int]:
    """Write what actions decided that has no rows yet, one batch of a kind: entries of adjustments, events of holds and
    releases; the numbers of the batches.

    An action that was recorded by a process that was killed before its batch is applied by whoever comes next.
    """
    kinds = {manual_entries.KIND: manual_entries.pending, manual_holds.KIND: manual_holds.pending}
    found = [_apply(lake, kind, pending, by, now) for kind, pending in kinds.items()]
    return [number for number in found if number is not None]


def _apply(lake: Lake, kind: str, pending: Callable[[Lake], list[int]], by: str, now: datetime) -> int | None:
    def propose(batch_no: int) -> dict[str, Any] | None:
        actions = pending(lake)
        return {"kind": kind, "now": now, "by": by, "actions": actions} if actions else None

    batch = batches.run(lake, SEQUENCE, propose, finish_from_intent, clock=lambda: now, by=by)
    return None if batch is None else batch.batch_no


def finish_from_intent(batch: batches.Batch) -> None:
    """Write and commit a batch of the books, of any kind, that another process opened."""
    match batch.kind:
        case manual_entries.KIND:
            manual_entries.finish(batch)
        case manual_holds.KIND:
            manual_holds.finish(batch)
        case "close":
            write(batch, resumed(batch.lake, batch), datetime.fromisoformat(batch.intent["now"]))
        case lifecycle.REGENERATE:
            write(batch, resumed(batch.lake, batch), datetime.fromisoformat(batch.intent["now"]))
        case lifecycle.VOID:
            lifecycle.finish_void(batch)
        case kind:
            raise InvariantBreach(f"batch {batch.batch_no} of {SEQUENCE} is of kind {kind!r}, which this engine lacks")


def encoded(marks: Watermarks) -> dict[str, Any]:
    """Watermarks as an intent keeps them."""
    return {
        "now": marks.computed_as_of,
        "events_through": marks.events_through,
        "ledger_through": marks.ledger_through,
        "actions_through": marks.actions_through,
        "catalog_version": marks.catalog_version,
        "engine_version": marks.engine_version,
        "shards": 1,
    }


def resumed(lake: Lake, batch: batches.Batch) -> Books:
    """The books of a batch that another process opened, from its intent alone."""
    return computed_from(lake, batch.intent)


def computed_from(lake: Lake, intent: Mapping[str, Any]) -> Books:
    """The books of a batch that finalizes invoices, from its intent. Raises InvariantBreach without its catalog."""
    catalog = needed(lake, intent["catalog_version"])
    marks = Watermarks(
        events_through=intent["events_through"],
        ledger_through=intent["ledger_through"],
        actions_through=intent["actions_through"],
        catalog_version=intent["catalog_version"],
        computed_as_of=datetime.fromisoformat(intent["now"]),
        engine_version=intent["engine_version"],
    )
    return books_of(lake, catalog, marks, intent["month"], intent["by"], intent.get("unbilled"), intent.get("replaces"))


def books_of(
    lake: Lake,
    catalog: Catalog,
    marks: Watermarks,
    month: str,
    by: str,
    listed: Mapping[str, str] | None = None,
    replaces: str | None = None,
) -> Books:
    """Compute a batch: a pure function of its watermarks, of the batches before it, and of `listed`.

    listed: unbilled usage of the months that it seals as the seals have it, which is of a table that is written again;
    None to read it now. replaces: of a void invoice; then its replacement alone becomes final, and no month is sealed.
    """
    taken = lake.scan("invoices", through={"batch_no": marks.ledger_through})
    computed = month_of(lake, catalog, month, marks)
    settings = catalog.settings
    last_numbers = taken.group_by("issuing_entity", "number_series").agg(pl.col("number_sequence").max())
    sealed_before = sealed_months(lake, marks.ledger_through)
    final, entries = final_of(lake, computed, marks, month, sealed_before, replaces)
    final = numbered(final, last_numbers, settings.issuing_entity, settings.invoice_number_format)
    invoices = lake.collect(stamped(final, marks))
    items = computed.line_items.join(invoices.select("invoice_id"), on="invoice_id", how="semi")
    closed = closed_rows(computed, invoices, marks, month)
    events = [events_of(invoices.lazy(), "FINALIZED", marks.computed_as_of, by)]
    if replaces is None:
        sealed = months_to_seal(lake, catalog, marks, invoices, computed.invoices, closed, month)
    else:
        sealed, closed = (), closed.filter(pl.col("invoice_id").is_not_null())
        events.append(lifecycle.regenerated(lake, replaces, marks.computed_as_of, by))
    rows = {
        "line_items": items,
        "ledger_entries": entries,
        "invoice_events": pl.concat(events, how="diagonal").collect(),
        "closed_periods": closed,
        "invoices": invoices,
    }
    rows["month_closes"] = seals(lake, marks, sealed, rows, by, listed)
    earlier = closed_periods(lake, marks.ledger_through).select(closed.columns)
    periods = pl.concat([earlier, closed.lazy()])
    checks = gate(invoices.lazy(), items.lazy(), periods, taken, computed.equation.lazy())
    ledger = lake.scan("ledger_entries", through={"batch_no": marks.ledger_through})
    checks |= ledger_gate(items.lazy(), entries.lazy(), ledger, access_of(computed))
    return Books(rows, computed.invoices, lake.collect_all(checks))


def final_of(
    lake: Lake, computed: Month, marks: Watermarks, month: str, sealed: tuple[str, ...], replaces: str | None = None
) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """What becomes final, and its ledger rows. A true-up follows the invoices that could still draw on its commit."""
    drafts = computed.invoices.lazy()
    final = due(drafts, marks.computed_as_of, month) if replaces is None else replacement(drafts, replaces)
    settled = computed.settled
    if settled is None:
        return final, lake.collect(TABLES["ledger_entries"].empty().drop("batch_no"))
    final = lake.collect(final).lazy()
    others = final.filter(pl.col("invoice_type") != TRUEUP)
    ready = settled.ready(others).select("invoice_id")
    trueups = final.filter(pl.col("invoice_type") == TRUEUP).join(ready, on="invoice_id", how="semi")
    final = lake.collect(pl.concat([others, trueups])).lazy()
    until = month_after(datetime.strptime(month, "%Y-%m").replace(tzinfo=marks.computed_as_of.tzinfo))
    return final, lake.collect(settled.entries(final, until, month, sealed))


def access_of(computed: Month) -> pl.LazyFrame:
    """When each segment may be drawn, by segment_id."""
    dates = {"segment_id": pl.String(), "access_starting_at": TIMESTAMP, "access_ending_before": TIMESTAMP}
    if computed.settled is None:
        return pl.LazyFrame(schema=dates)
    access = computed.settled.drawing.balances.access
    return access.select("segment_id", access_starting_at="starting_at", access_ending_before="ending_before")


def write(batch: batches.Batch, books: Books, now: datetime) -> None:
    """The gates, then every table of the batch in order, then its commit."""
    refuse_discrepancies(batch, books, now)
    for table in batch.tables:
        frame = books.rows[table].with_columns(batch_no=pl.lit(batch.batch_no, dtype=pl.Int64))
        batch.write(table, as_table(table, frame.lazy()).collect())
    if (replaced := batch.intent.get("replaces")) is not None:
        [name] = books.rows["invoices"]["invoice_id"]
        batch.lake.amend("invoices", {"invoice_id": replaced}, {"replaced_by_invoice_id": name})
    batch.commit({"finalized": books.rows["invoices"].height, "sealed": books.rows["month_closes"].height})


def refuse_discrepancies(batch: batches.Batch, books: Books, now: datetime) -> None:
    """Raise InvariantBreach for anything that would make a final row wrong, with its rows in `check_failures`."""
    broken = {name: rows for name, rows in books.discrepancies.items() if not rows.is_empty()}
    if not broken:
        return
    failures = pl.DataFrame(
        [
            {"check": name, "at": now, "batch_no": batch.batch_no, "discrepancies": rows.write_json()}
            for name, rows in broken.items()
        ],
        schema_overrides={"at": TIMESTAMP},
    )
    earlier = batch.lake.scan("check_failures").filter(pl.col("batch_no") != batch.batch_no)
    batch.lake.overwrite("check_failures", batch.lake.collect(pl.concat([earlier, failures.lazy()], how="diagonal")))
    counts = ", ".join(f"{name} ({rows.height} row(s))" for name, rows in broken.items())
    raise InvariantBreach(
        f"nothing was finalized: {counts} failed before batch {batch.batch_no}; the rows are in table check_failures"
    )


def report(month: str, batch_no: int | None, books: Books, now: datetime) -> FinalizeReport:
    """What a person wants to know of the batch."""
    invoices = books.rows["invoices"]
    others = books.drafts.join(invoices.select("invoice_id"), on="invoice_id", how="anti")
    is_due = pl.col("issued_at") <= pl.lit(now, dtype=TIMESTAMP)
    held = others.filter(is_due, pl.col("hold_reasons") != NOT_HELD)
    shown = [
        "invoice_id",
        "contract_id",
        "customer_id",
        "close_month",
        "period_start",
        "period_end",
        "currency",
        "total",
        "hold_reasons",
    ]
    return FinalizeReport(
        month=month,
        batch_no=batch_no,
        finalized=totals(invoices, "invoice_type", "currency"),
        drawn_first=totals(invoices.filter(pl.col("close_month") != month), "close_month", "currency"),
        held=held.select(shown).sort("contract_id", "period_start"),
        not_yet_due=others.filter(~is_due).height,
        open=others.height,
        sealed=tuple(books.rows["month_closes"]["close_month"]),
        top_customers=totals(invoices, "customer_id", "currency").sort("total", descending=True).head(TOP_CUSTOMERS),
        rows={table: frame.height for table, frame in books.rows.items()},
    )


def due_months(lake: Lake, catalog: Catalog, now: datetime) -> tuple[str, ...]:
    """Months with something to do at `now`, in order.

    An open period or a SCHEDULED invoice is due, a commitment has ended and is not settled, late usage is to be listed
    or corrected; and the last of the months that only wait for their seal.
    """
    settings, frames, through = catalog.settings, resolve(catalog), lake.committed(SEQUENCE)
    periods = started_periods(lake, frames.contracts, settings.starting_at, now, through).filter("is_open")
    is_due = pl.col("period_end") + pl.lit(settings.grace_period) <= pl.lit(now, dtype=TIMESTAMP)
    found = periods.group_by("close_month").agg(is_due=is_due.any())
    hold = holding(lake)
    given = with_purchases(open_inputs(lake, catalog, now), hold, counting(lake))
    charged = lake.collect(open_scheduled(charging_terms(given), hold))
    is_charged = charged["issued_at"] <= now
    unsettled = set(lake.collect(open_trueups(lake, frames, now, through))["close_month"])
    open_months = {*found["close_month"], *charged["close_month"], *unsettled}
    due = {*found.filter("is_due")["close_month"], *charged.filter(is_charged)["close_month"], *unsettled}
    # One run seals every month before it too, up to the first that has something open.
    over = months_between(settings.starting_at, now - settings.grace_period)
    sealable = set(takewhile(lambda month: month not in open_months, over)) - set(sealed_months(lake))
    due |= correcting_months(lake, given)
    return tuple(sorted(due | late_months(lake) | ({max(sealable)} if sealable else set())))


def correcting_months(lake: Lake, given: Inputs) -> set[str]:
    """The month with which CORRECTION invoices are computed, if there is late usage for any."""
    if given.late is None:
        return set()
    return {correcting_month(given.now)} if lake.collect(given.late.uncarried(given.periods)).height else set()
