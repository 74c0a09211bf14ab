"""A small lake with known books, written through the lake and real batches: what the reading commands show.

Acme has a final USD invoice with tiers, a price change, a minimum and a rounding line; Sakura a final one in JPY;
Nightly a held draft, Acme a draft of the next month. One more books batch is left unfinished: its invoice must
never be seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.runs import batches
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

Row = dict[str, Any]

AT = datetime(2023, 12, 2, tzinfo=UTC)
START, CHANGE, END = (datetime(2023, 11, day, hour, tzinfo=UTC) for day, hour in ((1, 0), (16, 19), (30, 0)))
NEXT = datetime(2023, 12, 1, tzinfo=UTC)
JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
CATALOG_VERSION = "c0ffee" * 8
ACME, SAKURA, HELD, DRAFT, UNFINISHED = (
    f"inv_{digits}" for digits in ("5f2c10", "5f2d20", "aa0001", "bb0002", "cc0003")
)
LARGE = '{"model":"chat-large"}'
EU = '{"region":"eu"}'


def typed(table: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as the table's dtypes; of absent columns the nullable ones null, the others some value of their dtype."""
    spec = TABLES[table]
    fillers: dict[Any, Any] = {pl.Int64(): 0, pl.String(): "{}", DECIMAL: Decimal(0), TIMESTAMP: AT}
    absent = {name: None if one.nullable else fillers.get(one.dtype) for name, one in spec.columns.items()}
    complete = [{name: row.get(name, absent[name]) for name in spec.columns} for row in rows]
    return pl.DataFrame(complete, schema=spec.schema, orient="row")


def invoice(invoice_id: str, customer: str, total: str, **changes: Any) -> Row:
    amount = Decimal(total)
    row: Row = {
        "close_month": "2023-11",
        "invoice_id": invoice_id,
        "number_series": "HI-2023-{number}",
        "invoice_type": "USAGE",
        "status": "FINALIZED",
        "customer_id": customer,
        "payer_customer_id": customer,
        "contract_id": f"{customer}-2023",
        "currency": "USD",
        "period_start": START,
        "period_end": NEXT,
        "invoice_date": date(2023, 12, 1),
        "subtotal": amount,
        "total": amount,
        **dict.fromkeys(("discounts", "credits_applied", "postpaid_applied", "late_usage", "rounding"), Decimal(0)),
        "issued_at": AT,
        "due_at": datetime(2023, 12, 16, tzinfo=UTC),
        "finalized_at": AT,
        "regeneration": 0,
        "issuing_entity": "Halcyon Inference Inc.",
        "bill_to": json.dumps({"name": f"{customer.title()} Inc.", "email": f"ap@{customer}.example"}),
        "line_count": 0,
        "content_hash": "0" * 64,
        "events_through": 1,
        "ledger_through": 0,
        "actions_through": 0,
        "catalog_version": CATALOG_VERSION,
        "computed_as_of": AT,
        "engine_version": "0.1.0",
        "hold_reasons": "[]",
    }
    return {**row, **changes}


def draft(invoice_id: str, customer: str, total: str, **changes: Any) -> Row:
    absent = dict.fromkeys(("invoice_number", "number_series", "number_sequence", "finalized_at", "batch_no"))
    return invoice(invoice_id, customer, total, status="DRAFT", **{**absent, **changes})


def line(invoice_id: str, number: int, amount: str, **changes: Any) -> Row:
    row: Row = {
        "close_month": "2023-11",
        "line_item_id": f"li_{invoice_id}_{number}",
        "invoice_id": invoice_id,
        "line_number": number,
        "customer_id": "acme",
        "contract_id": "acme-2023",
        "line_type": "usage",
        "product_id": "output-tokens",
        "product_type": "USAGE",
        "name": "Output tokens",
        "unit": "thousand tokens",
        "amount": Decimal(amount),
        "amount_unit": "USD",
        "in_total": True,
        "starting_at": START,
        "ending_before": NEXT,
        "pricing_group_values": LARGE,
        "presentation_group_values": EU,
        "rate_type": "TIERED",
        "event_count": 7,
    }
    return {**row, **changes}


def acme_lines() -> list[Row]:
    def tier(level: int, lower: str | None, upper: str | None) -> Row:
        bounds = {"tier_lower": lower and Decimal(lower), "tier_upper": upper and Decimal(upper)}
        return {"tier_level": level, **bounds}

    whole = {"unit": None, "quantity": Decimal(1), "rate_type": None, "event_count": None}
    return [
        line(ACME, 1, "12", quantity=Decimal(200), unit_price=Decimal("0.06"), ending_before=CHANGE,
             **tier(1, None, "200")),
        line(ACME, 2, "4.4652", quantity=Decimal("89.304"), unit_price=Decimal("0.05"), ending_before=CHANGE,
             **tier(2, "200", "1000")),
        line(ACME, 3, "5.34688", quantity=Decimal("133.672"), unit_price=Decimal("0.04"), starting_at=CHANGE,
             **tier(3, "1000", None)),
        line(ACME, 4, "1200.5", line_type="minimum_adjustment", unit_price=Decimal("1200.5"), **whole),
        line(ACME, 5, "0.0000025", product_id="requests", name="Requests", quantity=Decimal(1), unit=None,
             unit_price=Decimal("0.0000025"), rate_type="FLAT", pricing_group_values='{"model":null}',
             presentation_group_values="{}"),
        line(ACME, 6, "-0.0020825", line_type="rounding", name="Rounding", product_id=None, product_type=None,
             unit_price=Decimal("-0.0020825"), pricing_group_values=None, presentation_group_values=None, **whole),
    ]  # fmt: skip


