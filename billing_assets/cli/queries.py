"""What commands read: committed rows of the lake, as frames small enough to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.errors import BillingError

if TYPE_CHECKING:
    from billing_assets.storage.lake import Lake


class NotFound(BillingError):
    """What was asked for does not exist; the message names what is nearest."""

    exit_code = 1


def all_invoices(lake: Lake) -> pl.LazyFrame:
    """Finalized invoices, and the drafts of the last refresh that are not final since; `hold_reasons` of the drafts."""
    final = lake.scan("invoices").with_columns(hold_reasons=pl.lit("[]"))
    drafts = lake.scan("draft_invoices").join(final.select("invoice_id"), on="invoice_id", how="anti")
    return pl.concat([final, drafts.select(final.collect_schema().names())], how="vertical")


def lines_of(lake: Lake, invoice_ids: Sequence[str]) -> pl.DataFrame:
    """The lines of these invoices, final or draft, by invoice and line number."""
    chosen = pl.col("invoice_id").is_in(list(invoice_ids))
    final = lake.scan("line_items", chosen)
    drafts = lake.scan("draft_line_items", chosen).join(final.select("invoice_id"), on="invoice_id", how="anti")
    both = pl.concat([final, drafts.select(final.collect_schema().names())], how="vertical")
    return lake.collect(both.sort("invoice_id", "line_number"))


def known_customer(lake: Lake, customer: str | None) -> str | None:
    """The customer as asked for. Raises NotFound, with the nearest names, for one that the catalog has never had."""
    if customer is None:
        return None
    rows = lake.collect(lake.scan("customers").select("customer_id").unique())
    known = set(rows["customer_id"])
    if known and customer not in known:
        raise NotFound(f"no customer {customer!r}{nearest(customer, known)}")
    return customer


def nearest(wanted: str, known: Iterable[str]) -> str:
    """`; nearest: a, b` for a message; empty where nothing is near."""
    close = get_close_matches(wanted, sorted(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""


def is_customer(customer: str | None) -> pl.Expr:
    return pl.lit(value=True) if customer is None else pl.col("customer_id") == customer


def is_month(column: str, month: str | None) -> pl.Expr:
    return pl.lit(value=True) if month is None else pl.col(column) == month
