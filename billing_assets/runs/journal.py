"""The journal of what is final: read from the books, checked, and as the rows of a month's files."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from billing_assets import bookkeeping
from billing_assets.bookkeeping.accounts import COMMIT_PURCHASE, kind_of, name_of
from billing_assets.errors import InvariantBreach
from billing_assets.money import zero
from billing_assets.reconcile import Invariant
from billing_assets.runs.reports import CheckResult
from billing_assets.storage.lake import Lake

FILES = ("journal", "journal_details", "control_totals")
"""What `month_of` makes, by name: what is posted, the exact entries behind it, and the totals of the accounts."""

JOURNAL = ("close_month", "posting_date", "voucher_id", "line", "voucher_type", "document_date", "due_date",
           "invoice_number", "account", "account_name", "debit", "credit", "currency", "customer_id", "contract_id",
           "product_id", "balance_id", "invoice_id", "posting_id")  # fmt: skip
DETAILS = ("close_month", "posting_date", "posting_id", "voucher_id", "account", "amount", "currency", "customer_id",
           "contract_id", "product_id", "balance_id", "invoice_id", "line_item_id", "ledger_entry_id")  # fmt: skip
TOTALS = ("close_month", "currency", "account", "account_name", "kind", "opening", "debits", "credits", "closing")

RULES = {
    "journal_exact": ("line_items", "the entries of each invoice and movement add up to 0"),
    "journal_balances": ("line_items", "what is posted of each invoice and movement adds up to 0"),
    "journal_rounded": ("ledger_entries", "each prepaid balance is posted with its exact amount, rounded once"),
    "receivable_is_sealed": ("month_closes", "the receivable of a sealed month grew by the totals of its seal"),
    "liability_at_cost": ("ledger_entries", "the accounts of each prepaid balance are what is left of it at cost"),
    "liability_not_negative": ("ledger_entries", "no liability is a debit, no contract asset a credit"),
}
"""What must hold of the journal, by the name of its check: the table that it speaks about, and the rule."""


def month_of(lake: Lake, month: str) -> dict[str, pl.DataFrame]:
    """FILES of the month. Raises InvariantBreach, and makes nothing, where the journal breaks a rule of `checks`."""
    books, found = of_lake(lake)
    if broken := [one for one in checks_of(lake, books, found) if one.discrepancies.height]:
        names = ", ".join(one.invariant.name for one in broken)
        raise InvariantBreach(f"the journal breaks {names}; nothing was written; `billing check` lists the rows")
    own = pl.col("month") == month
    frames = {
        "journal": as_journal(found.postings.filter(own)),
        "journal_details": as_details(found.entries.filter(own)),
        "control_totals": as_totals(bookkeeping.control_totals(found.postings, month)),
    }
    return lake.collect_all(frames)


def as_journal(posted: pl.LazyFrame) -> pl.LazyFrame:
    """JOURNAL, by voucher; its lines are numbered from 1, debits first."""
    amount = pl.col("amount")
    return (
        posted.with_columns(
            close_month="month",
            account_name=name_of(pl.col("account")),
            debit=pl.when(amount > zero()).then(amount),
            credit=pl.when(amount < zero()).then(-amount),
        )
        .sort("posting_date", "voucher_id", "currency", amount < zero(), "account", "product_id", "posting_id")
        .with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64).over("voucher_id") + 1)
        .select(JOURNAL)
    )


def as_details(entries: pl.LazyFrame) -> pl.LazyFrame:
    """DETAILS, in the order of the journal."""
    order = ("posting_date", "voucher_id", "account", "posting_id", "line_item_id", "ledger_entry_id", "amount")
    return entries.with_columns(close_month="month").sort(order).select(DETAILS)


def as_totals(totals: pl.LazyFrame) -> pl.LazyFrame:
    """TOTALS, by currency and account."""
    named = totals.with_columns(account_name=name_of(pl.col("account")), kind=kind_of(pl.col("account")))
    return named.select(TOTALS).sort("currency", "account")


def checks(lake: Lake) -> tuple[CheckResult, ...]:
    """Everything that must hold of the journal, with the rows that break it."""
    books, found = of_lake(lake)
    return checks_of(lake, books, found)


def checks_of(lake: Lake, books: bookkeeping.Books, found: bookkeeping.Journal) -> tuple[CheckResult, ...]:
    purchases = books.line_items.filter(pl.col("line_type") == COMMIT_PURCHASE)
    broken = {
        "journal_exact": bookkeeping.unbalanced(found.entries),
        "journal_balances": bookkeeping.unbalanced(found.postings),
        "journal_rounded": bookkeeping.unrounded(found),
        "receivable_is_sealed": bookkeeping.receivables_of_seals(found.postings, books.month_closes),
        "liability_at_cost": bookkeeping.liabilities_at_cost(found, books.invoices, purchases),
        "liability_not_negative": bookkeeping.liabilities_below_zero(found.postings),
    }
    rows = lake.collect_all({name: frame.sort(pl.all()) for name, frame in broken.items()})
    return tuple(CheckResult(Invariant(name, *RULES[name], _is_given(rows[name])), rows[name]) for name in broken)


def of_lake(lake: Lake) -> tuple[bookkeeping.Books, bookkeeping.Journal]:
    """The books that are committed, and their journal from the first month on."""

    def hold(frame: pl.LazyFrame) -> pl.LazyFrame:
        return lake.collect(frame).lazy()

    books = bookkeeping.Books(*(lake.scan(name) for name in BOOKS))
    return books, bookkeeping.journal(books, hold)


BOOKS = ("invoices", "line_items", "ledger_entries", "month_closes")


def _is_given(rows: pl.DataFrame) -> Callable[[object], pl.LazyFrame]:
    return lambda _: rows.lazy()
