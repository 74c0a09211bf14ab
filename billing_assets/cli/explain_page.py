"""Explanations as a person reads them: per line the formula, then the terms, the hours and the events behind it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from billing_assets.cli.explain_line import Explanation, line_key
from billing_assets.cli.figures import counted, group, moment, money, number, span, tier
from billing_assets.cli.output import Column, Row, heading, loud, print_table, records, say
from billing_assets.cli.output import paragraph as wrapped

if TYPE_CHECKING:
    import polars as pl

LABEL = 18
"""Columns that a label takes."""
LONG = 80
"""Columns from which a text that was said is not said again."""

HOURS = (
    Column("hours", lambda row: span(row["hour_start"], row["hour_end"])),
    Column("quantity", lambda row: number(row["quantity"]), numeric=True),
    Column("running before", lambda row: number(row["running_start"]), numeric=True),
    Column("after", lambda row: number(row["running_end"]), numeric=True),
    Column("as counted", lambda row: number(row["measured"]), numeric=True, rank=1),
    Column("events", lambda row: number(row["event_count"]), numeric=True, rank=2),
)
EVENTS = (
    Column("event", lambda row: row["transaction_id"]),
    Column("at", lambda row: instant(row)),
    Column("value", lambda row: value(row["value"])),
    Column("adds", lambda row: number(row["adds"]), numeric=True),
    Column("level after", lambda row: number(row["level"]), numeric=True),
    Column("source", lambda row: f"{row['source_file']}:{row['source_line']}", rank=1),
    Column("batch", lambda row: str(row["ingest_batch"]), numeric=True, rank=2),
    Column("sent as", lambda row: row["customer_ref"], rank=3),
)


def instant(row: Row) -> str:
    at = row["timestamp"]
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at:%f}".rstrip("0") if at.microsecond else "")


def value(text: str | None) -> str:
    """What a metric reads of an event; of a number without the zeros of its type."""
    if text is None:
        return ""
    whole, point, fraction = text.partition(".")
    is_number = whole.lstrip("-").isdigit() and (not point or fraction.isdigit())
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".") if is_number and point else text


def print_explanations(invoice: Row, made: Sequence[Explanation], limit: int) -> None:
    """limit: hours and events that are printed per line. What one line has said, others refer to."""
    _print_invoice(invoice)
    said: dict[Hashable, int] = {}
    for one in made:
        _print_line(one, limit, said)
    _print_checks(made)


def _print_invoice(invoice: Row) -> None:
    name = invoice["invoice_number"] or f"{invoice['invoice_id']} (a draft)"
    total = f"{money(invoice['total'], invoice['currency'])} {invoice['currency']}"
    say(f"INVOICE {name}, {invoice['customer_id']}: {total}")
    if invoice["status"] == "VOID":
        loud(f"VOID since {moment(invoice['voided_at'])}: {invoice['void_reason'] or 'no reason given'}")
    if invoice["replaced_by_invoice_id"]:
        say(f"  replaced by   {invoice['replaced_by_invoice_id']}")
    if invoice["replaces_invoice_id"]:
        say(f"  replaces      {invoice['replaces_invoice_id']}")
    if invoice["period_start"]:
        say(f"  period        {span(invoice['period_start'], invoice['period_end'])}")
    say(f"  events        through ingest batch {invoice['events_through']}, as of {moment(invoice['computed_as_of'])}")
    say(f"  catalog       {invoice['catalog_version'][:12]}, as recorded then")


def _print_line(made: Explanation, limit: int, said: dict[Hashable, int]) -> None:
    line = made.line
    details = (
        "" if line["line_type"] in ("usage", "rounding") else line["line_type"].replace("_", " "),
        group(line["pricing_group_values"], line["presentation_group_values"]),
        tier(line["tier_level"], line["tier_lower"], line["tier_upper"]),
    )
    title = ", ".join(part for part in (line["name"], *details) if part)
    amount = f"{money(line['amount'], line['amount_unit'])} {line['amount_unit']}"
    heading(f"{line['line_number']}. {title}: {amount}")
    for label, text in made.facts:
        wrapped(f"{label:<{LABEL}} {_unless_said(text, line['line_number'], said)}", indent=2)
    _print_usage(made, limit, said)
    if agree := [f"{check.what} {number(check.found)}" for check in made.checks if check.holds]:
        wrapped(f"{'found as stated':<{LABEL}} {', '.join(agree)}", indent=2)
    for check in made.checks:
        if not check.holds:
            loud(f"{check.what}: the invoice states {number(check.stated)}, found is {number(check.found)}")


def _unless_said(text: str, line_number: int, said: dict[Hashable, int]) -> str:
    """A term in full where it is cited first, later by its name."""
    first = said.setdefault(text, line_number)
    name, colon, _ = text.partition(": ")
    return text if first == line_number or not colon or len(text) < LONG else f"{name}: as on line {first}"


def _print_usage(made: Explanation, limit: int, said: dict[Hashable, int]) -> None:
    """Hours and events, once for lines that share them."""
    events = 0 if made.events is None else made.events.height
    key = (line_key(made.line), len(made.hours), events)
    first = said.setdefault(key, made.line["line_number"])
    if events and first != made.line["line_number"]:
        say(f"    {counted(len(made.hours), 'hour')} and {counted(events, 'event')}: those of line {first}")
        return
    _print_rows(made.hours[:limit], HOURS, len(made.hours), "hour")
    if made.events is not None:
        _print_rows(records(made.events.head(limit)), _shown(EVENTS, made.events), events, "event")


def _shown(columns: Sequence[Column], rows: pl.DataFrame) -> list[Column]:
    """Without the columns that no row has anything in."""
    empty = [name for name in ("value", "adds", "level") if rows[name].null_count() == rows.height]
    titles = {"value": "value", "adds": "adds", "level": "level after"}
    return [one for one in columns if one.title not in [titles[name] for name in empty]]


def _print_rows(rows: Sequence[Row], columns: Sequence[Column], count: int, what: str) -> None:
    """The first rows of `count`."""
    if rows:
        print_table(rows, columns, indent=4)
    if count > len(rows):
        rest = counted(count - len(rows), f"more {what}" if rows else what)
        say(f"    {'... and ' if rows else ''}{rest}; --limit shows more, --format json all")


def _print_checks(made: Sequence[Explanation]) -> None:
    checks = [check for one in made for check in one.checks]
    failed = [check for check in checks if not check.holds]
    say()
    if failed:
        loud(f"{counted(len(failed), 'figure')} of {len(checks)} cannot be explained by what was found")
    elif checks:
        say(f"{counted(len(checks), 'figure')} compared with the events behind them; all agree")
