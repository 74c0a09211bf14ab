"""Rates and prices as frames: tiers as bounds, and the end of a rate where the next one starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any, assert_never

import polars as pl

from billing_assets.catalog.book import Catalog, group_text
from billing_assets.catalog.overrides import OverrideTier, OverwriteOverride
from billing_assets.catalog.prices import (
    CustomPrice,
    FlatPrice,
    PackagePrice,
    PercentagePrice,
    Price,
    PriceTier,
    TieredPercentagePrice,
    TieredPrice,
    VolumePrice,
)
from billing_assets.catalog.products import UsageProduct
from billing_assets.catalog.rates import FREQUENCY_MONTHS, Rate, RateCard
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema, table
from billing_assets.columns import DECIMAL, TIMESTAMP

RATES: Schema = {
    "rate_id": TEXT,
    "rate_card_id": TEXT,
    "product_id": TEXT,
    "pricing_group_values": TEXT,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "entitled": FLAG,
    "price_id": TEXT,
    "commit_price_id": TEXT,
    "pricing_unit": TEXT,
}
"""`commit_price_id` is the price of its commit_rate, `pricing_unit` the custom unit of its prices; null where none."""

CHARGE_RATES: Schema = {**RATES, "frequency_months": WHOLE, "frequency_weeks": WHOLE}
"""Rates of SUBSCRIPTION products by billing frequency, and of COMPOSITE ones, where the frequency is null."""

PRICES: Schema = {
    "price_id": TEXT,
    "rate_type": TEXT,
    "price": DECIMAL,
    "package_size": DECIMAL,
    "free_units": DECIMAL,
    "fixed_fee": DECIMAL,
    "free_events": WHOLE,
    "free_amount": DECIMAL,
    "minimum": DECIMAL,
    "maximum": DECIMAL,
    "expression": TEXT,
}
PRICE_TIERS: Schema = {
    "price_id": TEXT,
    "tier_level": WHOLE,
    "tier_lower": DECIMAL,
    "tier_upper": DECIMAL,
    "price": DECIMAL,
    "flat_fee": DECIMAL,
}

PricedAs = tuple[str, Price | Rate]
"""A price and its id."""


def rate_id(card: RateCard, rate: Rate) -> str:
    """`<card>/<product>/<group values>/<start>`, with the billing frequency of a subscription before the start."""
    start = f"{rate.starting_at:%Y-%m-%dT%H}" if rate.starting_at.hour else f"{rate.starting_at:%Y-%m-%d}"
    frequency = (rate.billing_frequency,) if rate.billing_frequency else ()
    return "/".join((card.id, rate.product_id, group_text(rate.pricing_group_values), *frequency, start))


def with_ends(card: RateCard) -> Iterator[tuple[Rate, datetime | None]]:
    """Each rate of a card with its end: its own, or the start of the next one of its key.

    In a catalog's normal form, rates of one key stand together, by start.
    """
    for rate, following in zip_longest(card.rates, card.rates[1:]):
        follows = following is not None and _rate_group(rate) == _rate_group(following)
        yield rate, rate.ending_before or (following.starting_at if follows else None)


def _rate_group(rate: Rate) -> tuple[Any, ...]:
    return rate.product_id, group_text(rate.pricing_group_values), rate.billing_frequency


def rate_rows(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    """Rows of RATES, for USAGE products."""
    usage = _usage_products(catalog)
    for card in catalog.rate_cards:
        for rate, end in with_ends(card):
            if rate.product_id in usage:
                yield _rate_row(card, rate, end)


def charge_rate_rows(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    """Rows of CHARGE_RATES."""
    usage = _usage_products(catalog)
    for card in catalog.rate_cards:
        for rate, end in with_ends(card):
            if rate.product_id not in usage:
                every = rate.billing_frequency
                frequency = (FREQUENCY_MONTHS[every], int(every == "WEEKLY")) if every else (None, None)
                yield *_rate_row(card, rate, end), *frequency


def _rate_row(card: RateCard, rate: Rate, end: datetime | None) -> tuple[Any, ...]:
    name = rate_id(card, rate)
    values = group_text(rate.pricing_group_values)
    prices = name, commit_price_id(name) if rate.commit_rate is not None else None, rate.pricing_unit
    return name, card.id, rate.product_id, values, rate.starting_at, end, rate.entitled, *prices


def commit_price_id(rate: str) -> str:
    """The id of the price that a rate's commit_rate states."""
    return f"{rate}/commit"


def _usage_products(catalog: Catalog) -> set[str]:
    return {product.id for product in catalog.products if isinstance(product, UsageProduct)}


def price_frames(catalog: Catalog) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """PRICES and PRICE_TIERS, of rates and of OVERWRITEs."""
    found = list(_all_prices(catalog))
    return table(PRICES, map(_price, found)), table(PRICE_TIERS, _tiers(found))


def expressions(catalog: Catalog) -> tuple[str, ...]:
    """Every text that the column `expression` of PRICES has, once."""
    return tuple(sorted({price.expression for _, price in _all_prices(catalog) if isinstance(price, CustomPrice)}))


def _all_prices(catalog: Catalog) -> Iterator[PricedAs]:
    for card in catalog.rate_cards:
        for rate in card.rates:
            name = rate_id(card, rate)
            yield name, rate
            if rate.commit_rate is not None:
                yield commit_price_id(name), rate.commit_rate
    for contract in catalog.contracts:
        for position, override in enumerate(contract.overrides):
            if isinstance(override, OverwriteOverride):
                yield override_id(contract.id, position, override.id), override.overwrite_rate


def override_id(contract_id: str, position: int, given: str | None) -> str:
    return given if given is not None else f"{contract_id}/overrides/{position}"


def _price(found: PricedAs) -> tuple[Any, ...]:
    name, price = found
    match price:
        case FlatPrice():
            own: tuple[Any, ...] = (price.price, None, None, None, None, None)
        case PackagePrice():
            own = (price.price, price.package_size, price.free_units, None, None, None)
        case PercentagePrice():
            own = (price.price, None, None, price.fixed_fee, price.free_events, price.free_amount)
        case TieredPrice() | VolumePrice() | TieredPercentagePrice() | CustomPrice():
            own = (None,) * 6
        case _:
            assert_never(price)
    expression = price.expression if isinstance(price, CustomPrice) else None
    return name, price.rate_type, *own, price.minimum, price.maximum, expression


def _tiers(found: Iterable[PricedAs]) -> Iterator[tuple[Any, ...]]:
    for name, price in found:
        if isinstance(price, TieredPrice | VolumePrice | TieredPercentagePrice):
            for tier, (level, lower, upper) in zip(price.tiers, bounds(price.tiers), strict=True):
                yield name, level, lower, upper, tier.price, tier.flat_fee


def bounds(tiers: Sequence[PriceTier | OverrideTier]) -> Iterator[tuple[int, Decimal | None, Decimal | None]]:
    """(level, lower, upper) of tiers that follow each other from 0: the first has no lower, an open one no upper."""
    lower: Decimal | None = None
    for level, tier in enumerate(tiers, start=1):
        upper = None if tier.size is None else (lower or Decimal(0)) + tier.size
        yield level, lower, upper
        lower = upper
