"""Generated books closed month by month: nothing is lost, and how often they are closed changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets_tests.commitments.book import Row, balance, line
from billing_assets_tests.commitments.closes import (
    Books,
    contract,
    scheduled_invoice,
    trueup_terms,
    usage_invoice,
)

STARTS = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4, 5)]
LABELS = ["2026-01", "2026-02", "2026-03", "2026-04"]
HOUR, LATER = timedelta(hours=1), timedelta(days=2)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Contract c, perhaps renewed by d, and e of the same customer; invoices by month, and some in advance."""
    renewal = draw(st.sampled_from((None, 1, 2)))
    end = STARTS[renewal] if renewal else None
    contracts = [contract("c", STARTS[0], end), contract("e", STARTS[0])]
    if renewal:
        contracts.append(contract("d", STARTS[renewal], None, follows_contract_id="c", transition_type="RENEWAL"))
    invoices, lines = [], []
    for month, start in enumerate(STARTS[:3]):
        mine = "d" if renewal and month >= renewal else "c"
        for name in (mine, "e"):
            invoices.append(usage_invoice(f"{name}{month}", start, STARTS[month + 1], contract_id=name))
            lines += [draw(lines_of(10 * len(invoices) + number, name, f"{name}{month}", start, STARTS[month + 1]))
                      for number in range(draw(st.integers(0, 2)))]  # fmt: skip
        if draw(st.booleans()):
            invoices.append(scheduled_invoice(f"s{month}", start, contract_id=mine))
            fee = {"line_type": "subscription", "incurred_from": start, "incurred_to": start + HOUR}
            lines.append(
                line(1000 + month, draw(st.integers(1, 20)), 1, contract_id=mine, invoice_id=f"s{month}", **fee)
            )
    held = [draw(balances_of(number)) for number in range(draw(st.integers(1, 4)))]
    shares = [{"commit_id": row["commit_id"], "contract_id": name} for row in held if row["contract_id"] is None
              for name in draw(st.sets(st.sampled_from(("c", "d", "e")), min_size=1))]  # fmt: skip
    terms = [trueup_terms(row["balance_id"], row["ending_before"]) for row in held if row["balance_type"] == "POSTPAID"]
    return {
        "lines": lines,
        "balances": held,
        "invoices": invoices,
        "contracts": contracts,
        "shares": shares,
        "terms": terms,
    }


@st.composite
def lines_of(draw: st.DrawFn, key: int, contract_id: str, invoice: str, start: datetime, end: datetime) -> Row:
    span = draw(st.sampled_from(((start, end), (start, start + 10 * timedelta(days=1)), (start + LATER, end))))
    return line(key, draw(st.integers(-5, 60)), draw(st.sampled_from(("1", "3", "0.07"))), contract_id=contract_id,
                invoice_id=invoice, incurred_from=span[0], incurred_to=span[1])  # fmt: skip


@st.composite
def balances_of(draw: st.DrawFn, number: int) -> Row:
    kind = draw(st.sampled_from(("PREPAID", "CREDIT", "POSTPAID")))
    first, last = sorted(draw(st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True)))
    owner = draw(st.sampled_from(("c", "c", "e", None)))
    rolls = draw(st.sampled_from((None, Decimal("0.5"), Decimal(1)))) if kind != "POSTPAID" else None
    return balance(f"b{number}", draw(st.integers(1, 150)), balance_type=kind, contract_id=owner,
                   contract_count=1 if owner else 2, starting_at=STARTS[first], ending_before=STARTS[last],
                   rollover_fraction=rolls if owner == "c" else None, balance_position=number)  # fmt: skip


def closed(world: dict[str, Any], months: tuple[int, ...], held: dict[int, set[str]] | None = None) -> Books:
    books = Books(**world)
    for month in months:
        before = books.ledger
        books.close(STARTS[month + 1] + LATER, LABELS[month], (held or {}).get(month, ()))
        assert books.ledger.head(before.height).equals(before)
        conserved(books)
    return books


def conserved(books: Books) -> None:
    """Granted = drawn + expired + rolled over + remaining, nothing below zero, what goes out comes in."""
    table = books.table()
    parts = pl.sum_horizontal("drawn", "expired", "rolled_over", "remaining")
    assert table.filter(pl.col("granted") != parts).is_empty()
    assert table.filter(pl.min_horizontal("granted", "drawn", "expired", "rolled_over", "remaining") < 0).is_empty()
    assert books.ledger["entry_id"].is_unique().all()
    rolled = books.ledger.filter(pl.col("entry_type").str.starts_with("ROLLOVER"))
    assert rolled["amount"].sum() == 0


@settings(max_examples=8)
@given(worlds(), st.sets(st.sampled_from(("c0", "c1", "e0", "e1"))))
def test_nothing_is_lost_whatever_is_held_for_a_month(world: dict[str, Any], held: set[str]) -> None:
    """What is held is taken up by the next close, with all that waits behind it."""
    behind = {row["invoice_id"] for row in world["invoices"]} if held else set()
    books = closed(world, (0, 1, 2, 3), {0: behind, 1: behind})
    last = books.table()
    over = last.filter(pl.col("access_ending_before") <= STARTS[4])
    assert over["remaining"].sum() == 0
    assert books.final == {row["invoice_id"] for row in world["invoices"]}


@settings(max_examples=8)
@given(worlds())
def test_how_often_it_is_closed_changes_nothing(world: dict[str, Any]) -> None:
    columns = ["balance_id", "segment_id", "entry_type", "unit", "effective_at", "invoice_id"]
    monthly, once = closed(world, (0, 1, 2, 3)), closed(world, (3,))
    told = [books.ledger.group_by(columns).agg(pl.col("amount").sum()).sort(columns) for books in (monthly, once)]
    assert told[0].equals(told[1])
