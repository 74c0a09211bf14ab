"""Rules of prices, rates and rate cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import assert_never

from billing_assets.catalog.book import group_text
from billing_assets.catalog.expressions import ExpressionError, parse_expression
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import listed, suggestion
from billing_assets.catalog.overrides import OverrideTier
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
from billing_assets.catalog.products import (
    CompositeProduct,
    FixedProduct,
    Product,
    SubscriptionProduct,
    UsageProduct,
)
from billing_assets.catalog.rates import Rate, RateCard
from billing_assets.catalog.rules.commit_prices import meet, partner
from billing_assets.catalog.rules.definitions import currency_known
from billing_assets.catalog.rules.findings import Finding, named, ordered, overlapping, text_of
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.versions import versions


def price_is_sound(price: Price | Rate, path: FieldPath) -> Iterator[Finding]:
    if price.minimum is not None and price.maximum is not None and price.minimum > price.maximum:
        yield (*path, "minimum"), f"found {price.minimum}, more than the maximum {price.maximum}, expected at most it"
    match price:
        case TieredPrice() | VolumePrice() | TieredPercentagePrice():
            yield from tiers_are_sized(price.tiers, (*path, "tiers"))
        case CustomPrice():
            yield from expression_is_sound(price.expression, (*path, "expression"))
        case FlatPrice() | PackagePrice() | PercentagePrice():
            pass
        case _:
            assert_never(price)


def expression_is_sound(text: str, path: FieldPath) -> Iterator[Finding]:
    """Only the grammar of `expressions` is computed; whatever else is written is a problem here, not in a run."""
    try:
        parse_expression(text)
    except ExpressionError as error:
        yield path, str(error)


def tiers_are_sized(tiers: Sequence[PriceTier | OverrideTier], path: FieldPath) -> Iterator[Finding]:
    """Only the last tier may be open."""
    for position, tier in enumerate(tiers[:-1]):
        if tier.size is None:
            message = f"missing, expected a size: only the last of the {len(tiers)} tiers may be open"
            yield (*path, position, "size"), message


def card_currency(card: RateCard, names: Names) -> Iterator[Finding]:
    yield from currency_known(card.currency, ("currency",))


def card_conversions(card: RateCard, names: Names) -> Iterator[Finding]:
    for position, conversion in enumerate(card.pricing_unit_conversions):
        path = ("pricing_unit_conversions", position, "pricing_unit")
        yield from named(names, "pricing_units", conversion.pricing_unit, path)


def card_aliases(card: RateCard, names: Names) -> Iterator[Finding]:
    """At any instant an alias names one card."""
    for position, alias in enumerate(card.aliases):
        path = ("aliases", position)
        yield from ordered(alias, path)
        for other, owner in names.aliases.get(alias.name, ()):
            if other is alias:
                break
            if overlapping((alias.starting_at, alias.ending_before), (other.starting_at, other.ending_before)):
                message = f"found {alias.name!r}, at that time already an alias of {owner.id!r}, expected one card"
                yield (*path, "name"), message


def card_rates(card: RateCard, names: Names) -> Iterator[Finding]:
    for position, rate in enumerate(card.rates):
        path: FieldPath = ("rates", position)
        yield from named(names, "products", rate.product_id, (*path, "product_id"))
        yield from ordered(rate, path)
        yield from price_is_sound(rate, path)
        yield from rate_unit(rate, card, path, names)
        yield from commit_rate(rate, path)
        product = names.products.get(rate.product_id)
        if product is not None:
            yield from rate_suits(rate, product, path)


def rate_unit(rate: Rate, card: RateCard, path: FieldPath, names: Names) -> Iterator[Finding]:
    """A price in a custom unit needs that unit's price on the card."""
    yield from named(names, "pricing_units", rate.pricing_unit, (*path, "pricing_unit"))
    units = [conversion.pricing_unit for conversion in card.pricing_unit_conversions]
    if rate.pricing_unit in names.known["pricing_units"] and rate.pricing_unit not in units:
        message = (
            f"found {rate.pricing_unit!r}, expected a unit with a conversion on the card ({listed(units) or 'none'})"
        )
        yield (*path, "pricing_unit"), message


