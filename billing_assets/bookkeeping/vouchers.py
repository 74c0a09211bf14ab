"""Vouchers of invoices: one when an invoice is issued, one more when it is voided; their month and dates."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import TIMESTAMP

INVOICE, VOID = "INVOICE", "VOID"


def vouchers(invoices: pl.LazyFrame, seals: pl.LazyFrame) -> pl.LazyFrame:
    """Grain voucher_id, the invoice's id or `<id>-void`: `sign` is -1 where everything is booked the other way round.

    An invoice is booked in its close_month; one that is regenerated into a month that is sealed already, in the month
    in which it was finalized. A void is booked in the month of the void. `at` orders the vouchers of a month.
    """
    sealed = seals.select("close_month", sealed_by="batch_no")
    late = (pl.col("batch_no") > pl.col("sealed_by")).fill_null(value=False)
    issued = invoices.join(sealed, on="close_month", how="left").select(
        *_OF_INVOICE,
        voucher_id="invoice_id",
        voucher_type=pl.lit(INVOICE),
        month=pl.when(late).then(pl.col("finalized_at").dt.strftime("%Y-%m")).otherwise("close_month"),
        at=pl.coalesce("period_end", pl.col("invoice_date").cast(TIMESTAMP)),
        document_date="invoice_date",
        due_date=pl.col("due_at").dt.date(),
        sign=pl.lit(1, dtype=pl.Int8),
    )
    voided = invoices.filter(pl.col("status") == VOID).select(
        *_OF_INVOICE,
        voucher_id=void_of(pl.col("invoice_id")),
        voucher_type=pl.lit(VOID),
        month=pl.col("voided_at").dt.strftime("%Y-%m"),
        at="voided_at",
        document_date=pl.col("voided_at").dt.date(),
        due_date=pl.lit(None, dtype=pl.Date),
        sign=pl.lit(-1, dtype=pl.Int8),
    )
    return pl.concat([issued, voided]).with_columns(posting_date=posting_date(pl.col("month"), pl.col("document_date")))


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
