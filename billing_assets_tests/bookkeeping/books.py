"""Books written by hand: a few invoices with their lines, a few movements, and what the journal makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from billing_assets import bookkeeping
from billing_assets.columns import DECIMAL
from billing_assets.schemas import TABLES

Row = dict[str, Any]


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def money(text: str) -> Decimal:
    return Decimal(text)


@dataclass
class Written:
    """Rows of the tables; customer u, contract c, in USD."""

    invoices: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    seals: list[Row] = field(default_factory=list)

    def invoice(self, name: str, end: str, total: str, lines: Iterable[Row], **changes: Any) -> None:
        """Dated `end`: the day after the period; `month` is that of its last day."""
        last = day(end)
        month = f"{last:%Y-%m}" if last.day > 1 else f"{last.year - (last.month == 1)}-{(last.month - 2) % 12 + 1:02}"
        row = {
            "close_month": month, "invoice_id": name, "status": "FINALIZED", "customer_id": "u",
            "payer_customer_id": "u", "contract_id": "c", "currency": "USD", "invoice_date": last.date(),
            "total": money(total), "finalized_at": last, "batch_no": 1,
        }  # fmt: skip
        self.invoices.append(row | changes)
        for number, line in enumerate(lines, start=1):
            own = {"invoice_id": name, "line_number": number, "line_item_id": f"{name}-{number}", "customer_id": "u"}
            self.lines.append({"contract_id": "c", "amount_unit": "USD", "in_total": True} | own | line)

    def move(self, entry_type: str, amount: str, at: str, segment: str = "b/1", **changes: Any) -> None:
        """One movement; its month is that of `at` unless it says another."""
        row = {
            "close_month": at[:7], "entry_id": f"le-{len(self.ledger)}", "balance_id": segment.rpartition("/")[0],
            "balance_type": "PREPAID", "segment_id": segment, "customer_id": "u", "contract_id": "c",
            "entry_type": entry_type, "amount": money(amount), "unit": "USD", "effective_at": day(at), "batch_no": 1,
        }  # fmt: skip
        self.ledger.append(row | changes)

    def books(self) -> bookkeeping.Books:
        rows = (self.invoices, self.lines, self.ledger, self.seals)
        names = ("invoices", "line_items", "ledger_entries", "month_closes")
        return bookkeeping.Books(*(table(name, own) for name, own in zip(names, rows, strict=True)))

    def journal(self) -> bookkeeping.Journal:
        return bookkeeping.journal(self.books(), lambda frame: frame.collect().lazy())


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pl.LazyFrame:
    spec = TABLES[name]
    complete = [{column: row.get(column) for column in spec.columns} for row in rows]
    return pl.LazyFrame(complete, schema=spec.schema, orient="row")


def usage(amount: str, product: str = "tokens", **more: Any) -> Row:
    return {"line_type": "usage", "product_id": product, "product_type": "USAGE", "amount": money(amount), **more}


def applied(amount: str, product: str = "tokens", segment: str = "b/1", **more: Any) -> Row:
    """What `segment` pays of a product, positive."""
    own = {"line_type": "applied_commit_or_credit", "product_id": product, "product_type": "USAGE"}
    return own | {"amount": -money(amount), "segment_id": segment, "balance_id": segment.rpartition("/")[0]} | more


def line(line_type: str, amount: str, **more: Any) -> Row:
    return {"line_type": line_type, "amount": money(amount), **more}


def posted(found: bookkeeping.Journal) -> dict[str, dict[str, str]]:
    """Per voucher, what is posted on each account, debits positive, as the shortest text."""
    by_account = (
        found.postings.group_by("voucher_id", "account")
        .agg(pl.col("amount").sum().cast(DECIMAL))
        .filter(pl.col("amount") != 0)
        .sort("voucher_id", "account")
    )
    vouchers: dict[str, dict[str, str]] = {}
    for row in by_account.collect().iter_rows(named=True):
        vouchers.setdefault(row["voucher_id"], {})[row["account"]] = short(row["amount"])
    return vouchers


def exact(found: bookkeeping.Journal, account: str) -> list[str]:
    """The exact entries of an account, in the order of the vouchers."""
    rows = found.entries.filter(pl.col("account") == account).sort("month", "at", "voucher_id")
    return [short(amount) for amount in rows.collect()["amount"]]


def months(found: bookkeeping.Journal) -> dict[str, str]:
    return dict(found.postings.select("voucher_id", "month").unique().sort("voucher_id").collect().rows())


def short(amount: Decimal) -> str:
    text = f"{amount:f}".rstrip("0").rstrip(".")
    return text or "0"


def breaches(written: Written) -> dict[str, list[tuple[Any, ...]]]:
    """Every rule that the journal breaks, with the rows."""
    books, found = written.books(), written.journal()
    purchases = books.line_items.filter(pl.col("line_type") == "commit_purchase")
    rules = {
        "unbalanced entries": bookkeeping.unbalanced(found.entries),
        "unbalanced postings": bookkeeping.unbalanced(found.postings),
        "unrounded": bookkeeping.unrounded(found),
        "sealed": bookkeeping.receivables_of_seals(found.postings, books.month_closes),
        "at cost": bookkeeping.liabilities_at_cost(found, books.invoices, purchases),
        "below zero": bookkeeping.liabilities_below_zero(found.postings),
    }
    return {name: rows for name, frame in rules.items() if (rows := frame.collect().rows())}
