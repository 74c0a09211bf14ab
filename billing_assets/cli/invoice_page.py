"""An invoice as a page: who, when, what by product, how much."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from billing_assets.cli.figures import group, moment, money, number, reasons, span, tier
from billing_assets.cli.holds import next_step
from billing_assets.cli.output import Column, Row, heading, loud, paragraph, print_table, say, width

ADJUSTMENTS = ("minimum_adjustment", "maximum_adjustment", "discount", "rounding")
ADDRESS = ("city", "postal_code", "zip", "region", "state", "country")
"""How an address ends; whatever else it has comes before, as line1, line2."""
WIDE = 110
"""Columns from which dates have a column of their own."""


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
        paragraph(next_step(reason, invoice), indent=4)
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
    parts = sorted(address, key=lambda part: (ADDRESS.index(part) if part in ADDRESS else -1, part))
    values = [", ".join(map(str, one)) if isinstance(one, list) else one for one in map(address.get, parts)]
    return [", ".join(str(value) for value in values if value)]


def _tax_ids(tax_ids: Any) -> list[str]:
    texts = [" ".join(map(str, one.values())) if isinstance(one, dict) else str(one) for one in tax_ids or ()]
    return [f"tax id {text}" for text in texts]


def _print_lines(invoice: Row, lines: Sequence[Row], verbose: bool) -> None:
    """One table, so that the columns of all products stand under each other; a heading row for each product."""
    say()
    if not lines:
        say("No lines.")
        return
    rows: list[Row] = []
    for (_, name), of_product in groupby(lines, key=lambda line: (line["product_id"], line["name"])):
        chosen = list(of_product)
        units = {line["unit"] for line in chosen if line["unit"]}
        is_common = len(units) == 1
        rows.append({"heading": f"{name}, in {', '.join(units)}" if is_common else name})
        rows += [{**line, "shown_unit": None if is_common else line["unit"]} for line in chosen]
    print_table(rows, _columns(verbose))


def _columns(verbose: bool) -> list[Column]:
    edge = width()
    if edge is not None and edge < WIDE:
        item = [Column("item", _item(lambda line: "\n".join(f"  {text}" for text in _narrow(line, verbose))))]
    else:
        between = ", " if edge is None else "\n  "
        item = [
            Column("item", _item(lambda line: f"  {between.join([_wide(line), *_origin(line, verbose)])}")),
            Column("dates", _of_line(_dates)),
        ]
    return [
        *item,
        Column("quantity", _of_line(lambda line: _counted(line, "quantity")), numeric=True),
        Column("unit price", _of_line(lambda line: _counted(line, "unit_price")), numeric=True),
        Column("amount", _of_line(lambda line: money(line["amount"], line["amount_unit"])), numeric=True),
    ]


def _item(cell: Callable[[Row], str]) -> Callable[[Row], str]:
    """`cell` of a line; on a heading row the product's name."""
    return lambda row: str(row["heading"]) if "heading" in row else cell(row)


def _of_line(cell: Callable[[Row], str]) -> Callable[[Row], str]:
    """`cell` of a line; nothing on a heading row."""
    return lambda row: "" if "heading" in row else cell(row)


def _wide(line: Row) -> str:
    return ", ".join(_details(line))


def _narrow(line: Row, verbose: bool) -> list[str]:
    return [*_details(line), _dates(line), *_origin(line, verbose)]


def _details(line: Row) -> list[str]:
    """What tells a line from the others of its product."""
    details = [
        "" if line["line_type"] == "usage" else line["line_type"].replace("_", " "),
        group(line["pricing_group_values"], line["presentation_group_values"]),
        tier(line["tier_level"], line["tier_lower"], line["tier_upper"]),
        "fee" if is_fee(line) else "",
        f"in {line['shown_unit']}" if line["shown_unit"] else "",
        "" if line["in_total"] else "not in the total",
    ]
    return [detail for detail in details if detail] or [str(line["rate_type"] or line["line_type"]).lower()]


def is_fee(line: Row) -> bool:
    """Whether a usage line is a fee beside what is counted: such a line has no events of its own."""
    return line["line_type"] == "usage" and line["event_count"] is None


def _origin(line: Row, verbose: bool) -> list[str]:
    """Where a line comes from, for --verbose."""
    if not verbose:
        return []
    origins = [
        f"rate {line['rate_id']}" if line["rate_id"] else "",
        f"override {line['override_id']}" if line["override_id"] else "",
        f"{line['event_count']:,} events" if line["event_count"] is not None else "",
        f"line {line['line_number']} {line['line_item_id']}",
    ]
    return [origin for origin in origins if origin]


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
