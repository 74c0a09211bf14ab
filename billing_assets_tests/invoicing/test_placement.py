"""Placement: a charge is on exactly one invoice (cases 0.9, 11, 35, 65)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from billing_assets.columns import TIMESTAMP
from billing_assets_tests.charges.book import Book, at, read

CHARGES = {
    "contract_id": pl.String(), "payer_contract_id": pl.String(), "placed_at": TIMESTAMP, "placement": pl.String(),
}  # fmt: skip


def charges(*rows: tuple[str, str], contract: str = "c") -> pl.LazyFrame:
    found = [(contract, contract, at(when), placement) for when, placement in rows]
    return pl.LazyFrame(found, schema=CHARGES, orient="row")


def where(book: Book, when: str, placement: str, since: str = "2020-01-01", until: str = "2027-01-01") -> Any:
    """(period_start, period_end) of the usage invoice, or the instant of the SCHEDULED one."""
    placed = book.placed(charges((when, placement)), book.usage(since, until))
    invoices = {row[0]: row[1] for row in read(placed.scheduled, "invoice_id", "charged_at")}
    [(invoice, start, end)] = read(placed.charges, "invoice_id", "period_start", "period_end")
    return invoices.get(invoice, (start, end))


JANUARY, FEBRUARY = ("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")


@pytest.mark.parametrize(
    ("when", "placement", "found"),
    [
        ("2026-01-01", "AT", "2026-01-01"),
        ("2026-02-01", "AT", JANUARY),
        ("2026-01-17", "AT", "2026-01-17"),
        ("2026-02-01", "WITHIN", JANUARY),
        ("2026-02-01T01:00", "WITHIN", FEBRUARY),
        ("2026-02-01T05:00", "ON_DATE", JANUARY),
        ("2026-02-01T05:00", "AT", "2026-02-01T05"),
        ("2026-01-31", "ON_DATE", "2026-01-31"),
        ("2026-02-01", "ALONE", "2026-02-01"),
    ],
)
def test_on_the_usage_invoice_or_on_one_of_its_own(when: str, placement: str, found: Any) -> None:
    assert where(Book().contract(), when, placement) == found


def test_a_final_usage_invoice_takes_no_more_charges() -> None:
    assert where(Book().contract(), "2026-02-01", "AT", since="2026-02-01") == "2026-02-01"
    assert where(Book().contract(), "2026-02-01", "WITHIN", since="2026-02-01") == "2026-02-01"


def test_periods_that_end_within_the_day_are_matched_by_date() -> None:
    book = Book().contract(anchor="2026-01-10T06:00")
    assert where(book, "2026-02-10", "ON_DATE") == ("2026-01-10T06", "2026-02-10T06")
    assert where(book, "2026-02-10", "AT") == "2026-02-10"


def test_of_two_periods_that_end_on_a_date_the_earlier_one() -> None:
    book = Book().contract(start="2026-01-09", end="2026-01-10T12:00", anchor="2026-01-10T06:00")
    assert where(book, "2026-01-10", "ON_DATE") == ("2026-01-09", "2026-01-10T06")
    assert where(book, "2026-01-10", "ON_DATE", since="2026-01-10T06:00") == ("2026-01-10T06", "2026-01-10T12")


def test_charges_of_one_instant_share_a_scheduled_invoice() -> None:
    book = Book().contract().contract("d")
    mine = charges(("2026-01-05", "ALONE"), ("2026-01-05", "AT"), ("2026-01-06", "ALONE"))
    placed = book.placed(pl.concat([mine, charges(("2026-01-05", "ALONE"), contract="d")]))
    assert read(placed.scheduled, "contract_id", "charged_at") == [
        ("c", "2026-01-05"),
        ("c", "2026-01-06"),
        ("d", "2026-01-05"),
    ]
    assert placed.charges.collect().get_column("invoice_id").n_unique() == 3
    assert placed.charges.collect().height == 4


def test_a_scheduled_invoice_is_dated_and_issued_at_its_instant() -> None:
    book = Book().contract(net_payment_terms_days=14)
    headers = book.placed(charges(("2026-02-01", "ALONE"))).scheduled
    columns = ("invoice_type", "close_month", "issued_at", "due_at", "customer_id", "bill_to", "regeneration")
    assert read(headers, *columns) == [("SCHEDULED", "2026-02", "2026-02-01", "2026-02-15", "of c", "{}", 0)]
    assert f"{headers.collect().get_column('invoice_date').item()}" == "2026-02-01"


def test_a_scheduled_header_has_every_column_of_a_usage_header_that_names_the_invoice() -> None:
    book = Book().contract()
    usage = set(book.headers("2020-01-01", "2026-03-01").collect_schema().names())
    headers = set(book.placed(charges(("2026-02-01", "ALONE"))).scheduled.collect_schema().names())
    terms_of_the_contract = {
        "starting_at", "ending_before", "frequency_months", "frequency_weeks", "anchor_at", "full_start", "full_end",
        "late_usage", "multiplier_override_prioritization", "bills_charges_on_usage_invoices", "payer_contract_id",
        "invoice_contract_id", "invoice_period_start", "invoice_period_end",
    }  # fmt: skip
    assert usage - headers == terms_of_the_contract
    assert headers - usage == {"charged_at"}


def test_the_id_depends_on_contract_and_instant_alone() -> None:
    book = Book().contract()
    first = book.placed(charges(("2026-02-01", "ALONE"))).scheduled.collect()
    again = book.placed(charges(("2026-02-01", "ALONE"), ("2026-02-01", "AT"), ("2026-03-01", "ALONE")),
                        book.usage("2026-03-01", "2026-04-01")).scheduled.sort("charged_at").collect()  # fmt: skip
    assert first.get_column("invoice_id").item() == again.get_column("invoice_id")[0]
    assert again.get_column("invoice_id").n_unique() == 2
    usage = book.usage("2020-01-01", "2027-01-01").collect().get_column("invoice_id")
    assert not set(usage) & set(again.get_column("invoice_id"))


def test_a_charge_that_comes_after_its_scheduled_invoice_is_on_another_one() -> None:
    book = Book().contract()
    first = book.placed(charges(("2026-02-01", "ALONE"))).scheduled.collect()
    late = book.placed(charges(("2026-02-01", "ALONE")), taken=[("c", at("2026-02-01"), 0)]).scheduled.collect()
    assert late.get_column("regeneration").to_list() == [1]
    assert late.get_column("invoice_id").item() != first.get_column("invoice_id").item()


def test_who_pays_gets_the_invoice_and_the_line_keeps_its_contract() -> None:
    book = Book().contract("parent").contract("child", payer_contract_id="parent")
    paid = charges(("2026-01-05", "ALONE"), ("2026-02-01", "AT"), contract="child")
    placed = book.placed(paid.with_columns(payer_contract_id=pl.lit("parent")))
    assert read(placed.scheduled, "contract_id", "customer_id") == [("parent", "of parent")]
    assert read(placed.charges, "placed_at", "contract_id", "period_end") == [
        ("2026-01-05", "child", None),
        ("2026-02-01", "child", "2026-02-01"),
    ]