def unbilled(disposition: str, customer_ref: str, events: int, day: int, **changes: Any) -> Row:
    row: Row = {
        "month": "2023-11",
        "disposition": disposition,
        "billable_metric_id": "output_tokens",
        "customer_ref": customer_ref,
        "group_values": LARGE,
        "usage_date": date(2023, 11, day),
        "event_count": events,
        "quantity": Decimal(events * 100),
        "first_transaction_id": f"{customer_ref}-{day}-first",
        "last_transaction_id": f"{customer_ref}-{day}-last",
    }
    return {**row, **changes}


def usage(customer: str, day: int, quantity: str, **changes: Any) -> Row:
    row: Row = {
        "month": "2023-11",
        "billable_metric_id": "output_tokens",
        "customer_id": customer,
        "contract_id": f"{customer}-2023",
        "group_key": '["model"]',
        "group_values": LARGE,
        "usage_date": date(2023, 11, day),
        "quantity": Decimal(quantity),
        "cumulative": Decimal(quantity),
        "event_count": 3,
    }
    return {**row, **changes}


def write_books(root: Path) -> Lake:
    """The lake, closed once."""
    lake = Lake(str(root))
    acme = invoice(
        ACME, "acme", "1222.31", number_sequence=1, invoice_number="HI-2023-000001", line_count=6,
        subtotal=Decimal("1222.3120825"), rounding=Decimal("-0.0020825"),
        bill_to=json.dumps({"name": "Acme Inc.", "address": {"line1": "1 Main Street", "city": "Springfield"},
                            "tax_ids": [{"type": "eu_vat", "value": "DE1"}], "email": "ap@acme.example"}),
    )  # fmt: skip
    sakura = invoice(SAKURA, "sakura", "3390", number_sequence=2, invoice_number="HI-2023-000002", currency="JPY")
    yen = line(
        SAKURA, 1, "3390", customer_id="sakura", contract_id="sakura-2023", amount_unit="JPY", quantity=Decimal(1),
        unit_price=Decimal(3390), event_count=None,
    )  # fmt: skip
    seal = {"close_month": "2023-10", "sealed_at": AT, "by": "test"}
    write_batch(lake, {"line_items": [*acme_lines(), yen], "invoices": [acme, sakura], "month_closes": [seal]})
    _leave_unfinished(lake, invoice(UNFINISHED, "acme", "1", number_sequence=3, invoice_number="HI-2023-000003"))
    held = draft(HELD, "nightly", "0.25", hold_reasons='["UNRATED_USAGE"]')
    coming = draft(DRAFT, "acme", "12.5", close_month="2023-12", period_start=NEXT, period_end=JANUARY,
                   issued_at=datetime(2024, 1, 2, tzinfo=UTC))  # fmt: skip
    lake.overwrite("draft_invoices", typed("draft_invoices", [held, coming]))
    coming_month = {"close_month": "2023-12", "starting_at": NEXT, "ending_before": JANUARY, "tier_level": 1}
    draft_lines = [
        line(DRAFT, 1, "7.5", quantity=Decimal(150), unit_price=Decimal("0.05"), **coming_month),
        line(DRAFT, 2, "5", quantity=Decimal(1), unit_price=Decimal(5), event_count=None, **coming_month),
    ]
    lake.overwrite("draft_line_items", typed("draft_line_items", draft_lines))
    lake.replace_slice("usage", typed("usage", daily_usage()), {"month": "2023-11"})
    lake.replace_slice("unbilled_usage", typed("unbilled_usage", unbilled_usage()), {"month": "2023-11"})
    lake.overwrite("customers", typed("customers", map(_customer, ("acme", "nightly", "sakura"))))
    return lake


def daily_usage() -> list[Row]:
    return [
        usage("acme", 3, "1500.5"),
        usage("acme", 4, "2000"),
        usage("acme", 4, "2000", group_key='["model","region"]', group_values='{"model":"chat-large","region":"eu"}'),
        usage("sakura", 3, "12", group_values='{"model":null}'),
    ]


def unbilled_usage() -> list[Row]:
    return [
        unbilled("unattributed", "org_7731", 100, 5),
        unbilled("unattributed", "org_7731", 16, 2),
        unbilled("unrated", "nightly", 101, 7, reason="no_rate", product_id="output-tokens",
                 contract_id="nightly-2023", customer_id="nightly"),
    ]  # fmt: skip


def _customer(name: str) -> Row:
    return {"catalog_version": CATALOG_VERSION, "is_current": True, "customer_id": name, "name": name.title()}


def write_batch(lake: Lake, tables: Mapping[str, list[Row]]) -> None:
    """A committed batch of the books with these rows."""

    def finish(batch: batches.Batch) -> None:
        for table in batch.tables:
            if table in tables:
                batch.write(table, typed(table, [{**row, "batch_no": batch.batch_no} for row in tables[table]]))
        batch.commit()

    batches.run(lake, "books", _intent, finish, clock=lambda: AT, by="test")


def _leave_unfinished(lake: Lake, row: Row) -> None:
    batch = batches.begin(lake, "books", _intent, lambda _: None, clock=lambda: AT, by="test")
    assert batch is not None
    batch.write("invoices", typed("invoices", [{**row, "batch_no": batch.batch_no}]))


def _intent(_batch_no: int) -> dict[str, Any]:
    return {"kind": "close", "month": "2023-11", "now": AT}