def rate_suits(rate: Rate, product: Product, path: FieldPath) -> Iterator[Finding]:
    """The kind of price must be one that the kind of product can have."""
    match product:
        case UsageProduct():
            yield from full_group_values(rate, product, path)
            if rate.billing_frequency is not None:
                yield (*path, "billing_frequency"), "found it on a USAGE product, expected it on subscriptions only"
        case SubscriptionProduct():
            if rate.billing_frequency is None:
                yield (*path, "billing_frequency"), "missing, expected the period that the price of a seat buys"
            yield from price_of_a_seat(rate, rate.product_id, path)
            yield from usage_only(rate, "commit_rate", product, path)
        case CompositeProduct():
            if not isinstance(rate, PercentagePrice | TieredPercentagePrice):
                message = f"found {rate.rate_type} on a COMPOSITE product, expected PERCENTAGE or TIERED_PERCENTAGE"
                yield (*path, "rate_type"), message
            yield from usage_only(rate, "commit_rate", product, path)
            yield from usage_only(rate, "pricing_unit", product, path)
        case FixedProduct():
            message = f"found a {product.type} product, which schedules charge, expected a product that rates can price"
            yield (*path, "product_id"), message
        case _:
            assert_never(product)


def usage_only(rate: Rate, field: str, product: Product, path: FieldPath) -> Iterator[Finding]:
    """Terms that only the price of usage has."""
    if getattr(rate, field) is not None:
        yield (*path, field), f"found it on {product.type} product {product.id!r}, expected it on USAGE products only"


def price_of_a_seat(price: Price | Rate, product_id: str, path: FieldPath) -> Iterator[Finding]:
    """A subscription costs price x quantity: nothing else is computed of it."""
    if not isinstance(price, FlatPrice):
        message = f"found {price.rate_type} for SUBSCRIPTION product {product_id!r}, expected FLAT: a price per seat"
        yield (*path, "rate_type"), message
    for bound in ("minimum", "maximum"):
        if getattr(price, bound) is not None:
            yield (*path, bound), f"found it for SUBSCRIPTION product {product_id!r}, expected none on subscriptions"


def full_group_values(rate: Rate, product: UsageProduct, path: FieldPath) -> Iterator[Finding]:
    """A rate states a value, or null, for every pricing key of its product, as that is while the rate holds."""
    span = rate.starting_at, rate.ending_before
    met = [each.product for each in versions(product) if overlapping(span, (each.starting_at, each.ending_before))]
    wanted = [each.pricing_group_key for each in met if isinstance(each, UsageProduct)]
    if any(set(rate.pricing_group_values) == set(keys) for keys in wanted):
        return
    keys = wanted[0]
    stray = [key for key in rate.pricing_group_values if key not in keys]
    hint = suggestion(stray[0], keys) if stray else ""
    yield (
        (*path, "pricing_group_values"),
        (
            f"found values of [{', '.join(sorted(rate.pricing_group_values))}], expected exactly the pricing_group_key "
            f"[{', '.join(sorted(keys))}] of product {rate.product_id!r}{hint}"
        ),
    )


def commit_rate(rate: Rate, path: FieldPath) -> Iterator[Finding]:
    """A commit-side price has no minimum or maximum, and must meet the list price on the same atoms."""
    price, path = rate.commit_rate, (*path, "commit_rate")
    if price is None:
        return
    for bound in ("minimum", "maximum"):
        if getattr(price, bound) is not None:
            yield (*path, bound), f"found a {bound} in a commit_rate, expected it on the rate itself only"
    yield from price_is_sound(price, path)
    if not meet(rate, price):
        message = f"found {price.rate_type} beside a list price of {rate.rate_type}, expected {partner(rate)}"
        yield (*path, "rate_type"), message


def rates_follow(card: RateCard, names: Names) -> Iterator[Finding]:
    """Rates of one key follow each other: none starts with another, and none ends after the next has started."""
    rows: dict[tuple[str, str, str | None], list[tuple[int, Rate]]] = {}
    for position, rate in enumerate(card.rates):
        key = (rate.product_id, group_text(rate.pricing_group_values), rate.billing_frequency)
        rows.setdefault(key, []).append((position, rate))
    for same in rows.values():
        same.sort(key=lambda row: (row[1].starting_at, row[0]))
        for (_, rate), (position, following) in pairwise(same):
            yield from _follows(rate, following, ("rates", position))


def _follows(rate: Rate, following: Rate, path: FieldPath) -> Iterator[Finding]:
    start = text_of(following.starting_at)
    of = f"{following.product_id!r} {group_text(following.pricing_group_values)}"
    if rate.starting_at == following.starting_at:
        yield (*path, "starting_at"), f"found a second rate of {of} at {start}, expected one rate at an instant"
    elif rate.ending_before is not None and rate.ending_before > following.starting_at:
        end = text_of(rate.ending_before)
        yield (
            (*path, "starting_at"),
            (
                f"found {start}, overlaps the rate of {of} before it, which ends at {end}; "
                f"expected {end} or later, or no ending_before there"
            ),
        )
