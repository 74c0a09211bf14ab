"""The company of the drawdown benchmark: contracts with 2 to 4 balances and 5 products, in their first month.

Three contracts are written as a catalog and resolved by the engine; the frames of all others are copies of theirs with
ids, quantities and amounts of their own. Everything is a function of the contract's number.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from billing_assets.catalog import Catalog, CatalogFrames, load_catalog, resolve
from billing_assets.charges.subscriptions import FEE
from billing_assets.columns import DECIMAL, NO_GROUP, TIMESTAMP
from billing_assets.commitments import ENTRY
from billing_assets.invoicing.consolidation import on_invoices
from billing_assets.invoicing.drafts import DECIDED, VOID
from billing_assets.money import decimal
from billing_assets.periods import billing_periods, close_month
from billing_assets.pipeline import Books, Inputs
from billing_assets.pipeline.charging import BILLED
from billing_assets.rating import WAIVED

START, END, MONTH = "2024-06-01", "2025-06-01", "2024-06"
SINCE, NOW = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 2, 12, tzinfo=UTC)
"""After the grace period of June: its invoices are due, and the periods of July have begun."""
KINDS = 3
"""Contracts with two, three and four balances take turns."""
LARGE = '{"model":"large"}'
GROUPS = {
    "requests": NO_GROUP, "input-tokens": LARGE, "output-tokens": LARGE, "storage": NO_GROUP, "users": NO_GROUP,
}  # fmt: skip
"""The products, each with the group that is used."""


def catalog() -> Catalog:
    """The three contracts that the others are like."""
    terms = {
        "settings": {"starting_at": START, "currency": "USD", "grace_period": "24h"},
        "billable_metrics": list(map(_metric, GROUPS)),
        "products": [*map(_product, GROUPS), {"id": "platform", "name": "Platform", "type": "FIXED"}],
        "rate_cards": [{"id": "standard", "currency": "USD", "rates": list(map(_rate, GROUPS))}],
        "customers": [{"id": f"customer-{kind}", "name": f"Customer {kind}"} for kind in range(KINDS)],
        "contracts": list(map(_contract, range(KINDS))),
    }
    with TemporaryDirectory() as name:
        for file, content in terms.items():
            (Path(name) / f"{file}.yaml").write_text(json.dumps({file: content}), encoding="utf-8")
        return load_catalog(Path(name))


def _metric(name: str) -> dict[str, Any]:
    keys = [["model"]] if GROUPS[name] != NO_GROUP else []
    return {"id": name, "name": name, "aggregation_type": "COUNT", "group_keys": keys}


def _product(name: str) -> dict[str, Any]:
    key = ["model"] if GROUPS[name] != NO_GROUP else []
    return {"id": name, "name": name, "type": "USAGE", "billable_metric_id": name, "pricing_group_key": key}


def _rate(name: str) -> dict[str, Any]:
    """A price of every kind of which usage has one line."""
    prices: dict[str, dict[str, Any]] = {
        "requests": {"rate_type": "PACKAGE", "price": 0.5, "package_size": 100, "free_units": 10},
        "storage": {"rate_type": "TIERED", "tiers": [{"size": 1_000, "price": 0.03}, {"price": 0.02}]},
        "users": {"rate_type": "VOLUME", "tiers": [{"size": 500, "price": 0.3}, {"price": 0.1}]},
    }
    values = {"pricing_group_values": {"model": "large"}} if GROUPS[name] != NO_GROUP else {}
    price = prices.get(name, {"rate_type": "FLAT", "price": 0.0125})
    return {"product_id": name, "starting_at": START, **values, **price}


def _contract(kind: int) -> dict[str, Any]:
    """A paid commit for everything, a credit for two products, one for one product, and a promise to spend."""

    def balance(name: str, amount: int, **terms: Any) -> dict[str, Any]:
        access = [{"amount": amount, "starting_at": START, "ending_before": END}]
        return {"id": f"{name}-{kind}", "product_id": "platform", "access_schedule": access, **terms}

    paid = {"type": "PREPAID", "invoice_schedule": [{"timestamp": START, "amount": 20}]}
    commits = [balance("paid", 25, priority=2, **paid)]
    given = [balance("tokens", 3, priority=1, applicable_product_ids=["input-tokens", "output-tokens"])]
    if kind > 0:
        given.append(balance("storage", 2, priority=3, applicable_product_ids=["storage"]))
    if kind > 1:
        commits.append(balance("promise", 50, type="POSTPAID"))
    return {
        "id": f"contract-{kind}", "customer_id": f"customer-{kind}", "rate_card_id": "standard", "starting_at": START,
        "commits": commits, "credits": given,
    }  # fmt: skip


_IDS = (
    "contract_id", "customer_id", "payer_contract_id", "invoice_contract_id", "pool", "commit_id", "balance_id",
    "segment_id",
)  # fmt: skip
_POSITIONS = ("contract_position", "customer_position", "balance_position")
_AMOUNTS = ("amount", "cost", "unit_price")


def frames_of(written: Catalog, contracts: int) -> CatalogFrames:
    """The frames of a catalog of so many contracts."""
    few = resolve(written)
    number = pl.int_range(contracts, dtype=pl.Int64).alias("number")
    numbers = pl.LazyFrame().select(number).with_columns(kind=(pl.col("number") % KINDS).cast(pl.String))
    names = ("customers", "contracts", "contract_products", "access_segments", "balance_contracts", "commit_charges")
    return replace(few, **{name: held(copies(getattr(few, name), numbers)) for name in (*names, "trueup_terms")})


def copies(template: pl.LazyFrame, numbers: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of each contract, or customer, of `template` for the numbers that are like it."""
    columns = template.collect_schema().names()
    owner = pl.col("contract_id" if "contract_id" in columns else "customer_id")
    number = pl.col("number")
    ids = [pl.format("{}-{}", name, number.cast(pl.String).str.zfill(7)).alias(name) for name in _IDS]
    # `<balance>/<n>`: the item's number stays at the end.
    segment = pl.col("segment_id").str.strip_suffix("/1")
    ids[-1] = pl.format("{}-{}/1", segment, number.cast(pl.String).str.zfill(7)).alias("segment_id")
    varied = [(pl.col(name) * share_of(number)).alias(name) for name in _AMOUNTS]
    placed = [(pl.col(name) + number * 4).alias(name) for name in _POSITIONS]
    changed = [one for one in (*ids, *varied, *placed) if one.meta.output_name() in columns]
    return (
        template.with_columns(kind=owner.str.tail(1))
        .join(numbers, on="kind")
        .with_columns(changed)
        .sort("number", maintain_order=True)
        .select(columns)
    )


