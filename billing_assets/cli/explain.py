"""`billing explain`: from an amount back to its rate, its hours and its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.output import Row, print_json, record, records
from billing_assets.cli.settings import Settings
from billing_assets.cli.show import find_invoice
from billing_assets.errors import UsageError

if TYPE_CHECKING:
    from billing_assets.cli.explain_line import Explanation

EXAMPLES = """
billing explain INV-2026-000017                every line
billing explain INV-2026-000017 --line 3       one of them, by its number or its id
billing explain inv_5f2c --line 3 --limit 100
billing explain INV-2026-000017 --format json | jq '.lines[].checks'
billing explain --event req-8841               what became of an event, and which lines it is part of
"""


@command("explain", examples=EXAMPLES)
def explain(
    settings: Settings,
    invoice: Annotated[
        str | None,
        typer.Argument(metavar="INVOICE", help="Its number, its id, or a unique prefix of its id; also of a draft."),
    ] = None,
    line: Annotated[
        str | None, typer.Option("--line", metavar="L", help="One line: its number, or its id or a prefix of it.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Hours and events to print per line, else 20 of one line and 3 of several; JSON has all.",
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option("--event", metavar="ID", help="Instead of an invoice: the event of that transaction id."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="With --event: the UTC day of its timestamp; reads that day alone."),
    ] = None,
) -> int:
    """Explain an invoice: each amount by its formula, its rate, what balances paid, its hours and its events.

    With --event, the other way: from a transaction id to what became of it. It was rejected, with the reason and the
    source line; or it is a duplicate; or it was accepted, and per metric it is billed by these lines of these invoices
    and drafts, or not billed, and why.

    Everything of an invoice is as it was computed from: rates of the catalog that it records, events up to its
    watermark. The usage is computed again from these events and compared with the line; where both differ, the exit
    code is 1.
    """
    if (event is None) == (invoice is None):
        raise UsageError("name either an INVOICE or an --event")
    if event is not None:
        from billing_assets.cli.explain_event import explain_event

        return explain_event(settings, event, None if on is None else day(on))
    if on is not None:
        raise UsageError("--on goes with --event")
    return _explain_invoice(settings, str(invoice), line, limit)


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--on: found {text!r}, expected a date like 2026-10-31") from None


def _explain_invoice(settings: Settings, invoice: str, line: str | None, limit: int | None) -> int:
    from billing_assets.cli.explain_line import explain_line
    from billing_assets.cli.explain_page import print_explanations
    from billing_assets.cli.queries import lines_of
    from billing_assets.runs.explained import explained

    lake = settings.lake()
    found = find_invoice(lake, invoice)
    frame = lines_of(lake, [found["invoice_id"]])
    lines = records(frame)
    chosen = lines if line is None else [find_line(lines, line)]
    numbers = [one["line_number"] for one in chosen]
    basis = explained(lake, found, frame.filter(frame["line_number"].is_in(numbers)))
    made = [explain_line(one, lines, basis) for one in chosen]
    if settings.json:
        print_json({"invoice": record(found), "lines": [as_json(one) for one in made]})
    else:
        print_explanations(found, made, limit if limit is not None else 3 if len(made) > 1 else 20)
    return 0 if all(one.holds for one in made) else 1


def find_line(lines: Sequence[Row], wanted: str) -> Row:
    """The line of that number, id or unique prefix of its id. Raises UsageError for several, NotFound for none."""
    from billing_assets.cli.queries import NotFound

    chosen = [one for one in lines if wanted in (str(one["line_number"]), one["line_item_id"])]
    chosen = chosen or [one for one in lines if one["line_item_id"].startswith(wanted)]
    if len(chosen) > 1:
        raise UsageError(f"{len(chosen)} lines begin with {wanted!r}")
    if not chosen:
        raise NotFound(f"no line {wanted!r}; the invoice has {len(lines)}, numbered from 1")
    return chosen[0]


def as_json(made: Explanation) -> dict[str, Any]:
    """An explanation with all of its hours and events."""
    return {
        "line": record(made.line),
        "facts": [{"label": label, "text": text} for label, text in made.facts],
        "terms": {
            role: {
                "id": one.id,
                "starting_at": one.starting_at,
                "ending_before": one.ending_before,
                "content": one.content,
            }
            for role, one in made.terms.items()
        },
        "hours": [
            {
                name: one[name]
                for name in (
                    "hour_start",
                    "hour_end",
                    "quantity",
                    "measured",
                    "running_start",
                    "running_end",
                    "event_count",
                )
            }
            for one in made.hours
        ],
        "events": [
            {
                name: one[name]
                for name in (
                    "transaction_id",
                    "timestamp",
                    "customer_ref",
                    "event_type",
                    "value",
                    "adds",
                    "level",
                    "source_file",
                    "source_line",
                    "ingest_batch",
                )
            }
            for one in ([] if made.events is None else records(made.events))
        ],
        "checks": [
            {"what": one.what, "stated": one.stated, "found": one.found, "holds": one.holds} for one in made.checks
        ],
    }
