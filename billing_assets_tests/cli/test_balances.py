"""Balances, their ledger, and manual entries, over a small known ledger and through real processes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.runs.actions import Action, record_action
from billing_assets.runs.books import apply_decisions
from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.books import AT, typed, write_batch
from billing_assets_tests.cli.process import billing, billing_json

Row = dict[str, Any]
START, END = datetime(2023, 11, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC)


def entry(number: int, entry_type: str, amount: str, **changes: Any) -> Row:
    row: Row = {
        "close_month": "2023-11", "entry_id": f"le_{number}", "balance_id": "prepaid", "balance_type": "PREPAID",
        "segment_id": "prepaid/1", "customer_id": "acme", "contract_id": "acme-2023", "entry_type": entry_type,
        "amount": Decimal(amount), "unit": "USD", "effective_at": START,
    }  # fmt: skip
    return {**row, **changes}


def balance(segment: str, remaining: str, **changes: Any) -> Row:
    row: Row = {
        "balance_id": segment.partition("/")[0], "segment_id": segment, "balance_type": "PREPAID",
        "customer_id": "acme", "contract_id": "acme-2023", "unit": "USD", "granted": Decimal(1000),
        "remaining": Decimal(remaining), "access_starting_at": START, "access_ending_before": END,
    }  # fmt: skip
    return {**row, **changes}


@pytest.fixture
def books(tmp_path: Path) -> Path:
    lake = Lake(tmp_path / "lake")
    final = [entry(1, "GRANT", "1000"), entry(2, "DEDUCTION", "-250.5", invoice_id="inv_1", effective_at=AT)]
    seal = {"close_month": "2023-10", "sealed_at": AT, "by": "test"}
    write_batch(lake, {"ledger_entries": final, "month_closes": [seal]})
    drafts = [entry(3, "DEDUCTION", "-9.5", invoice_id="inv_2", close_month="2023-12", batch_no=None, effective_at=END)]
    lake.overwrite("pending_ledger_entries", typed("pending_ledger_entries", drafts))
    rows = [balance("prepaid/1", "749.5"), balance("twice/1", "5"), balance("twice/2", "5", unit="ai-credits")]
    lake.overwrite("balances", typed("balances", rows))
    lake.overwrite("customers", typed("customers", [{"customer_id": "acme", "name": "Acme", "is_current": True}]))
    return tmp_path


def test_balances_are_listed(books: Path) -> None:
    found = billing_json(books, "balances", "--customer", "acme")["balances"]
    assert [(row["segment_id"], row["remaining"], row["unit"]) for row in found] == [
        ("prepaid/1", "749.50", "USD"), ("twice/1", "5.00", "USD"), ("twice/2", "5", "ai-credits"),
    ]  # fmt: skip
    assert "749.50" in billing(books, "balances").stdout
    assert billing(books, "balances", "--customer", "acne").returncode == 1


def test_the_ledger_tells_final_from_pending(books: Path) -> None:
    found = billing_json(books, "balances", "--ledger")["ledger"]
    assert [(row["entry_type"], row["amount"], row["state"]) for row in found] == [
        ("GRANT", "1000.00", "final"), ("DEDUCTION", "-250.50", "final"), ("DEDUCTION", "-9.50", "pending"),
    ]  # fmt: skip


def test_an_adjustment_is_an_action_and_an_entry(books: Path) -> None:
    done = billing(
        books, "adjust", "prepaid", "--amount", "0.1234567890123", "--reason", "goodwill", "--at", "2023-11-15"
    )
    assert (done.returncode, done.stdout) == (2, "")  # 12 decimal places at most: nothing was written
    done = billing(books, "adjust", "prepaid", "--amount", "-0.5", "--reason", "goodwill", "--at", "2023-11-15")
    assert done.stdout == "action 1: added -0.5 USD to prepaid/1 at 2023-11-15\n"
    lake = Lake(books / "lake")
    written = lake.collect(lake.scan("ledger_entries").filter(pl.col("entry_type") == "MANUAL"))
    assert written.select("segment_id", "amount", "reason", "close_month", "batch_no").rows() == [
        ("prepaid/1", Decimal("-0.5"), "goodwill", "2023-11", 2)
    ]
    action = lake.collect(lake.scan("actions")).row(0, named=True)
    assert (action["kind"], action["target"], action["reason"]) == ("adjust", "prepaid/1", "goodwill")
    assert apply_decisions(lake, "test", AT) == []


def test_a_dry_run_writes_nothing(books: Path) -> None:
    found = billing_json(books, "adjust", "prepaid/1", "--amount", "3", "--reason", "try", "--dry-run")
    assert (found["written"], found["entry"]["amount"], found["entry"]["action_no"]) == (False, "3.00", None)
    assert not Lake(books / "lake").exists("actions")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["twice", "--amount", "1", "--reason", "r"], 2, "name one of: twice/1, twice/2"),
        (["prepayed", "--amount", "1", "--reason", "r"], 1, "nearest: prepaid"),
        (["prepaid", "--amount", "0", "--reason", "r"], 2, "found 0"),
        (["prepaid", "--amount", "much", "--reason", "r"], 2, "found 'much'"),
        (["prepaid", "--amount", "1", "--reason", " "], 2, "--reason"),
        (["prepaid", "--amount", "1", "--reason", "r", "--at", "2023-10-31"], 2, "2023-10 is sealed"),
        (["prepaid", "--amount", "1", "--reason", "r", "--now", "2999-01-01"], 2, "later than the clock"),
    ],
)
def test_what_cannot_be_adjusted_is_refused(books: Path, arguments: list[str], code: int, message: str) -> None:
    done = billing(books, "adjust", *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert not Lake(books / "lake").exists("actions")


def test_an_adjustment_of_a_killed_process_is_applied_by_the_next(books: Path) -> None:
    lake = Lake(books / "lake")
    payload = {
        "balance_id": "prepaid", "balance_type": "PREPAID", "segment_id": "prepaid/1", "customer_id": "acme",
        "contract_id": None, "unit": "USD", "amount": "7", "effective_at": "2023-11-20T00:00:00+00:00",
    }  # fmt: skip
    assert record_action(lake, Action("adjust", "prepaid/1", payload, "before the crash", "someone", AT)) == 1
    billing(books, "adjust", "prepaid", "--amount", "5", "--reason", "after", "--at", "2023-11-21")
    written = lake.collect(lake.scan("ledger_entries").filter(pl.col("entry_type") == "MANUAL").sort("amount"))
    assert written.select("amount", "reason", "batch_no").rows() == [
        (Decimal(5), "after", 2), (Decimal(7), "before the crash", 2),
    ]  # fmt: skip
