"""An invoice as a page: who, when, what by product, how much."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from billing_assets.cli.figures import group, moment, money, number, reasons, span, tier
from billing_assets.cli.holds import next_step
from billing_assets.cli.output import Column, Row, heading, loud, print_table, say, width

ADJUSTMENTS = ("minimum_adjustment", "maximum_adjustment", "discount", "rounding")
WIDE = 110


def print_invoice(invoice: Row, lines: Sequence[Row], verbose: bool = False) -> None:
    _print_status(invoice)
    _print_head(invoice)
    _print_lines(invoice, [line for line in lines if line["line_type"] != "rounding"], verbose)
    _print_totals(invoice)
    if verbose:
        _print_origin(invoice)


def _print_status(invoice: Row) -> None:
    status, held = invoice["status"], reasons(invoice.get("hold_reasons"))
    if status == "DRAFT":
        loud(f"DRAFT, NOT AN INVOICE: as of {moment(invoice['computed_as_of'])}, changes until it is finalized")
    for reason in held:
        loud(f"HELD: {reason}")
        say(f"    {next_step(reason, invoice)}")
    if status == "VOID":
        loud(f"VOID since {moment(invoice['voided_at'])}: {invoice['void_reason'] or 'no reason given'}")


def _print_head(invoice: Row) -> None:
    say(f"INVOICE {invoice['invoice_number'] or '(no number yet)'}")
    say()
    _fields("Bill to", bill_to(invoice["bill_to"]) or [str(invoice["payer_customer_id"])])
    customer = invoice["customer_id"]
    payer = invoice["payer_customer_id"]
    _field("Customer", customer if payer == customer else f"{customer}, paid by {payer}")
    _field("Contract", invoice["contract_id"])
    _field("Period", span(invoice["period_start"], invoice["period_end"]))
    _field("Date", str(invoice["invoice_date"] or ""))
    _field("Issued", moment(invoice["issued_at"]))
    _field("Due", moment(invoice["due_at"]))
    _field("Issued by", invoice["issuing_entity"])
    _field("Status", f"{invoice['status']}, {invoice['invoice_type']}, month {invoice['close_month']}")
    _field("Replaces", invoice["replaces_invoice_id"])
    _field("Replaced by", invoice["replaced_by_invoice_id"])
    _field("Invoice id", invoice["invoice_id"])


def bill_to(text: str | None) -> list[str]:
    """Name, address, tax ids and email as lines, from the JSON as issued."""
    found: dict[str, Any] = json.loads(text) if text else {}
    lines = [found.get("name"), *_address(found.get("address")), *_tax_ids(found.get("tax_ids")), found.get("email")]
    return [str(line) for line in lines if line]


def _address(address: Any) -> list[str]:
    if not isinstance(address, dict):
        return [address] if address else []
    values = [", ".join(map(str, value)) if isinstance(value, list) else value for value in address.values()]
    return [", ".join(str(value) for value in values if value)]


def _tax_ids(tax_ids: Any) -> list[str]:
    texts = [" ".join(map(str, one.values())) if isinstance(one, dict) else str(one) for one in tax_ids or ()]
    return [f"tax id {text}" for text in texts]


def _print_lines(invoice: Row, lines: Sequence[Row], verbose: bool) -> None:
    """One table, so that the columns of all products stand under each other; a heading row for each product."""
    if not lines:
        say()
        say("No lines.")
        return
    rows: list[dict[str, Any]] = []
    product: tuple[Any, ...] | None = None
    for line in lines:
        if (found := (line["product_id"], _product_name(line))) != product:
            product = found
            rows.append({"heading": found[1]})
        rows.append({"currency": invoice["currency"], **line})
    say()
    print_table(rows, _columns(verbose))


def _columns(verbose: bool) -> list[Column]:
    edge = width()
    is_wide = edge is None or edge >= WIDE
    columns = [Column("item", lambda row: _item(row, is_wide, verbose))]
    if is_wide:
        columns.append(Column("dates", lambda row: _of_line(row, _dates)))
    return [
        *columns,
        Column("quantity", lambda row: _of_line(row, lambda line: _counted(line, "quantity")), numeric=True),
        Column("unit", lambda row: _of_line(row, lambda line: line["unit"] or "")),
        Column("unit price", lambda row: _of_line(row, lambda line: _counted(line, "unit_price")), numeric=True),
        Column(
            "amount", lambda row: _of_line(row, lambda line: money(line["amount"], line["amount_unit"])), numeric=True
        ),
    ]


def _of_line(row: Row, cell: Any) -> str:
    return "" if "heading" in row else str(cell(row))


def _item(row: Row, is_wide: bool, verbose: bool) -> str:
    if "heading" in row:
        return str(row["heading"])
    details = [
        "" if row["line_type"] == "usage" else row["line_type"].replace("_", " "),
        group(row["pricing_group_values"], row["presentation_group_values"]),
        tier(row["tier_level"], row["tier_lower"], row["tier_upper"]),
        _fee(row),
        "not in the total" if not row["in_total"] else "",
        f"override {row['override_id']}" if verbose and row["override_id"] else "",
        f"rate {row['rate_id']}" if verbose and row["rate_id"] else "",
        f"{row['event_count']:,} events" if verbose and row["event_count"] is not None else "",
        f"line {row['line_number']} {row['line_item_id']}" if verbose else "",
    ]
    text = ", ".join(detail for detail in details if detail) or (row["rate_type"] or "").lower() or "usage"
    return f"  {text}" if is_wide else f"  {text}\n  {_dates(row)}"


def _fee(row: Row) -> str:
    """The name of a fee line, which says more than its product's."""
    return str(row["name"]) if "fee" in str(row["name"]).lower() and row["line_type"] == "usage" else ""


def _product_name(line: Row) -> str:
    return str(line["product_name"] if line.get("product_name") else line["name"])


def _dates(line: Row) -> str:
    return span(line["starting_at"], line["ending_before"])


def _counted(line: Row, column: str) -> str:
    return "" if line["line_type"] in ADJUSTMENTS else number(line[column])


def _print_totals(invoice: Row) -> None:
    currency = invoice["currency"]
    parts = [("Subtotal", "subtotal"), ("Credits applied", "credits_applied"), ("Rounding", "rounding")]
    rows: list[Row] = [
        {"label": label, "amount": money(invoice[name], currency)}
        for label, name in parts
        if name == "subtotal" or invoice[name]
    ]
    rows.append({"label": f"TOTAL {currency}", "amount": money(invoice["total"], currency)})
    say()
    print_table(
        rows, [Column("", lambda row: row["label"]), Column("", lambda row: row["amount"], numeric=True)], indent=2
    )


def _print_origin(invoice: Row) -> None:
    heading("Computed from")
    _field("Events", f"through ingest batch {invoice['events_through']}")
    _field("Ledger", f"through books batch {invoice['ledger_through']}")
    _field("Actions", f"through action {invoice['actions_through']}")
    _field("Catalog", invoice["catalog_version"])
    _field("As of", moment(invoice["computed_as_of"]))
    _field("Finalized", moment(invoice["finalized_at"]))
    _field("Engine", invoice["engine_version"])
    _field("Content", invoice["content_hash"])
    _field("Batch", "" if invoice["batch_no"] is None else f"books batch {invoice['batch_no']}")


def _field(label: str, value: Any) -> None:
    if value not in (None, ""):
        say(f"  {label:<12} {value}")


def _fields(label: str, values: Sequence[str]) -> None:
    for position, value in enumerate(values):
        _field("" if position else label, value)
