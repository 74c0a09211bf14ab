"""What a close did, as one content that is printed as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing_assets.cli.figures import counted, jsonable, money, money_text, number, reasons, span
from billing_assets.cli.holds import next_step
from billing_assets.cli.output import Column, Row, heading, loud, paragraph, print_table, records, say
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from billing_assets.defs.close import CloseReport

Content = dict[str, Any]

FINALIZED = (
    Column("type", lambda row: row["invoice_type"]),
    Column("invoices", lambda row: number(row["invoices"]), numeric=True),
    Column("total", lambda row: money(row["total"], row["currency"]), numeric=True),
    Column("", lambda row: row["currency"]),
)
UNBILLED = (
    Column("disposition", lambda row: row["disposition"]),
    Column("metric", lambda row: row["billable_metric_id"] or "(none)"),
    Column("events", lambda row: number(row["events"]), numeric=True),
)
LEDGER = (
    Column("entry", lambda row: row["entry_type"]),
    Column("entries", lambda row: number(row["entries"]), numeric=True),
    Column("amount", lambda row: money(row["amount"], row["unit"]), numeric=True),
    Column("", lambda row: row["unit"]),
)


def contents(report: CloseReport, place: Settings, month: str | None, dry_run: bool) -> Content:
    """Everything that is printed, from the reports of the stages and the rows that they wrote."""
    from billing_assets.cli.check import rows_of
    from billing_assets.cli.close_queries import late_usage, ledger_movements, unbilled
    from billing_assets.cli.ingest import ingest_content

    lake = place.lake()
    batches = [final.batch_no for _, final in report.months if final.batch_no is not None]
    ingested = report.ingest.batch_no if report.ingest else None
    content: Content = {
        "month": month,
        "now": place.now,
        "dry_run": dry_run,
        "months": [final.month for _, final in report.months],
        "ingest": ingest_content(report.ingest) if report.ingest else None,
        "days_metered": len(report.meter.days) if report.meter else 0,
        "finalized": summed((final.finalized for _, final in report.months), ["invoice_type", "currency"]),
        "drawn_first": summed((final.drawn_first for _, final in report.months), ["close_month", "currency"]),
        "held": held_once(report),
        "not_yet_due": sum(final.not_yet_due for _, final in report.months),
        "open": sum(final.open for _, final in report.months),
        "sealed": sorted({sealed for _, final in report.months for sealed in final.sealed}),
        "unbilled": records(unbilled(lake, [final.month for _, final in report.months])),
        "late_usage": records(late_usage(lake, ingested)) if ingested is not None else [],
        "ledger": records(ledger_movements(lake, batches)),
        "drafts": report.drafts.drafts,
        "checks": [_check(row) for row in rows_of(report.checks)],
        "seconds": f"{report.seconds:.1f}",
    }
    return {**content, "next": next_command(content)}


def summed(frames: Iterable[pl.DataFrame], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the months added up by `keys`, in their order."""
    totals: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for frame in frames for row in records(frame)):
        found = totals.setdefault(tuple(row[key] for key in keys), {key: row[key] for key in keys})
        for name, value in row.items():
            if name not in keys and isinstance(value, int | Decimal):
                found[name] = found.get(name, 0) + value
    return [totals[key] for key in sorted(totals, key=lambda key: tuple(str(part or "") for part in key))]


def held_once(report: CloseReport) -> list[dict[str, Any]]:
    """Held invoices as the last month that looked at them found them."""
    found = {row["invoice_id"]: row for _, final in report.months for row in records(final.held)}
    return [_held(row) for row in found.values()]


def _held(row: Row) -> dict[str, Any]:
    why = reasons(row["hold_reasons"])
    steps = [next_step(reason, row) for reason in why]
    return {**row, "hold_reasons": why, "next_steps": steps}


def _check(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("name", "ok", "warning", "discrepancies")}


def exit_code(content: Content) -> int:
    """1 where something is held, an event file has a problem, or a check does not hold; else 0."""
    problems = content["ingest"]["problems"] if content["ingest"] else []
    return 1 if content["held"] or problems or failed(content) else 0


def failed(content: Content) -> list[Row]:
    return [check for check in content["checks"] if not check["ok"] and not check["warning"]]


def next_command(content: Content) -> str:
    """What a person does now."""
    if failed(content):
        return "billing check"
    if content["dry_run"]:
        return f"billing close{_month_option(content)}"
    if content["held"]:
        return f"billing show {content['held'][0]['invoice_id']}"
    if content["sealed"]:
        last = content["sealed"][-1]
        return f"billing export --month {last} --format csv --to exports/{last}"
    return "billing draft" if content["drafts"] else "billing status"