def share_of(number: pl.Expr) -> pl.Expr:
    """From 0.01 to 3: amounts of some contracts pay for everything, those of others for next to nothing."""
    return (number * 7 % 300 + 1).cast(DECIMAL) * decimal("0.01")


def inputs(written: Catalog, contracts: int) -> Inputs:
    """The close of the first month; nothing is in the books yet."""
    frames, none = frames_of(written, contracts), pl.LazyFrame()
    taken = {"contract_id": pl.String(), "charged_at": TIMESTAMP, "regeneration": pl.Int64()}
    issued = {"contract_id": pl.String(), "period_start": TIMESTAMP, "issued_at": TIMESTAMP}
    return Inputs(
        catalog=written, frames=frames, periods=held(_periods(frames.contracts)), invoiced=None, states=none,
        values=none, past=none, events=lambda places: places, billed_charges=pl.LazyFrame(schema=BILLED),
        fees=pl.LazyFrame(schema=FEE),
        scheduled=pl.LazyFrame(schema=taken),
        books=Books(pl.LazyFrame(schema=ENTRY), pl.LazyFrame(schema=issued), none),
        voided=pl.LazyFrame(schema=VOID), decided=pl.LazyFrame(schema=DECIDED), waived=pl.LazyFrame(schema=WAIVED),
        late=None,
        sealed_months=(), month=MONTH, now=NOW,
    )  # fmt: skip


def _periods(contracts: pl.LazyFrame) -> pl.LazyFrame:
    """Periods of June, to be billed, and of July, which are open."""
    named = contracts.rename({"late_usage": "late_usage_policy"})
    month = close_month(pl.col("invoice_period_end"))
    return (
        billing_periods(named, SINCE, NOW)
        .pipe(on_invoices)
        .with_columns(close_month=month, events_through=pl.lit(None, dtype=pl.Int64), is_open=pl.lit(value=True))
        .with_columns(is_billed=pl.col("close_month") == MONTH, regeneration=pl.lit(0, dtype=pl.Int64))
    )


def groups_of(billed: pl.LazyFrame) -> pl.LazyFrame:
    """GROUP of all usage: five groups a contract."""
    values = pl.col("product_id").replace_strict(GROUPS, return_dtype=pl.String)
    products = pl.LazyFrame({"product_id": list(GROUPS)})
    return (
        billed.select("contract_id", "period_start")
        .join(products, how="cross")
        .with_columns(pricing_group_values=values, presentation_group_values=pl.lit(NO_GROUP))
    )


def metered(segments: pl.LazyFrame) -> pl.LazyFrame:
    """`segments` with the cumulative of each group, in place of what metering finds."""
    number = pl.col("contract_id").str.tail(7).cast(pl.Int64)
    moved = (number * 31 + pl.col("product_id").str.len_bytes().cast(pl.Int64) * 17) % 997 + 1
    return segments.with_columns(raw_cumulative=moved.cast(DECIMAL), event_count=moved)


def held(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.collect().lazy()
