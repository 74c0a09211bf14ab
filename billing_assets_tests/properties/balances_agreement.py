"""What the oracle of commitments says after each of three closes, beside what the engine wrote; and where they differ.

As a program, for many books: `python -m billing_assets_tests.properties.balances_agreement 150 [FIRST_SEED]`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from billing_assets_tests.oracle.book_commitments import CLOSES, commitments_books, merged
from billing_assets_tests.oracle.commitments import Settled, settle, total
from billing_assets_tests.oracle.exact import plain
from billing_assets_tests.oracle.rating_of_atoms import Item
from billing_assets_tests.oracle.strategies import Book
from billing_assets_tests.pipeline.closing import Books, Closed

Row = tuple[Any, ...]
SHOWN = 40


def figure(value: Any) -> str:
    """A number to the last digit; no negative zero."""
    return f"{(plain(value) if isinstance(value, Fraction) else value) + 0:.12f}"


def of_oracle(found: Settled) -> dict[str, Counter[Row]]:
    """The oracle's invoices, lines and movements."""
    invoices: Counter[Row] = Counter()
    lines: Counter[Row] = Counter()
    for bill in found.bills:
        if bill.at > found.now and bill.kind != "USAGE":
            continue
        key = (bill.contract["id"], bill.kind, (bill.start or bill.at) if bill.kind != "TRUEUP" else bill.at.date())
        sums = [Fraction(0)] * 3
        for item in bill.items:
            kind = 1 if item.line_type == "applied_commit_or_credit" else 2 if item.line_type == "discount" else 0
            sums[kind] += item.amount if item.in_total else 0
            lines[(*key, *line_row(item))] += 1
        status = "FINALIZED" if bill.final else "DRAFT"
        money = (sums[0] + sums[2], sums[2], sums[1], total(bill))
        invoices[(*key, status, bill.month, *map(figure, money))] += 1
    rows = [(one.segment_id, one.entry_type, one.amount, one.at, one.month, one.final) for one in found.entries]
    entries = movements(rows, found.now)
    return {"invoice": invoices, "line": lines, "ledger": entries, "balance": balances_of(found)}


def movements(rows: Sequence[Row], now: datetime) -> Counter[Row]:
    """All but openings, and true-ups and rollovers to come; with the month of deductions."""
    return Counter(
        (name, kind, figure(amount), at, month if kind == "DEDUCTION" else "", final)
        for name, kind, amount, at, month, final in rows
        if amount != 0 and shown(kind) and (kind not in ("TRUEUP", "ROLLOVER_OUT") or at <= now)
    )


def shown(entry_type: str) -> bool:
    return entry_type not in ("GRANT", "ROLLOVER_IN")


def balances_of(found: Settled) -> Counter[Row]:
    """Per segment that has begun: (granted, drawn or expired or rolled over by final invoices, remaining)."""
    sums: dict[str, Fraction] = {}
    begun = {one.segment_id for one in found.balances if one.start <= found.now and one.after is None}
    for one in found.entries:
        if one.final or one.entry_type in ("GRANT", "ROLLOVER_IN"):
            sums[one.segment_id] = sums.get(one.segment_id, Fraction(0)) + one.amount
    return Counter((name, figure(amount)) for name, amount in sums.items() if name in begun)


def line_row(item: Item) -> Row:
    dates = item.start if item.line_type in ("usage", "subscription") else None
    figures = tuple(map(figure, (item.quantity, item.unit_price, item.amount)))
    groups = item.keys if item.line_type == "usage" else (None, None)
    return (
        item.line_type, item.product["id"], *groups, item.tier_level if item.line_type == "usage" else None, dates,
        *figures, item.in_total, item.segment_id, item.discount_id,
    )  # fmt: skip


