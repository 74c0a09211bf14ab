"""The journal of books: exact entries, each with its source, and the postings that they add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_assets.bookkeeping.accounts import COMMIT_PURCHASE, MANUAL, OF_ENTRIES
from billing_assets.bookkeeping.of_lines import applied, charges, conversions, lines_of_vouchers, receivables
from billing_assets.bookkeeping.positions import positions
from billing_assets.bookkeeping.postings import posting_id, postings
from billing_assets.bookkeeping.releases import releases
from billing_assets.bookkeeping.vouchers import late_rows, posting_date, vouchers
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.columns import DECIMAL
from billing_assets.money import zero

Hold = Callable[[pl.LazyFrame], pl.LazyFrame]
"""A frame, computed once for all that read it."""

ENTRY = ("voucher_id", "account", "amount", "customer_id", "contract_id", "product_id", "balance_id", "line_item_id",
         "ledger_entry_id")  # fmt: skip
VOUCHER = ("voucher_id", "voucher_type", "month", "at", "posting_date", "document_date", "due_date", "currency",
           "invoice_id", "invoice_number", "sealed_month")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Books:
    """What is final: the tables invoices, line_items, ledger_entries and month_closes."""

    invoices: pl.LazyFrame
    line_items: pl.LazyFrame
    ledger_entries: pl.LazyFrame
    month_closes: pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Journal:
    """entries: exact, grain (source, account), with `posting_id`. postings: what they come to, grain posting_id. Both:
    amount, debits positive; month, voucher_id, voucher_type, posting_date, document_date, currency, customer_id,
    contract_id, product_id, balance_id, invoice_id, invoice_number. releases: the ledger at cost."""

    entries: pl.LazyFrame
    postings: pl.LazyFrame
    releases: pl.LazyFrame


def journal(books: Books, hold: Hold) -> Journal:
    """The whole journal, from the first month on; rules in docs/bookkeeping.md."""
    issued = hold(vouchers(books.invoices, books.month_closes))
    lines = hold(lines_of_vouchers(books.line_items, issued))
    late = late_rows(books.ledger_entries, books.invoices, books.month_closes)
    released = releases(books.ledger_entries, issued, late)
    owners = hold(owners_of_balances(lines, released))
    released = hold(with_currency(released, owners, issued))
    own = released.filter(pl.col("kind") != "DEDUCTION")
    parts = (
        receivables(issued),
        charges(lines),
        applied(lines, released),
        conversions(lines, released),
        with_owners(positions(lines, released), owners),
        counter_entries(own, owners),
    )
    entries = pl.concat([_as_entries(part) for part in parts]).filter(pl.col("amount") != zero())
    dated = entries.join(pl.concat([issued.select(VOUCHER), of_ledger(own)]), on="voucher_id")
    entries = hold(dated.with_columns(posting_id=posting_id()))
    return Journal(entries, hold(described(postings(entries, MINOR_DIGITS), entries)), released)


def described(posted: pl.LazyFrame, entries: pl.LazyFrame) -> pl.LazyFrame:
    """`posted` with the kind, date and invoice of its voucher."""
    of_voucher = ("voucher_id", "voucher_type", "document_date", "due_date", "invoice_id", "invoice_number",
                  "sealed_month")  # fmt: skip
    return posted.join(entries.select(of_voucher).unique("voucher_id", keep="any"), on="voucher_id")


def owners_of_balances(lines: pl.LazyFrame, released: pl.LazyFrame) -> pl.LazyFrame:
    """Grain balance_id: whose it is, the product that it is sold as, and the currency in which it is charged; of a
    rollover the product and currency of the balance that it comes from."""
    charged = (
        lines.filter(pl.col("line_type") == COMMIT_PURCHASE)
        .sort("balance_id", "month", "at", "line_item_id")
        .group_by("balance_id")
        .agg(pl.col("product_id", "currency").first(), payer=pl.col("customer_id").first(),
             payer_contract=pl.col("contract_id").first())
    )  # fmt: skip
    in_ledger = (
        released.sort("balance_id", "month", "at", "entry_id")
        .group_by("balance_id")
        .agg(
            pl.col("customer_id", "contract_id", "unit").first(),
            drawn_in=pl.col("invoice_currency").drop_nulls().first(),
        )
    )
    source = (
        released.filter(pl.col("entry_type") == "ROLLOVER_IN")
        .select("balance_id", "voucher_id")
        .join(
            released.filter(pl.col("entry_type") == "ROLLOVER_OUT").select("voucher_id", source="balance_id"),
            on="voucher_id",
        )
        .join(charged.select("product_id", "currency", source="balance_id"), on="source")
        .select("balance_id", sold_as="product_id", sold_in="currency")
    )
    is_money = pl.col("unit").is_in(list(MINOR_DIGITS))
    return (
        in_ledger.join(charged, on="balance_id", how="full", coalesce=True)
        .join(source, on="balance_id", how="left")
        .select(
            "balance_id",
            product_id=pl.coalesce("product_id", "sold_as"),
            balance_currency=pl.coalesce(pl.when(is_money).then("unit"), "currency", "sold_in", "drawn_in"),
            customer_id=pl.coalesce("customer_id", "payer"),
            contract_id=pl.coalesce("contract_id", "payer_contract"),
        )
    )


def with_currency(released: pl.LazyFrame, owners: pl.LazyFrame, issued: pl.LazyFrame) -> pl.LazyFrame:
    """`released` with `currency`: that of its invoice, else of its balance, else of its contract's invoices."""
    by_contract = issued.sort("at", "voucher_id").group_by("contract_id")
    of_contracts = by_contract.agg(contract_currency=pl.col("currency").first())
    return (
        released.join(owners.select("balance_id", "balance_currency"), on="balance_id", how="left")
        .join(of_contracts, on="contract_id", how="left")
        .with_columns(currency=pl.coalesce("invoice_currency", "balance_currency", "contract_currency"))
        .drop("balance_currency", "contract_currency")
    )


def with_owners(entries: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    return entries.join(owners.drop("balance_currency"), on="balance_id", how="left")


def counter_entries(own: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """The other side of movements that no invoice has. A rollover has none: what one balance loses another gets."""
    return (
        own.filter(~pl.col("kind").is_in(["ROLLOVER_OUT", "ROLLOVER_IN"]), pl.col("release") != zero())
        .select(
            "voucher_id",
            "balance_id",
            ledger_entry_id="entry_id",
            account=pl.col("kind").replace_strict(OF_ENTRIES, default=MANUAL, return_dtype=pl.String),
            amount=-pl.col("release"),
        )
        .pipe(with_owners, owners)
    )


def of_ledger(own: pl.LazyFrame) -> pl.LazyFrame:
    """Vouchers of movements that no invoice has; the two sides of a rollover are one."""
    rolls, date = pl.col("kind") == "ROLLOVER_OUT", pl.col("at").dt.date()
    absent = pl.lit(None, dtype=pl.String)
    return (
        own.filter(pl.col("kind") != "ROLLOVER_IN")
        .with_columns(
            voucher_type=pl.when(rolls).then(pl.lit("ROLLOVER")).otherwise("entry_type"),
            document_date=date,
            due_date=pl.lit(None, dtype=pl.Date),
            sealed_month=absent,
            posting_date=posting_date(pl.col("month"), date),
            invoice_id=absent,
            invoice_number=absent,
        )
        .select(VOUCHER)
    )


def _as_entries(part: pl.LazyFrame) -> pl.LazyFrame:
    present = part.collect_schema().names()
    types = {"amount": DECIMAL}
    return part.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(types.get(name, pl.String())).alias(name)
        for name in ENTRY
    )
