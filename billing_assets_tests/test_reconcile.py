"""Invariants over stored tables: what they must survive."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

from billing_assets.charges.invariants import overlapping_fees, repeated_charges
from billing_assets.columns import DECIMAL
from billing_assets.invoicing.invariants import line_arithmetic, overlapping_periods
from billing_assets.schemas import TABLES

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
LARGE = Decimal(10**15)


def test_lines_are_multiplied_row_by_row_not_by_the_extremes_of_their_file(tmp_path: Path) -> None:
    """The smallest quantity times the smallest price of a file does not fit; no line has that product."""
    rows = [
        {"quantity": -LARGE, "unit_price": Decimal(1), "amount": -LARGE},
        {"quantity": Decimal(1), "unit_price": -LARGE, "amount": -LARGE},
        {"quantity": Decimal(2), "unit_price": Decimal(3), "amount": Decimal(7)},
        {"quantity": None, "unit_price": None, "amount": Decimal(5)},
    ]
    names = ("quantity", "unit_price", "amount")
    lines = pl.DataFrame(rows, schema=dict.fromkeys(names, DECIMAL)).with_row_index("line_item_id")
    about = lines.with_columns(
        pl.col("line_item_id").cast(pl.String), invoice_id=pl.lit("i"), line_type=pl.lit("usage"),
        segment_id=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    write_deltalake(tmp_path, about)
    found = line_arithmetic(pl.scan_delta(tmp_path)).collect()
    assert found["line_item_id"].to_list() == ["2"]


def test_a_charge_is_on_one_invoice_that_is_not_void() -> None:
    at = datetime(2026, 1, 15, tzinfo=UTC)
    charge = {"origin_contract_id": "c", "line_type": "scheduled", "scheduled_charge_id": "fee", "starting_at": at}
    lines = [
        {**charge, "invoice_id": "first", "amount": 50},
        {**charge, "invoice_id": "first", "amount": 7},  # two items of one schedule
        {**charge, "invoice_id": "again", "amount": 50},
        {**charge, "invoice_id": "void", "amount": 7},
    ]
    invoices = [{"invoice_id": name, "status": "FINALIZED"} for name in ("first", "again")]
    found = repeated_charges(
        table("invoices", [*invoices, {"invoice_id": "void", "status": "VOID"}]), table("line_items", lines)
    )
    assert found.select("scheduled_charge_id", "amount", "invoice_id").collect().rows() == [("fee", 50, "again, first")]


def test_a_subscription_is_charged_for_each_hour_once() -> None:
    def fee(start: int, end: int, invoice: str = "i") -> dict[str, Any]:
        dates = {"service_period_start": JANUARY.replace(day=start), "service_period_end": JANUARY.replace(day=end)}
        line = {"origin_contract_id": "c", "line_type": "subscription", "subscription_id": "s", "invoice_id": invoice}
        return {**line, **dates, "starting_at": dates["service_period_start"]}

    invoices = table("invoices", [{"invoice_id": "i", "status": "FINALIZED"}, {"invoice_id": "v", "status": "VOID"}])
    seats_and_more = [fee(1, 10), fee(1, 10) | {"starting_at": JANUARY.replace(day=5)}, fee(10, 20)]
    assert overlapping_fees(invoices, table("line_items", [*seats_and_more, fee(2, 9, "v")])).collect().is_empty()
    found = overlapping_fees(invoices, table("line_items", [*seats_and_more, fee(19, 25)])).collect()
    assert found["starting_at"].to_list() == [JANUARY.replace(day=19)]


def test_an_hour_is_in_one_period_that_is_closed() -> None:
    def closed(start: int, end: int, contract: str = "c", invoice: str = "i") -> dict[str, Any]:
        dates = {"period_start": JANUARY.replace(day=start), "period_end": JANUARY.replace(day=end)}
        return {"contract_id": contract, "invoice_id": invoice, "is_late": False, **dates}

    invoices = table("invoices", [{"invoice_id": "i", "status": "FINALIZED"}, {"invoice_id": "v", "status": "VOID"}])
    apart = [closed(1, 10), closed(10, 20), closed(5, 15, "d"), closed(1, 20, invoice="v")]
    assert overlapping_periods(table("closed_periods", apart), invoices).collect().is_empty()
    found = overlapping_periods(table("closed_periods", [*apart, closed(2, 3)]), invoices).collect()
    assert found["period_start"].to_list() == [JANUARY.replace(day=2)]


def table(name: str, rows: list[dict[str, Any]]) -> pl.LazyFrame:
    """`rows` with every column of the table; what they do not say is null."""
    columns = TABLES[name].empty().collect_schema()
    return pl.LazyFrame([dict.fromkeys(columns) | row for row in rows], schema=columns)
