"""What became of the rows of a transaction id: rejected, duplicate, or accepted, and then by which lines billed.

The id is looked for in its column alone; everything else is read of the event's customer and days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from billing_assets.catalog import resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.pipeline.matching import conditions_of
from billing_assets.pipeline.placed_events import places_of
from billing_assets.runs.catalogs import recorded_catalog
from billing_assets.runs.explained import Explained, explained
from billing_assets.runs.inputs import holding
from billing_assets.runs.invoiced import invoiced_references
from billing_assets.runs.tracing import Recorded, started_of
from billing_assets.storage.lake import Lake

LINES = ("usage", "late_usage")


@dataclass(frozen=True, slots=True)
class Received:
    """The rows of a transaction id, by what ingestion made of them; `accepted` in the order of their batches."""

    accepted: pl.DataFrame
    duplicates: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Candidate:
    """An invoice, draft or void one, that may have the event: those of its lines that may, and what explains them."""

    invoice: Mapping[str, Any]
    lines: pl.DataFrame
    basis: Explained


@dataclass(frozen=True, slots=True)
class Told:
    """An accepted event as the last recorded catalog and the books have it.

    conditions: `matching.conditions_of`. places: `placed_events.places_of`, with period_end and events_through of the
    period, and its final_invoice_id and final_invoice_number. listed: `unbilled_usage` of its reference and day.
    rated_through: the last ingest batch that drafts have seen; null where there are none. recorded: None before the
    first catalog.
    """

    event: Mapping[str, Any]
    recorded: Recorded | None
    conditions: pl.DataFrame
    places: pl.DataFrame
    listed: pl.DataFrame
    rated_through: int | None
    candidates: tuple[Candidate, ...]


def received(lake: Lake, transaction_id: str, on: date | None = None) -> Received:
    """on: the day of the event's timestamp, where it is known; no other is read then."""
    is_it = pl.col("transaction_id") == transaction_id
    of_day = [] if on is None else [pl.col("event_date") == on]
    # Where it is first, so that of all events the ids alone are read.
    where = lake.collect(lake.scan("events", *of_day, is_it).select("event_date", "customer_ref", "ingest_batch"))
    places = [pl.col(name).is_in(where[name].unique().to_list()) for name in where.columns]
    events = lake.scan("events", *places, is_it)
    found = lake.collect_all(
        {
            "accepted": events.select(pl.exclude("^(property|number)_.*$")).sort("ingest_batch"),
            "duplicates": lake.scan("duplicate_events", is_it).sort("ingest_batch", "source_file", "source_line"),
            "rejected": lake.scan("rejected_events", is_it).sort("ingest_batch", "source_file", "source_line"),
        }
    )
    return Received(**found)


def told(lake: Lake, events: pl.DataFrame, now: datetime) -> Told:
    """events: one row of `Received.accepted`. now: which periods have begun."""
    event = events.row(0, named=True)
    catalog = recorded_catalog(lake)
    through = lake.committed("books")
    of_day = (pl.col("customer_ref") == event["customer_ref"]) & (pl.col("usage_date") == event["event_date"])
    listed = lake.collect(lake.scan("unbilled_usage", of_day))
    seen = lake.collect(lake.scan("draft_invoices").select(pl.col("events_through").max())).item()
    if catalog is None:
        return Told(event, None, pl.DataFrame(), pl.DataFrame(), listed, seen, ())
    recorded = Recorded(catalog, resolve(catalog))
    held = lake.scan("customer_aliases", pl.col("customer_ref") == event["customer_ref"])
    holders = lake.collect(held.select("customer_id").unique())["customer_id"]
    periods = started_of(lake, recorded, holders, now, through).with_columns(is_billed="is_open")
    invoiced = invoiced_references(lake, recorded.frames, periods.lazy(), through)
    frames, hold = recorded.frames, holding(lake)
    placed = places_of(events.lazy(), catalog, frames, periods.lazy(), invoiced, now, hold)
    numbers = lake.scan("invoices").select(final_invoice_id="invoice_id", final_invoice_number="invoice_number")
    dates = periods.select("contract_id", "period_start", "period_end", "final_invoice_id", "events_through")
    dated = placed.join(dates.lazy(), on=["contract_id", "period_start"], how="left")
    return Told(
        event=event,
        recorded=recorded,
        conditions=lake.collect(conditions_of(events.lazy(), catalog.billable_metrics)),
        places=lake.collect(dated.join(numbers, on="final_invoice_id", how="left")),
        listed=listed,
        rated_through=seen,
        candidates=candidates(lake, event, holders),
    )


def candidates(lake: Lake, event: Mapping[str, Any], holders: pl.Series) -> tuple[Candidate, ...]:
    """Invoices with lines of usage, of whoever had the reference, whose dates the event lies in."""
    at = pl.lit(event["timestamp"], dtype=TIMESTAMP)
    of_dates = at.is_between("starting_at", "ending_before", closed="left")
    of_period = at.is_between("service_period_start", "service_period_end", closed="left")
    # What is counted by the service period is billed in its last hour; late lines are on the invoice of a later one.
    is_last = (pl.col("ending_before") == pl.col("service_period_end")) & of_period
    near = of_dates | is_last | ((pl.col("line_type") == LINES[1]) & (at < pl.col("ending_before")))
    asked = pl.col("origin_customer_id").is_in(holders.to_list()) & pl.col("line_type").is_in(LINES)
    lines, invoices = (lake.scan(name) for name in ("line_items", "invoices"))
    drafts = lake.scan("draft_invoices").join(invoices.select("invoice_id"), on="invoice_id", how="anti")
    of_drafts = lake.scan("draft_line_items", asked, near).join(drafts, on="invoice_id", how="semi")
    names = lines.collect_schema().names()
    found = lake.collect(
        pl.concat([lines.filter(asked, near), of_drafts.select(names)]).sort("invoice_id", "line_number")
    )
    chosen = pl.col("invoice_id").is_in(found["invoice_id"].unique().to_list())
    headers = invoices.collect_schema().names()
    both = pl.concat([invoices.filter(chosen), drafts.filter(chosen).select(headers)])
    # Oldest first; an invoice that had not seen the event's batch cannot have it.
    rows = lake.collect(both.filter(pl.col("events_through") >= event["ingest_batch"]).sort("issued_at", "invoice_id"))
    return tuple(
        Candidate(invoice, own, explained(lake, invoice, own))
        for invoice in rows.iter_rows(named=True)
        for own in [found.filter(pl.col("invoice_id") == invoice["invoice_id"])]
    )
