"""Placement: on which invoice a charge is, and the SCHEDULED invoices that charges make."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.headers import invoice_id

SCHEDULED = "SCHEDULED"

_ON = ("invoice_id", "period_start", "period_end")
_OF_CONTRACT = (
    "contract_id",
    "contract_position",
    "pool",
    "customer_id",
    "rate_card_id",
    "currency",
    "minor_digits",
    "net_payment_terms_days",
    "skip_zero_invoices",
    "metric_exception_tolerance",
    "billing_provider",
)


@dataclass(frozen=True, slots=True)
class Placed:
    """charges: with invoice_id, and period_start and period_end of a usage invoice. scheduled: the new headers."""

    charges: pl.LazyFrame
    scheduled: pl.LazyFrame


def place(
    charges: pl.LazyFrame,
    usage: pl.LazyFrame,
    taken: pl.LazyFrame,
    contracts: pl.LazyFrame,
    customers: pl.LazyFrame,
) -> Placed:
    """Every charge on one invoice, none twice, none lost (docs/semantics.md, Placement of charges).

    `charges` has those that no invoice has yet, with payer_contract_id, placed_at and placement; `usage` the billing
    periods with the usage invoices that they are on, of those that are not final (`invoices_of_periods`); `taken` the
    SCHEDULED invoices that exist (contract_id, charged_at, regeneration), which take no more charges. What `usage` has
    no invoice for is on a SCHEDULED one of its instant, one per paying contract, currency and instant.
    """
    numbered = charges.with_row_index("charge_row").cache()
    found = numbered.pipe(on_usage, usage)
    alone = numbered.join(found, on="charge_row", how="anti")
    headers = scheduled_invoices(alone, taken, contracts, customers)
    keys = headers.select("invoice_id", payer_contract_id="contract_id", placed_at="charged_at")
    placed = pl.concat(
        [
            numbered.join(found, on="charge_row"),
            alone.join(keys, on=["payer_contract_id", "placed_at"]).with_columns(
                period_start=pl.lit(None, dtype=TIMESTAMP), period_end=pl.lit(None, dtype=TIMESTAMP)
            ),
        ],
        how="diagonal",
    )
    return Placed(placed.drop("charge_row"), headers)


def on_usage(charges: pl.LazyFrame, usage: pl.LazyFrame) -> pl.LazyFrame:
    """Grain charge_row: the usage invoice that it goes on, the earliest of several that end on one date."""
    asked = charges.select("charge_row", "contract_id", "placed_at", "placement")
    return (
        asked.join(usage.select(*_ON, "contract_id", "dated_at"), on="contract_id")
        .filter(fits())
        .group_by("charge_row")
        .agg(pl.col(_ON).min_by("period_end"))
    )


def fits() -> pl.Expr:
    """Whether the charge may be on the invoice of [period_start, period_end), which ends at `dated_at`: later, where a
    child's period is on an invoice of its parent."""
    at, start, end, dated, placement = (
        pl.col(name) for name in ("placed_at", "period_start", "period_end", "dated_at", "placement")
    )
    return (
        pl.when(placement == "AT")
        .then((end == at) & (dated == at))
        .when(placement == "WITHIN")
        .then((start < at) & (at <= end))
        .when(placement == "ON_DATE")
        .then((end.dt.date() == at.dt.date()) & (dated.dt.date() == at.dt.date()))
        .otherwise(pl.lit(value=False))
    )


def scheduled_invoices(
    charges: pl.LazyFrame, taken: pl.LazyFrame, contracts: pl.LazyFrame, customers: pl.LazyFrame
) -> pl.LazyFrame:
    """One header per (paying contract, instant of `charges`): the SCHEDULED invoices (docs/semantics.md, Invoices).

    Dated, issued and in the month of its instant, `charged_at`, without a period. The id depends on contract, type,
    instant and regeneration: a charge that comes when the invoice of its instant exists is on the next regeneration.
    """
    instants = charges.select(contract_id="payer_contract_id", charged_at="placed_at").unique()
    following = taken.group_by("contract_id", "charged_at").agg(pl.col("regeneration").max().cast(pl.Int64) + 1)
    at = pl.col("charged_at")
    return (
        instants.join(contracts.select(_OF_CONTRACT), on="contract_id")
        .join(following, on=["contract_id", "charged_at"], how="left")
        .with_columns(
            pl.col("regeneration").fill_null(0),
            invoice_type=pl.lit(SCHEDULED),
            period_start=pl.lit(None, dtype=TIMESTAMP),
            period_end=pl.lit(None, dtype=TIMESTAMP),
            close_month=at.dt.strftime("%Y-%m"),
            invoice_date=at.dt.date(),
            issued_at=at,
            payer_customer_id=pl.col("customer_id"),
        )
        .with_columns(
            invoice_id=invoice_id(at),
            due_at=pl.col("issued_at") + pl.duration(days=pl.col("net_payment_terms_days")),
        )
        .join(customers.select("customer_id", "bill_to"), on="customer_id", how="left")
    )