def of_engine(books: Books, closed: Closed, now: datetime, begun: set[str]) -> dict[str, Counter[Row]]:
    """The engine's side, of the same grain."""
    invoices: Counter[Row] = Counter()
    lines: Counter[Row] = Counter()
    keys: dict[str, Row | None] = {}
    for row in closed.invoices.iter_rows(named=True):
        kind = row["invoice_type"]
        at = row["period_start"] if kind == "USAGE" else row["invoice_date"] if kind == "TRUEUP" else dated(row)
        late = at > now.date() if kind == "TRUEUP" else kind != "USAGE" and at > now
        keys[row["invoice_id"]] = None if late else (row["contract_id"], row["invoice_type"], at)
        if not late:
            money = (row["subtotal"], row["discounts"], row["credits_applied"], row["total"])
            invoices[(*keys[row["invoice_id"]], row["status"], row["close_month"], *map(figure, money))] += 1  # type: ignore[misc]
    for row in closed.line_items.iter_rows(named=True):
        key = keys[row["invoice_id"]]
        if key is not None and row["line_type"] != "rounding":
            lines[(*key, *engine_line(row))] += 1
    entries, balances = ledger(books, now, begun)
    return {"invoice": invoices, "line": lines, "ledger": entries, "balance": balances}


def dated(row: Mapping[str, Any]) -> datetime:
    """The instant of an invoice without a period."""
    found: datetime = row["period_start"] or row["issued_at"]
    return found


def engine_line(row: Mapping[str, Any]) -> Row:
    usage = row["line_type"] == "usage"
    dates = row["starting_at"] if row["line_type"] in ("usage", "subscription") else None
    figures = tuple(figure(row[name]) for name in ("quantity", "unit_price", "amount"))
    groups = (row["pricing_group_values"], row["presentation_group_values"]) if usage else (None, None)
    applied = row["segment_id"] if row["line_type"] == "applied_commit_or_credit" else None
    level = row["tier_level"] if usage else None
    about = (row["line_type"], row["product_id"], *groups, level, dates)
    return (*about, *figures, row["in_total"], applied, row["discount_id"])


def ledger(books: Books, now: datetime, begun: set[str]) -> tuple[Counter[Row], Counter[Row]]:
    """Closings and deductions, final or pending; and what each segment that has begun has left in the ledger."""
    lake = books.lake
    names = ["segment_id", "entry_type", "amount", "effective_at", "close_month"]
    rows: list[Row] = []
    for table, final in (("ledger_entries", True), ("pending_ledger_entries", False)):
        rows += [(*row, final) for row in lake.collect(lake.scan(table)).select(names).rows()]
    entries = movements(rows, now)
    sums: dict[str, Fraction] = {}
    for name, kind, amount, _, _, final in rows:
        if final or not shown(kind):
            sums[name] = sums.get(name, Fraction(0)) + Fraction(amount)
    return entries, Counter((name, figure(amount)) for name, amount in sums.items() if name in begun)


def differences(root: Path, books: Sequence[Book]) -> list[str]:
    """Closes the books three times and compares after each; every difference as text, empty where both agree."""
    catalog, batches = merged(books)
    opened, found = Books.open(root, catalog), []
    for number, now in enumerate(CLOSES):
        batch = batches[number]
        if batch.events:
            opened.receive({f"{number}.jsonl": batch.events}, batch.arrived_at)
        closed = opened.close(now)
        expected = settle(catalog, batches[: number + 1], now)
        theirs = of_oracle(expected)
        begun = {one.segment_id for one in expected.balances if one.start <= now and one.after is None}
        ours = of_engine(opened, closed, now, begun)
        for what in ours:
            found += [
                f"{now:%b} {what}: engine only {shown_row(one)}" for one in (ours[what] - theirs[what]).elements()
            ]
            found += [
                f"{now:%b} {what}: oracle only {shown_row(one)}" for one in (theirs[what] - ours[what]).elements()
            ]
    return sorted(found)


def shown_row(row: Row) -> str:
    return ", ".join(one.isoformat() if isinstance(one, datetime) else str(one) for one in row)


def main(count: int, first: int) -> int:
    """Compares `count` books; the number of differences."""
    books = commitments_books(first, count)
    with tempfile.TemporaryDirectory() as root:
        found = differences(Path(root), books)
    contracts = sum(len(one.catalog["contracts"]) for one in books)
    print(f"{count} books, {contracts} contracts, {len(CLOSES)} closes: {len(found)} differences", *found, sep="\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
