"""What two catalogs say differently of a contract, as far as its invoices go."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.frames import CatalogFrames, resolve

CONTRACT = "contract_id"
OF_CARDS = ("rates", "charge_rates", "pricing_unit_conversions")
OF_PRICES = ("prices", "price_tiers")
OF_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "overrides": ("override_tiers", "override_commits"),
        "subscriptions": ("subscription_quantities", "subscription_seats"),
        "discounts": ("discount_targets",),
    }
)
"""Frames that belong to a row of another frame, which has a contract."""
OF_ALL = ("products", "product_versions", "composites", "selectors")
NOT_BILLED = ("customers", "expressions")
"""Names and addresses change no amount; and expressions are those of prices."""
OF_CUSTOMERS = ("customer_aliases",)


def changed_contracts(before: Catalog, after: Catalog, *, terms_alone: bool = False) -> pl.LazyFrame:
    """Grain contract_id: contracts of either catalog of whose lines the two may say different things.

    What is shared counts for all that share it: a rate for the contracts of its card, a product for all contracts, a
    metric for those with a product of it. The mere order of entries is not looked at. terms_alone: references of
    customers are not looked at either.
    """
    one, other = resolve(before), resolve(after)
    both = pl.concat([one.contracts, other.contracts], how="diagonal_relaxed").select(
        CONTRACT, "customer_id", "rate_card_id"
    )
    found: list[pl.LazyFrame] = []
    for name in CatalogFrames.__dataclass_fields__:
        if name in (*NOT_BILLED, *(OF_CUSTOMERS if terms_alone else ())):
            continue
        rows = _different(getattr(one, name), getattr(other, name))
        found += _contracts_of(name, rows, one, other, both)
    metrics = _changed_metrics(before, after)
    for frames in (one, other):
        used = frames.contract_products.join(frames.products, on="product_id")
        found.append(used.filter(pl.col("billable_metric_id").is_in(metrics)).select(CONTRACT))
    return pl.concat(found).drop_nulls().unique()


def _contracts_of(
    name: str, rows: pl.LazyFrame, one: CatalogFrames, other: CatalogFrames, both: pl.LazyFrame
) -> list[pl.LazyFrame]:
    """The contracts that the different rows of a frame are about."""
    columns = rows.collect_schema().names()
    if name in OF_ALL:
        return [
            both.join(rows.select(pl.len() > 0).rename({"len": "is_changed"}), how="cross")
            .filter("is_changed")
            .select(CONTRACT)
        ]
    if name in OF_CUSTOMERS:
        return [both.join(rows, on="customer_id", how="semi").select(CONTRACT)]
    if name in OF_CARDS:
        return [both.join(rows, on="rate_card_id", how="semi").select(CONTRACT)]
    if name in OF_PRICES:
        found = []
        for frames in (one, other):
            for card in (frames.rates, frames.charge_rates):
                named = [card.select("rate_card_id", price_id=price) for price in ("price_id", "commit_price_id")]
                cards = pl.concat(named).join(rows, on="price_id", how="semi")
                found.append(both.join(cards, on="rate_card_id", how="semi").select(CONTRACT))
            found.append(frames.overrides.join(rows, on="price_id", how="semi").select(CONTRACT))
        return found
    for owner, parts in OF_PARTS.items():
        if name in parts:
            key = f"{owner.removesuffix('s')}_id"
            return [getattr(each, owner).join(rows, on=key, how="semi").select(CONTRACT) for each in (one, other)]
    found = [rows.select(CONTRACT)]
    if "customer_id" in columns:
        whole = rows.filter(pl.col(CONTRACT).is_null())
        found.append(both.join(whole, on="customer_id", how="semi").select(CONTRACT))
    return found


def _different(one: pl.LazyFrame, other: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that only one of two frames has, positions left out."""
    columns = [name for name in one.collect_schema().names() if not name.endswith("position")]
    sides = [
        frame.select(columns).with_columns(_side=pl.lit(side, dtype=pl.Int64))
        for frame, side in ((one, 1), (other, -1))
    ]
    return (
        pl.concat(sides, how="vertical_relaxed")
        .group_by(columns)
        .agg(pl.col("_side").sum())
        .filter(pl.col("_side") != 0)
    )


def _changed_metrics(before: Catalog, after: Catalog) -> list[str]:
    one, other = ({metric.id: metric for metric in each.billable_metrics} for each in (before, after))
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
