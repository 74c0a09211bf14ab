"""Vouchers of invoices: one when an invoice is issued, one more when it is voided; their month and dates."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP

INVOICE, VOID = "INVOICE", "VOID"


def vouchers(invoices: pl.LazyFrame, seals: pl.LazyFrame) -> pl.LazyFrame:
    """Grain voucher_id, the invoice's id or `<id>-void`: `sign` is -1 where everything is booked the other way round.

    An invoice is booked in its close_month, but one that replaces another in the month in which it became final, if
    that is later: its month may be sealed, and the void that it follows is booked then, too. A void is booked in the
    month of the void. `at` orders the vouchers of a month. sealed_month: the month whose seal counts the invoice.
    """
    sealed = seals.select("close_month", sealed_by="batch_no")
    replaces = pl.col("replaces_invoice_id").is_not_null() | (pl.col("batch_no") > pl.col("sealed_by")).fill_null(
        value=False
    )
    final_in, dated = (
        month_of(pl.col("finalized_at")),
        pl.coalesce("period_end", pl.col("invoice_date").cast(TIMESTAMP)),
    )
    issued = invoices.join(sealed, on="close_month", how="left").select(
        *_OF_INVOICE,
        voucher_id="invoice_id",
        voucher_type=pl.lit(INVOICE),
        month=pl.when(replaces).then(pl.max_horizontal(final_in, "close_month")).otherwise("close_month"),
        at=pl.when(replaces).then("finalized_at").otherwise(dated),
        document_date="invoice_date",
        due_date=pl.col("due_at").dt.date(),
        sign=pl.lit(1, dtype=pl.Int8),
        sealed_month=pl.when(pl.col("batch_no") <= pl.col("sealed_by")).then("close_month"),
    )
    voided = invoices.filter(pl.col("status") == VOID).select(
        *_OF_INVOICE,
        voucher_id=void_of(pl.col("invoice_id")),
        voucher_type=pl.lit(VOID),
        month=month_of(pl.col("voided_at")),
        at="voided_at",
        document_date=pl.col("voided_at").dt.date(),
        due_date=pl.lit(None, dtype=pl.Date),
        sign=pl.lit(-1, dtype=pl.Int8),
        sealed_month=pl.lit(None, dtype=pl.String),
    )
    return pl.concat([issued, voided]).with_columns(posting_date=posting_date(pl.col("month"), pl.col("at").dt.date()))


def late_rows(ledger: pl.LazyFrame, invoices: pl.LazyFrame, seals: pl.LazyFrame) -> pl.LazyFrame:
    """Grain entry_id of rows that came into a month after its seal, with a replacement: `late_at`, when that was."""
    batches = invoices.group_by("batch_no").agg(late_at=pl.col("finalized_at").min())
    sealed = seals.select("close_month", sealed_by="batch_no")
    after = ledger.select("entry_id", "close_month", "batch_no").join(sealed, on="close_month")
    return (
        after.filter(pl.col("batch_no") > pl.col("sealed_by"))
        .join(batches, on="batch_no")
        .select("entry_id", "late_at")
    )


def month_of(at: pl.Expr) -> pl.Expr:
    return at.dt.strftime("%Y-%m")


_OF_INVOICE = ("invoice_id", "invoice_number", "currency", "payer_customer_id", "contract_id", "total")


def void_of(invoice_id: pl.Expr) -> pl.Expr:
    """The voucher that takes an invoice back."""
    return pl.concat_str(invoice_id, pl.lit("-void"))


def posting_date(month: pl.Expr, date: pl.Expr) -> pl.Expr:
    """`date`, or the nearest day of `month`: a period that ends with November is dated December 1."""
    first = pl.concat_str(month, pl.lit("-01")).str.to_date()
    return pl.min_horizontal(pl.max_horizontal(date, first), first.dt.month_end())


def signed(amount: pl.Expr, sign: pl.Expr) -> pl.Expr:
    return pl.when(sign < 0).then(-amount).otherwise(amount)
