"""True-up of a POSTPAID commit: committed less consumed, once its last usage invoice is final (cases 0.3 and 13)."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.commitments.ledger import Batch, as_entries, entry_id, standing, waited_for
from billing_assets.identity import stable_id
from billing_assets.money import decimal, zero
from billing_assets.periods import close_month

TRUEUP = "TRUEUP"

_IDENTITY = ("contract_id", "invoice_type", "segment_id", "regeneration")


def trueups(
    opened: pl.LazyFrame,
    draws: pl.LazyFrame,
    terms: pl.LazyFrame,
    contracts: pl.LazyFrame,
    ledger: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    """Grain segment_id, one invoice each: the ended POSTPAID segments of which something is left, drafts included.

    opened: `openings`; draws: of every open invoice. terms: `trueup_terms` of the catalog; contracts: what a header
    says of its contract (customer_id, currency, minor_digits, net_payment_terms_days, pool, contract_position);
    ledger: rows of earlier batches. Columns: those, invoice_id, invoice_type, dated_at, close_month, `missing` (the
    amount), and the segment's. regeneration: how many true-ups the segment has had, void or not.
    """
    consumed = draws.group_by("segment_id").agg(pl.col("drawn").sum())
    segment = ["segment_id", "commit_id", "balance_type", "unit", "starting_at", "ending_before"]
    missing = pl.col("available") - pl.col("drawn").fill_null(zero())
    charged = dated_trueups(terms, ledger).select(
        "segment_id", "balance_id", "contract_id", "dated_at", "product_id", "name"
    )
    return (
        opened.filter(pl.col("balance_type") == "POSTPAID")
        .filter(pl.col("ending_before") <= pl.lit(now, dtype=TIMESTAMP))
        .join(consumed, on="segment_id", how="left")
        .with_columns(missing=missing)
        .filter(pl.col("missing") > zero())
        .select(*segment, "missing", regeneration="closings", shared_by="contract_id")
        .join(charged, on="segment_id")
        .join(contracts, on="contract_id")
        .with_columns(invoice_type=pl.lit(TRUEUP))
        .with_columns(
            invoice_id=stable_id("inv", [pl.col(name) for name in _IDENTITY]),
            close_month=close_month(pl.col("dated_at")),
        )
    )


def dated_trueups(terms: pl.LazyFrame, ledger: pl.LazyFrame) -> pl.LazyFrame:
    """`terms` (`trueup_terms`) dated as of the ledger: where a true-up stands, what is missing beside it, since an
    invoice that drew on the commit was voided, is dated by the last void."""
    kind = pl.col("entry_type")
    charged = standing(ledger).filter(kind == "TRUEUP").select("segment_id").unique()
    voided = ledger.filter(kind == "VOID_REVERSAL").group_by("segment_id").agg(last=pl.col("effective_at").max())
    beside = charged.join(voided, on="segment_id")
    dated = pl.max_horizontal("dated_at", "last")
    return terms.join(beside, on="segment_id", how="left").with_columns(dated_at=dated).drop("last")


def issued(found: pl.LazyFrame, usage: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """`found` (trueups) with issued_at: its date, or that of the last usage invoice that starts before the end.

    usage: USAGE invoices, open and final: contract_id, period_start, issued_at.
    """
    own = found.select("segment_id", "ending_before", contract_id="shared_by").drop_nulls("contract_id")
    shared = found.select("segment_id", "ending_before", "commit_id").join(shares, on="commit_id").drop("commit_id")
    last = (
        pl.concat([own, shared.select("segment_id", "ending_before", "contract_id")])
        .join(usage.select("contract_id", "period_start", last="issued_at"), on="contract_id")
        .filter(pl.col("period_start") < pl.col("ending_before"))
        .group_by("segment_id")
        .agg(pl.col("last").max())
    )
    both = pl.max_horizontal("dated_at", "last")
    return found.join(last, on="segment_id", how="left").with_columns(issued_at=both).drop("last")


def ready(found: pl.LazyFrame, shares: pl.LazyFrame, still_open: pl.LazyFrame) -> pl.LazyFrame:
    """Those of `found` that can be final: no invoice that could consume is open any more (`Batch.still_open`)."""
    owned = found.drop("contract_id").rename({"shared_by": "contract_id"})
    return found.join(waited_for(owned, shares, still_open), on="segment_id", how="anti")


def trueup_lines(found: pl.LazyFrame) -> pl.LazyFrame:
    """One line per true-up: what was committed and not consumed, quantity 1."""
    return found.select(
        "invoice_id", "contract_id", "customer_id", "currency", "minor_digits", "product_id", "name", "balance_id",
        "segment_id", line_type=pl.lit("trueup"), quantity=decimal(1), unit_price="missing", amount="missing",
        net="missing", list_amount="missing", amount_unit="currency", is_fee=pl.lit(value=False),
        in_total=pl.lit(value=True), starting_at="dated_at", ending_before="dated_at",
    )  # fmt: skip


def trueup_entries(opened: pl.LazyFrame, found: pl.LazyFrame, batch: Batch) -> pl.LazyFrame:
    """TRUEUP rows of the true-ups that the batch makes final: they close the commit to 0."""
    made = found.select("segment_id", "invoice_id", "missing", "dated_at", "close_month")
    return (
        opened.drop("amount", "cost")
        .join(made, on="segment_id")
        .with_columns(
            entry_type=pl.lit("TRUEUP"),
            entry_id=entry_id("TRUEUP", pl.col("invoice_id")),
            amount=-pl.col("missing"),
            effective_at="dated_at",
        )
        .pipe(as_entries, batch)
    )
