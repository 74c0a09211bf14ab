"""What must hold of invoices and their lines; each function returns the rows that break it."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.invoicing.drafts import SUMS, content_hash, line_contents
from billing_assets.invoicing.lines import sums
from billing_assets.money import decimal, zero

SPLIT_TYPES = ("usage", "minimum_adjustment", "subscription", "composite", "late_usage")
"""Lines of which balances may cover a part."""
_TICK = decimal("0.000000000001")


def invoice_sums(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """Each invoice's stored sums against the sums of its lines; none in another currency is in its total."""
    of_currency = items.join(invoices.select("invoice_id", "currency"), on="invoice_id").filter(
        ~pl.col("in_total") | (pl.col("amount_unit") == pl.col("currency"))
    )
    computed = sums(of_currency).rename({name: f"{name}_of_lines" for name in (*SUMS, "line_count")})
    joined = invoices.select("invoice_id", *SUMS, "line_count").join(computed, on="invoice_id", how="left")
    differs = [pl.col(name) != pl.col(f"{name}_of_lines").fill_null(zero()) for name in SUMS]
    count_differs = pl.col("line_count") != pl.col("line_count_of_lines").fill_null(0)
    composed = pl.col("subtotal") + pl.col("credits_applied") + pl.col("rounding")
    return joined.filter(pl.any_horizontal(*differs, count_differs, composed != pl.col("total")))


def line_numbers(items: pl.LazyFrame) -> pl.LazyFrame:
    """Invoices whose lines are not numbered 1..n, or that repeat a line id."""
    return (
        items.group_by("invoice_id")
        .agg(
            lines=pl.len(),
            distinct_ids=pl.col("line_item_id").n_unique(),
            distinct_numbers=pl.col("line_number").n_unique(),
            last=pl.col("line_number").max(),
        )
        .filter(
            (pl.col("lines") != pl.col("distinct_ids"))
            | (pl.col("lines") != pl.col("distinct_numbers"))
            | (pl.col("lines") != pl.col("last"))
        )
    )


def orphan_lines(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """Lines whose invoice does not exist."""
    return items.join(invoices.select("invoice_id"), on="invoice_id", how="anti").select("invoice_id", "line_item_id")


def repeated_invoices(invoices: pl.LazyFrame) -> pl.LazyFrame:
    """More than one invoice that is not void for one contract, type and period."""
    live = invoices.filter(pl.col("status") != "VOID", pl.col("invoice_type") == "USAGE")
    keys = ["contract_id", "invoice_type", "period_start"]
    return live.group_by(keys).agg(invoices=pl.len()).filter(pl.col("invoices") > 1)


def unexplained_voids(invoices: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Void invoices without a VOIDED event, events without a void invoice, replacements that do not name each other."""
    told = events.filter(pl.col("event") == "VOIDED").select("invoice_id", is_told=pl.lit(value=True)).unique()
    named_by = {"invoice_id": "replaces_invoice_id", "named_by": "invoice_id"}
    replaced = invoices.drop_nulls("replaces_invoice_id").select(**named_by)
    untold = (pl.col("status") == "VOID") != pl.col("is_told").fill_null(value=False)
    return (
        invoices.join(told, on="invoice_id", how="left")
        .join(replaced, on="invoice_id", how="left")
        .filter(untold | pl.col("named_by").ne_missing(pl.col("replaced_by_invoice_id")))
        .select("invoice_id", "invoice_number", "status", "replaced_by_invoice_id", "named_by")
    )


def overlapping_periods(closed: pl.LazyFrame, invoices: pl.LazyFrame) -> pl.LazyFrame:
    """Closed periods of a contract that begin before another one has ended; those of void invoices do not count."""
    void = invoices.filter(pl.col("status") == "VOID").select("invoice_id")
    spans = (
        closed.filter(~pl.col("is_late"))
        .join(void, on="invoice_id", how="anti")
        .sort("contract_id", "period_start", "period_end")
    )
    before = pl.col("period_end").cum_max().shift(1).over("contract_id")
    return (
        spans.with_columns(closed_until=before)
        .filter(pl.col("closed_until") > pl.col("period_start"))
        .select("contract_id", "period_start", "period_end", "closed_until", "invoice_id")
    )


def number_gaps(invoices: pl.LazyFrame) -> pl.LazyFrame:
    """Series whose numbers are not 1..n without a gap or a repetition; a voided number stays."""
    return (
        invoices.group_by("issuing_entity", "number_series")
        .agg(
            invoices=pl.len(),
            distinct=pl.col("number_sequence").n_unique(),
            first=pl.col("number_sequence").min(),
            last=pl.col("number_sequence").max(),
        )
        .filter(
            (pl.col("first") != 1) | (pl.col("last") != pl.col("invoices")) | (pl.col("distinct") != pl.col("last"))
        )
    )


def altered_contents(invoices: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """Finalized invoices whose contents no longer give the hash that was recorded at finalization."""
    return (
        invoices.join(line_contents(items), on="invoice_id", how="left")
        .select("invoice_id", "content_hash", computed=content_hash())
        .filter(pl.col("content_hash") != pl.col("computed"))
    )


def finalized_drafts(drafts: pl.LazyFrame, invoices: pl.LazyFrame) -> pl.LazyFrame:
    """Drafts of a period that is already finalized: the drafts are older than the last close."""
    final = invoices.filter(pl.col("status") == "FINALIZED")
    return drafts.join(final.select("invoice_id"), on="invoice_id", how="semi").select("invoice_id", "contract_id")


def line_arithmetic(items: pl.LazyFrame) -> pl.LazyFrame:
    """Lines whose amount is not quantity x unit price, rounded once at the 12th place.

    Parts of a line that balances cover, and what is left of it, add up exactly instead; each draw may put quantity x
    price off by 1e-12 of the price (case 10).
    """
    # Columns of their own: a filter with the product in it would be tried on a file's smallest quantity and price,
    # which are of different lines, and whose product need not fit.
    drawn = items.filter(pl.col("segment_id").is_not_null()).group_by("invoice_id")
    draws = drawn.agg(draws=pl.col("segment_id").n_unique())
    allowed = pl.col("draws").fill_null(0).cast(DECIMAL) * _TICK * (pl.col("unit_price").abs() + decimal(1))
    return (
        items.join(draws, on="invoice_id", how="left")
        .with_columns(product=(pl.col("quantity") * pl.col("unit_price")).cast(DECIMAL))
        .with_columns(
            difference=(pl.col("product") - pl.col("amount")).abs(),
            allowed=pl.when(pl.col("line_type").is_in(SPLIT_TYPES)).then(allowed).otherwise(zero()),
        )
        .filter(pl.col("difference") > pl.col("allowed"))
        .select("invoice_id", "line_item_id", "line_type", "quantity", "unit_price", "amount")
    )
