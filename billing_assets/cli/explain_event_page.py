"""An event as a person reads it: where it came from, and per metric what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from billing_assets.cli.explain_event import Fate, amount, failing, placed, quantity
from billing_assets.cli.explain_page import LABEL, instant, value
from billing_assets.cli.figures import moment, number
from billing_assets.cli.output import Column, Row, heading, loud, paragraph, print_table, records, say

if TYPE_CHECKING:
    from billing_assets.runs.told_events import Received, Told

PARTS = (
    Column("invoice", lambda row: row["invoice_number"] or row["invoice_id"]),
    Column("status", lambda row: row["status"]),
    Column("line", lambda row: str(row["line_number"]), numeric=True),
    Column("line item", lambda row: row["line_item_id"], rank=1),
    Column("name", lambda row: row["title"]),
    Column("quantity", quantity, numeric=True),
    Column("amount", amount, numeric=True),
)
SHOWN = 12
"""Metrics that do not count an event, of which the failing condition is printed."""


def print_event(found: Told, fates: Sequence[Fate]) -> None:
    event = found.event
    say(f"EVENT {event['transaction_id']}: accepted")
    _field("source", f"{event['source_file']}:{event['source_line']}, ingest batch {event['ingest_batch']}")
    _field("arrived", moment(event["arrived_at"]))
    _field("timestamp", instant(event))
    customers = sorted({str(one.place["customer_id"]) for one in fates if one.place and one.place["customer_id"]})
    _field(
        "sent as",
        f"{event['customer_ref']}, of customer {', '.join(customers)}" if customers else event["customer_ref"],
    )
    _field("event type", event["event_type"])
    properties = json.loads(event["properties"])
    _field("properties", ", ".join(f"{name}={one}" for name, one in properties.items()) or "none")
    for fate in fates:
        _print_fate(fate)
    _print_failing(found, matches=any(fate.metric for fate in fates))


def _print_fate(fate: Fate) -> None:
    heading(f"{fate.metric or 'no metric'}: {fate.disposition.replace('_', ' ')}")
    if fate.reason:
        _field("why", fate.reason)
    if fate.place and (text := placed(fate.place)):
        _field("placed on", text)
    for adds in {(one.value, one.adds) for one in fate.parts[:1]}:
        read = value(adds[0]) or "the event itself"
        _field("counts", read if adds[1] is None else f"{read}, which adds {number(adds[1])}")
    if fate.parts:
        print_table([_row(part.invoice, part.line) for part in fate.parts], PARTS, indent=4)


def _row(invoice: Row, line: Row) -> Row:
    tier = f", tier {line['tier_level']}" if line["tier_level"] is not None else ""
    late = ", late usage" if line["line_type"] == "late_usage" else ""
    status = {name: invoice[name] for name in ("invoice_id", "invoice_number", "status")}
    return {**line, **status, "title": f"{line['name']}{tier}{late}"}


def _print_failing(found: Told, *, matches: bool) -> None:
    """Metrics that do not count it: why each does not, where they are few or none counts it."""
    rows = failing(found)
    if not rows:
        return
    say()
    if matches and len(rows) > SHOWN:
        _field("not counted by", f"{len(rows)} other metrics; --format json says which condition each fails")
        return
    for one in rows:
        _field("not counted by", f"{one['metric']}, which wants {' and '.join(one['fails'])}")


def print_rows(found: Received) -> None:
    """What came beside what was accepted: duplicates and rejected rows of the same id."""
    for one in records(found.duplicates):
        heading(f"DUPLICATE {one['transaction_id']} at {one['source_file']}:{one['source_line']}")
        _field("not counted", str(one["detail"] or one["reason"]))
        if one["conflicting"]:
            loud("CONFLICTING: its content or timestamp differs from what was accepted")
        _arrival(one)
    for one in records(found.rejected):
        heading(f"REJECTED {one['transaction_id']} at {one['source_file']}:{one['source_line']}")
        _field("reason", ": ".join(filter(None, (one["reason"], one["detail"]))))
        _arrival(one)


def _arrival(row: Row) -> None:
    _field("arrived", f"{moment(row['arrived_at'])}, ingest batch {row['ingest_batch']}")
    if row["raw"]:
        _field("row", row["raw"])


def _field(label: str, text: str) -> None:
    paragraph(f"{label:<{LABEL}} {text}", indent=2)
