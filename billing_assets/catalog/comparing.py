"""What two catalogs say differently of a contract, as far as the amounts of its usage go, and of which time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.frames import CatalogFrames, resolve
from billing_assets.columns import TIMESTAMP

CONTRACT = "contract_id"
SPAN = ("changed_from", "changed_until")
OF_CARDS = ("rates", "charge_rates", "pricing_unit_conversions")
OF_PRICES = ("prices", "price_tiers")
OF_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "overrides": ("override_tiers", "override_commits", "override_targets"),
        "subscriptions": ("subscription_quantities", "subscription_seats"),
        "discounts": ("discount_targets",),
    }
)
"""Frames that belong to a row of another frame, which has a contract."""
OF_PRODUCTS = ("products", "product_versions", "composites")
OF_CUSTOMERS = ("customer_aliases",)
ELSEWHERE = ("customers", "contract_products", "selectors", "expressions")
"""Names and addresses change no amount. A product that is new to a contract has a price, which is new; what a balance
is for decides what it pays, not what usage costs; and expressions are those of prices."""


def changed_contracts(
    before: Catalog, after: Catalog, *, terms_alone: bool = False, names: Sequence[str] | None = None
) -> pl.LazyFrame:
    """contract_id, changed_from, changed_until: of which of its time the two may say different things of a contract; a
    null is without a bound.

    What is shared counts for all that share it: a rate for the contracts of its card, a product, or its metric, for
    those that have it. The mere order of entries is not looked at. terms_alone: references of customers are not either.
    names: of `CatalogFrames`, those to compare; None: all.
    """
    one, other = resolve(before), resolve(after)
    skipped = (*ELSEWHERE, *(OF_CUSTOMERS if terms_alone else ()))
    compared = [name for name in names or CatalogFrames.__dataclass_fields__ if name not in skipped]
    found = [
        rows
        for name in compared
        for rows in _of_contracts(name, _different(getattr(one, name), getattr(other, name)), (one, other))
    ]
    metrics = _changed_metrics(before, after) if names is None else []
    for frames in (one, other):
        used = frames.product_versions.filter(pl.col("billable_metric_id").is_in(metrics)).select("product_id")
        found.append(_without_dates(frames.contract_products.join(used, on="product_id", how="semi")))
    return pl.concat(found).drop_nulls(CONTRACT).unique()


def _of_contracts(name: str, rows: pl.LazyFrame, both: Iterable[CatalogFrames]) -> list[pl.LazyFrame]:
    """The contracts that the different rows of a frame are about."""
    if name in OF_CUSTOMERS:
        return [_without_dates(each.contracts.join(rows, on="customer_id", how="semi")) for each in both]
    if name in OF_CARDS:
        return [_of_cards(rows, each) for each in both]
    if name in OF_PRODUCTS:
        return [_dated(each.contract_products.join(rows, on="product_id")) for each in both]
    if name in OF_PRICES:
        return [part for each in both for part in _of_prices(rows, each)]
    for owner, parts in OF_PARTS.items():
        if name in parts:
            key = f"{owner.removesuffix('s')}_id"
            return [_dated(_spans(getattr(each, owner)).join(rows, on=key, how="semi")) for each in both]
    own = _dated(rows)
    if "customer_id" not in rows.collect_schema().names():
        return [own]
    shared = rows.filter(pl.col(CONTRACT).is_null()).drop(CONTRACT)
    return [
        own,
        *(_dated(each.contracts.select(CONTRACT, "customer_id").join(shared, on="customer_id")) for each in both),
    ]


def _of_cards(rows: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    return _dated(frames.contracts.select(CONTRACT, "rate_card_id").join(rows, on="rate_card_id"))


def _of_prices(rows: pl.LazyFrame, frames: CatalogFrames) -> list[pl.LazyFrame]:
    """Prices hold for the time of the rate, or of the override, that has them."""
    found = [_dated(_spans(frames.overrides).join(rows, on="price_id", how="semi"))]
    for card in (frames.rates, frames.charge_rates):
        for column in ("price_id", "commit_price_id"):
            named = _spans(card).join(rows.select("price_id"), left_on=column, right_on="price_id", how="semi")
            found.append(_of_cards(named.select("rate_card_id", *SPAN), frames))
    return found


def _different(one: pl.LazyFrame, other: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that only one of two frames has, with SPAN, the time that they are about; positions left out. Where the two
    have a row with different ends alone, that is the time from the earlier end on."""
    columns = [name for name in one.collect_schema().names() if not name.endswith("position")]
    keys = [name for name in columns if name != "ending_before"]
    sides = [
        _spans(frame.select(columns)).select(*keys, *SPAN).with_columns(side=pl.lit(side, dtype=pl.Int64))
        for frame, side in ((one, 1), (other, -1))
    ]
    rows = pl.concat(sides, how="vertical_relaxed").group_by(*keys, *SPAN).agg(pl.col("side").sum())
    alone = rows.filter(pl.col("side") != 0)
    ends = pl.col("changed_until")
    moved = (pl.len() == 2) & (pl.col("side").sum() == 0)
    grouped = alone.group_by(keys).agg(
        moved=moved, first_end=ends.min(), starts=pl.col("changed_from"), ends=ends, is_open=ends.is_null().any()
    )
    return (
        grouped.explode("starts", "ends")
        .with_columns(
            changed_from=pl.when("moved").then("first_end").otherwise("starts"),
            changed_until=pl.when("moved").then(None).otherwise("ends"),
        )
        .drop("moved", "first_end", "starts", "ends", "is_open")
    )


def _spans(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`rows` with SPAN: their own dates, where they have some; a charge's instant, with what ends and begins there."""
    names = rows.collect_schema().names()
    if "charged_at" in names:
        tick = pl.duration(microseconds=1)
        return rows.with_columns(changed_from=pl.col("charged_at") - tick, changed_until=pl.col("charged_at") + tick)
    dates = dict(zip(SPAN, ("starting_at", "ending_before"), strict=True))
    return rows.with_columns(
        **{name: pl.col(date) if date in names else pl.lit(None, dtype=TIMESTAMP) for name, date in dates.items()}
    )


def _dated(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(CONTRACT, *(pl.col(name).cast(TIMESTAMP) for name in SPAN))


def _without_dates(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(CONTRACT, *(pl.lit(None, dtype=TIMESTAMP).alias(name) for name in SPAN))


def _changed_metrics(before: Catalog, after: Catalog) -> list[str]:
    one, other = ({metric.id: metric for metric in each.billable_metrics} for each in (before, after))
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
