"""Rules of overrides."""

from __future__ import annotations

from collections.abc import Iterator

from billing_assets.catalog.commits import RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.overrides import (
    EntitlementOverride,
    Override,
    OverrideSpecifier,
    OverwriteOverride,
    TieredOverride,
)
from billing_assets.catalog.prices import CustomPrice, FlatPrice, PackagePrice, PercentagePrice, TieredPercentagePrice
from billing_assets.catalog.products import Product, SubscriptionProduct, UsageProduct
from billing_assets.catalog.rates import Rate
from billing_assets.catalog.rules.findings import Finding, ordered, tagged
from billing_assets.catalog.rules.prices import price_is_sound, price_of_a_seat, tiers_are_sized
from billing_assets.catalog.rules.selectors import specifier
from billing_assets.catalog.rules.shared_balances import reachable
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.versions import versions


def overrides(contract: Contract, names: Names) -> Iterator[Finding]:
    for position, override in enumerate(contract.overrides):
        path: FieldPath = ("overrides", position)
        yield from ordered(override, path)
        yield from selectors(override, path, names)
        yield from priority(override, contract, path)
        if isinstance(override, OverwriteOverride):
            yield from price_is_sound(override.overwrite_rate, (*path, "overwrite_rate"))
            yield from seats_have_a_price(override, path, names)
        if isinstance(override, TieredOverride):
            yield from tiers_are_sized(override.tiers, (*path, "tiers"))
            yield from tiers_fit(override, contract, path, names)


def commit_overrides(contract: Contract, names: Names) -> Iterator[Finding]:
    """Overrides of what balances pay: which balances, among those that the contract's usage can draw on."""
    for position, override in enumerate(contract.overrides):
        path: FieldPath = ("overrides", position)
        if isinstance(override, EntitlementOverride) and override.is_commit_specific:
            yield (*path, "is_commit_specific"), "found it without a type, expected entitlement for all usage alike"
        for place, found in enumerate(override.override_specifiers):
            yield from _of_commits(override, found, contract, (*path, "override_specifiers", place), names)


def _of_commits(
    override: Override, found: OverrideSpecifier, contract: Contract, path: FieldPath, names: Names
) -> Iterator[Finding]:
    for field, is_recurring in (("commit_ids", False), ("recurring_commit_ids", True)):
        ids = getattr(found, field)
        if ids and not override.is_commit_specific:
            yield (*path, field), "found it on an override of all usage, expected it with is_commit_specific: true"
        if ids:
            own = {one.id for one in reachable(contract, names) if isinstance(one, RecurringCredit) == is_recurring}
            for position, name in enumerate(ids):
                if name not in own:
                    what = "a recurring commit or credit" if is_recurring else "a commit or credit"
                    expected = f"expected {what} that the contract can draw on{suggestion(name, own)}"
                    yield (*path, field, position), f"found {name!r}, {expected}"


def selectors(override: Override, path: FieldPath, names: Names) -> Iterator[Finding]:
    """What an override selects must exist; an OVERWRITE must select something."""
    for position, found in enumerate(override.override_specifiers):
        yield from specifier(found, (*path, "override_specifiers", position), names)
    yield from tagged(names, override.applicable_product_tags, (*path, "applicable_product_tags"))
    if override.override_specifiers and override.applicable_product_tags:
        message = "found it beside override_specifiers, expected one of the two (a specifier has product_tags)"
        yield (*path, "applicable_product_tags"), message
    if isinstance(override, OverwriteOverride) and not _selects(override):
        message = "found an OVERWRITE without a selector, expected override_specifiers or applicable_product_tags"
        yield (*path, "override_specifiers"), message


def _selects(override: Override) -> bool:
    everything = OverrideSpecifier()
    if override.applicable_product_tags:
        return True
    return bool(override.override_specifiers) and everything not in override.override_specifiers


def priority(override: Override, contract: Contract, path: FieldPath) -> Iterator[Finding]:
    """EXPLICIT prioritization compares priorities, and TIERED overrides exist only under it."""
    explicit = contract.multiplier_override_prioritization == "EXPLICIT"
    if isinstance(override, OverwriteOverride | EntitlementOverride):
        return
    if explicit and override.priority is None:
        message = "missing, expected a priority, since the contract's multiplier_override_prioritization is EXPLICIT"
        yield (*path, "priority"), message
    if not explicit and isinstance(override, TieredOverride):
        yield (*path, "type"), "found TIERED, expected multiplier_override_prioritization EXPLICIT on the contract"


def tiers_fit(override: TieredOverride, contract: Contract, path: FieldPath, names: Names) -> Iterator[Finding]:
    """Ranges of a quantity have no meaning where packages or amounts are priced."""
    card = names.card_of(contract)
    for rate in card.rates if card else ():
        product = names.products.get(rate.product_id)
        odd = isinstance(rate, PackagePrice | PercentagePrice | TieredPercentagePrice | CustomPrice)
        if odd and product is not None and reaches(override, rate, product):
            yield (
                (*path, "type"),
                (
                    f"found TIERED over the {rate.rate_type} rate of {rate.product_id!r}, "
                    f"expected rates of type FLAT, TIERED or VOLUME"
                ),
            )
            return


def seats_have_a_price(override: OverwriteOverride, path: FieldPath, names: Names) -> Iterator[Finding]:
    """An OVERWRITE that selects a subscription states a price per seat."""
    price = override.overwrite_rate
    if isinstance(price, FlatPrice) and price.minimum is None and price.maximum is None:
        return
    for product in names.products.values():
        if isinstance(product, SubscriptionProduct) and _selects_product(override, product):
            yield from price_of_a_seat(price, product.id, (*path, "overwrite_rate"))
            return


def _selects_product(override: Override, product: Product) -> bool:
    tags = set(product.tags)
    return bool(tags.intersection(override.applicable_product_tags)) or any(
        found.product_id in (None, product.id)
        and tags.issuperset(found.product_tags)
        and not found.pricing_group_values
        and not found.presentation_group_values
        for found in override.override_specifiers
    )


def reaches(override: Override, rate: Rate, product: Product) -> bool:
    """Whether the override selects a rate, at any time."""
    return any(_reaches_version(override, rate, version.product) for version in versions(product))


def _reaches_version(override: Override, rate: Rate, product: Product) -> bool:
    tags = set(product.tags)
    if override.applicable_product_tags:
        return bool(tags.intersection(override.applicable_product_tags))
    return not override.override_specifiers or any(
        (found.product_id in (None, product.id))
        and tags.issuperset(found.product_tags)
        and found.pricing_group_values.items() <= rate.pricing_group_values.items()
        and _shown_by(found, product)
        for found in override.override_specifiers
    )


def _shown_by(found: OverrideSpecifier, product: Product) -> bool:
    keys = product.presentation_group_key if isinstance(product, UsageProduct) else ()
    return set(found.presentation_group_values) <= set(keys)
