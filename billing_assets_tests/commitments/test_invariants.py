"""Each invariant of the ledger: a ledger that keeps it, and one that does not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.commitments.invariants import (
    applied_access,
    covered_outside_access,
    overdrawn_balances,
    repeated_entries,
    unbalanced_balances,
    unexplained_deductions,
    unmatched_rollovers,
)
from billing_assets.invoicing.invariants import line_arithmetic
from billing_assets_tests.commitments.book import FEBRUARY, JANUARY, Book, balance, day, line
from billing_assets_tests.commitments.strategies import books
from billing_assets_tests.commitments.test_covered import invoice

TEXT = pl.String()
ENTRY = dict.fromkeys(("entry_id", "balance_id", "segment_id", "entry_type", "invoice_id", "customer_id", "unit"), TEXT)
DATES = ("starting_at", "ending_before", "service_period_start", "service_period_end")
ITEM = dict.fromkeys(("invoice_id", "line_item_id", "line_type", "segment_id"), TEXT)


def ledger(*rows: tuple[str, str, int], **terms: Any) -> pl.LazyFrame:
    """(segment, type, amount) each."""
    listed = [{"entry_id": str(number), "balance_id": "b", "segment_id": segment, "entry_type": kind,
               "amount": Decimal(amount), "customer_id": "u", "unit": "USD", "invoice_id": "i", "batch_no": 1, **terms}
              for number, (segment, kind, amount) in enumerate(rows)]  # fmt: skip
    return pl.LazyFrame(listed, schema={**ENTRY, "amount": DECIMAL, "batch_no": pl.Int64()})


def items(*rows: dict[str, Any]) -> pl.LazyFrame:
    schema = {**ITEM, **dict.fromkeys(("quantity", "unit_price", "amount"), DECIMAL),
              **dict.fromkeys(DATES, TIMESTAMP)}  # fmt: skip
    whole = {"invoice_id": "i", "line_type": "usage", "quantity": Decimal(1), "unit_price": Decimal(0),
             "amount": Decimal(0), "segment_id": None, "starting_at": JANUARY, "ending_before": FEBRUARY}  # fmt: skip
    return pl.LazyFrame(
        [{**whole, "line_item_id": str(number), **row} for number, row in enumerate(rows)], schema=schema
    )


def found(broken: pl.LazyFrame) -> int:
    return broken.collect().height


def test_a_balance_below_zero_is_found_unless_somebody_took_it_away() -> None:
    rows = [("a", "GRANT", 5), ("a", "DEDUCTION", -6)]
    assert found(overdrawn_balances(ledger(*rows))) == 1
    assert found(overdrawn_balances(ledger(rows[0], ("a", "DEDUCTION", -5)))) == 0
    assert found(overdrawn_balances(ledger(*rows, ("a", "MANUAL", 0)))) == 0


@pytest.mark.parametrize(("drawn", "breaches"), [(60, 0), (61, 1)])
def test_what_is_granted_is_somewhere(drawn: int, breaches: int) -> None:
    row = {"segment_id": "a", "granted": 100, "drawn": drawn, "expired": 10, "rolled_over": 10, "remaining": 20}
    assert found(unbalanced_balances(pl.LazyFrame([row]))) == breaches


def test_what_rolls_out_rolls_in_in_the_same_batch_and_unit() -> None:
    rows = [("a", "ROLLOVER_OUT", -5), ("b", "ROLLOVER_IN", 5)]
    assert found(unmatched_rollovers(ledger(*rows))) == 0
    assert found(unmatched_rollovers(pl.concat([ledger(rows[0]), ledger(rows[1], unit="EUR")]))) == 2


def test_a_movement_is_there_once() -> None:
    once = ledger(("a", "GRANT", 5))
    assert found(repeated_entries(once)) == 0
    assert found(repeated_entries(pl.concat([once, once]))) == 1


def test_a_deduction_is_what_the_lines_say() -> None:
    applied = {"line_type": "applied_commit_or_credit", "segment_id": "a", "amount": Decimal(-5)}
    part = {"segment_id": "a", "quantity": Decimal(7)}
    assert found(unexplained_deductions(items(applied, part), ledger(("a", "DEDUCTION", -5)))) == 0
    assert found(unexplained_deductions(items(applied, part), ledger(("a", "DEDUCTION", -6)))) == 1
    assert found(unexplained_deductions(items(applied), ledger())) == 1
    assert found(unexplained_deductions(items(), ledger(("a", "DEDUCTION", -5)))) == 1
    by_units = ledger(("a", "DEDUCTION", -7), unit="quantity:api")
    assert found(unexplained_deductions(items(applied, part), by_units)) == 0


@pytest.mark.parametrize(("start", "end", "breaches"), [(JANUARY, day(15), 0), (day(2), day(16), 1)])
def test_nothing_is_covered_outside_its_segment(start: datetime, end: datetime, breaches: int) -> None:
    covered = {"segment_id": "a", "starting_at": start, "ending_before": end}
    access = {"segment_id": "a", "access_starting_at": JANUARY, "access_ending_before": day(15)}
    assert found(covered_outside_access(items(covered, {}), pl.LazyFrame([access]))) == breaches


def test_final_lines_are_held_against_the_access_that_their_invoice_shows() -> None:
    period = {"service_period_start": JANUARY, "service_period_end": day(31)}
    applied = {"line_type": "applied_commit_or_credit", "segment_id": "a", "invoice_id": "i", **period}
    used = {"segment_id": "a", "invoice_id": "i", "starting_at": day(3), "ending_before": day(9)}
    whole, cut = ({"starting_at": JANUARY, "ending_before": end} for end in (day(31), day(8)))
    for shown, breaches in ((whole, 0), (cut, 1)):
        lines = items(used, {**applied, **shown})
        assert found(covered_outside_access(lines, applied_access(lines))) == breaches


def test_a_line_is_multiplied_exactly_where_nothing_is_drawn() -> None:
    off = {"quantity": Decimal("3.333333333333"), "unit_price": Decimal(3), "amount": Decimal(10)}
    drawn = {"line_type": "applied_commit_or_credit", "segment_id": "a"}
    assert found(line_arithmetic(items(off))) == 1
    assert found(line_arithmetic(items({**off, "segment_id": "a"}, drawn))) == 0
    assert found(line_arithmetic(items({**off, "segment_id": "a", "amount": Decimal("10.00000000001")}, drawn))) == 1
    assert found(line_arithmetic(items({**off, "line_type": "scheduled"}, drawn))) == 1


@settings(max_examples=12)
@given(books())
def test_covered_lines_multiply(book: Book) -> None:
    """Of any lines and balances: what drawdown makes of them passes what is checked before a batch is written."""
    lines = invoice(book).lazy().with_columns(line_item_id=pl.lit("x"))
    assert found(line_arithmetic(lines)) == 0


def test_a_remainder_of_many_draws_multiplies() -> None:
    held = [balance(f"b{number}", "0.333333333331", balance_position=number) for number in range(9)]
    lines = invoice(Book([line(1, 10, "0.7"), line(2, 3, "30000.1")], held)).lazy()
    assert found(line_arithmetic(lines.with_columns(line_item_id=pl.lit("x")))) == 0