def _month_option(content: Content) -> str:
    return f" --month {content['month']}" if content["month"] else ""


def json_content(content: Content) -> Content:
    """The content with totals in at least their minor digits."""
    currencies = {"finalized": "currency", "drawn_first": "currency", "held": "currency", "ledger": "unit"}
    shown = dict(content)
    for part, name in currencies.items():
        shown[part] = [_with_money(row, row.get(name)) for row in content[part]]
    return shown


def _with_money(row: Row, currency: str | None) -> dict[str, Any]:
    return {
        key: money_text(value, currency) if isinstance(value, Decimal) else jsonable(value)
        for key, value in row.items()
    }


def print_report(content: Content) -> None:
    _print_ingest(content)
    _print_finalized(content)
    _print_held(content)
    _print_rest(content)
    _print_reconciliation(content)
    say()
    say(f"next: {content['next']}")


def _print_ingest(content: Content) -> None:
    found = content["ingest"]
    if found is None:
        say("Ingestion: left out")
        return
    rows = {name: sum(file[name] for file in found["files"]) for name in ("rows", "accepted", "duplicates", "rejected")}
    if found["batch_no"] is None:
        say("Ingestion: no new event files")
    else:
        say(
            f"Ingestion: {counted(len(found['files']), 'file')}, {counted(rows['rows'], 'row')} = {rows['accepted']:,} "
            f"accepted + {rows['duplicates']:,} duplicates + {rows['rejected']:,} rejected (batch {found['batch_no']})"
        )
    for reason in found["rejected_by_reason"]:
        say(f"  rejected, {reason['reason']}: {counted(reason['rows'], 'row')}")
    for problem in found["problems"]:
        say(f"  PROBLEM {problem}")


def _print_finalized(content: Content) -> None:
    heading(f"Finalized{' (dry run)' if content['dry_run'] else ''}")
    if content["finalized"]:
        print_table(content["finalized"], FINALIZED, indent=2)
    else:
        say("  nothing" if content["months"] else "  nothing is due")
    for row in content["drawn_first"]:
        say(
            f"  of these, {counted(row['invoices'], 'invoice')} of {row['close_month']}, "
            f"{money(row['total'], row['currency'])} {row['currency']}: what they draw on balances comes first"
        )
    if content["sealed"]:
        say(f"  sealed: {', '.join(content['sealed'])}")
    if content["not_yet_due"]:
        say(f"  not yet due: {counted(content['not_yet_due'], 'draft')}")


def _print_held(content: Content) -> None:
    if not content["held"]:
        return
    say()
    loud(f"{counted(len(content['held']), 'invoice')} HELD")
    for row in content["held"]:
        currency = row.get("currency")
        total = f"{money(row['total'], currency)} {currency}" if currency else number(row["total"])
        say(f"  {row['invoice_id']}  {row['customer_id']}  {row['contract_id']}")
        of_period = f"{span(row['period_start'], row['period_end'])}, " if row["period_end"] else ""
        say(f"    {of_period}{total} so far")
        for reason, step in zip(row["hold_reasons"], row["next_steps"], strict=True):
            say(f"    {reason}{': ' + str(row['detail']) if row.get('detail') else ''}")
            paragraph(step, indent=6)


def _print_rest(content: Content) -> None:
    if content["unbilled"]:
        heading("Not billed (events per metric)")
        print_table(content["unbilled"], UNBILLED, indent=2)
    if content["late_usage"]:
        events = sum(row["events"] for row in content["late_usage"])
        heading(f"Late usage: {counted(events, 'event')} for {counted(len(content['late_usage']), 'final invoice')}")
        for row in content["late_usage"]:
            say(f"  {row['invoice_number']}  {row['customer_id']}  {counted(row['events'], 'event')}")
        say("  a final invoice does not change; `late_usage` of the contract says what bills it (invoice_variances)")
    if content["ledger"]:
        heading("Ledger movements")
        print_table(content["ledger"], LEDGER, indent=2)


def _print_reconciliation(content: Content) -> None:
    heading("Reconciliation")
    passed = sum(1 for check in content["checks"] if check["ok"])
    say(f"  {passed} of {counted(len(content['checks']), 'check')} passed")
    for check in content["checks"]:
        if not check["ok"]:
            kind = "warning" if check["warning"] else "FAILED"
            say(f"  {kind}: {check['name']}, {counted(check['discrepancies'], 'row')}")
    say(f"  {counted(content['drafts'], 'draft')} of open periods")
