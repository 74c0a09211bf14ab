"""Overrides as frames: what each changes, and every product that each reaches.

A selector is a kind of choice (this product; all with these tags; everything), of which a book has few; which
products each reaches is worked out once, and joined to the overrides that use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, assert_never

import polars as pl

from billing_assets.catalog.book import Catalog, group_text
from billing_assets.catalog.overrides import (
    EntitlementOverride,
    MultiplierOverride,
    Override,
    OverwriteOverride,
    TieredOverride,
)
from billing_assets.catalog.price_frames import bounds, override_id
from billing_assets.catalog.products import FixedProduct, Product, UsageProduct
from billing_assets.catalog.tables import FLAG, TEXT, WHOLE, Schema, table
from billing_assets.catalog.versions import versions
from billing_assets.columns import DECIMAL, NO_GROUP, TIMESTAMP

OVERRIDES: Schema = {
    "override_id": TEXT,
    "contract_id": TEXT,
    "override_position": WHOLE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "override_type": TEXT,
    "multiplier": DECIMAL,
    "priority": WHOLE,
    "entitled": FLAG,
    "price_id": TEXT,
    "lane": TEXT,
    "is_commit_specific": FLAG,
}
"""`lane` is the price that it changes: LIST, or COMMIT for its target COMMIT_RATE."""

OVERRIDE_COMMITS: Schema = {"override_id": TEXT, "specifier": WHOLE, "commit_id": TEXT}
"""Commits and credits, recurring ones too, that a specifier names; none where it is for any of them."""

OVERRIDE_TIERS: Schema = {
    "override_id": TEXT,
    "range_level": WHOLE,
    "range_lower": DECIMAL,
    "range_upper": DECIMAL,
    "multiplier": DECIMAL,
}
_USES: Schema = {
    "override_id": TEXT,
    "contract_id": TEXT,
    "selector": WHOLE,
    "pricing_group_values": TEXT,
    "presentation_group_values": TEXT,
    "billing_frequency": TEXT,
    "specifier": WHOLE,
}
_REACHES: Schema = {
    "selector": WHOLE,
    "product_id": TEXT,
    "reached_from": TIMESTAMP,
    "reached_until": TIMESTAMP,
}
TARGET_COLUMNS = (
    *("override_id", "contract_id", "product_id", "pricing_group_values", "presentation_group_values"),
    *("reached_from", "reached_until", "billing_frequency", "specifier"),
)
"""`specifier` is its place in the override, 0 where there is none. `reached_from`, `reached_until`: the span of the
product's version that the override selects; null is open."""


class Selector(NamedTuple):
    """A product, all products with these tags, or any of them; and the keys that they must have."""

    product_id: str | None
    all_tags: frozenset[str]
    any_tags: frozenset[str]
    pricing_keys: frozenset[str]
    presentation_keys: frozenset[str]

    def reaches(self, product: Product) -> bool:
        tags = frozenset(product.tags)
        pricing = frozenset(product.pricing_group_key if isinstance(product, UsageProduct) else ())
        presentation = frozenset(product.presentation_group_key if isinstance(product, UsageProduct) else ())
        return (
            self.product_id in (None, product.id)
            and self.all_tags <= tags
            and (not self.any_tags or bool(self.any_tags & tags))
            and self.pricing_keys <= pricing
            and self.presentation_keys <= presentation
        )


Placed = tuple[str, str, int, Override]
"""Override id, contract, position in the catalog, override."""


def override_frames(
    catalog: Catalog, contract_products: pl.LazyFrame
) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
    """OVERRIDES, OVERRIDE_TIERS, and the targets of both."""
    placed = list(_placed(catalog))
    return (
        table(OVERRIDES, map(_override, placed)),
        table(OVERRIDE_TIERS, _ranges(placed)),
        _targets(catalog, placed, contract_products),
    )


def _placed(catalog: Catalog) -> Iterator[Placed]:
    order = 0
    for contract in catalog.contracts:
        for position, override in enumerate(contract.overrides):
            yield override_id(contract.id, position, override.id), contract.id, order, override
            order += 1


def _override(found: Placed) -> tuple[Any, ...]:
    name, contract_id, order, override = found
    match override:
        case OverwriteOverride():
            own: tuple[Any, ...] = ("OVERWRITE", None, override.priority, override.entitled, name)
        case MultiplierOverride():
            own = ("MULTIPLIER", override.multiplier, override.priority, override.entitled, None)
        case TieredOverride():
            own = ("TIERED", None, override.priority, override.entitled, None)
        case EntitlementOverride():
            own = (None, None, override.priority, override.entitled, None)
        case _:
            assert_never(override)
    lane = "COMMIT" if override.target == "COMMIT_RATE" else "LIST"
    dates = override.starting_at, override.ending_before
    return name, contract_id, order, *dates, *own, lane, override.is_commit_specific


def _ranges(placed: list[Placed]) -> Iterator[tuple[Any, ...]]:
    for name, _, _, override in placed:
        if isinstance(override, TieredOverride):
            for tier, (level, lower, upper) in zip(override.tiers, bounds(override.tiers), strict=True):
                yield name, level, lower, upper, tier.multiplier


def _targets(catalog: Catalog, placed: list[Placed], contract_products: pl.LazyFrame) -> pl.LazyFrame:
    """One row per (override, product of its contract that it reaches, values that must match)."""
    numbers: dict[Selector, int] = {}
    uses = [
        (name, contract_id, numbers.setdefault(selector, len(numbers)), *chosen)
        for name, contract_id, _, override in placed
        for selector, *chosen in _selectors(override)
    ]
    priced = [product for product in catalog.products if not isinstance(product, FixedProduct)]
    reaches = (
        (number, product.id, version.starting_at, version.ending_before)
        for product in priced
        for version in versions(product)
        for selector, number in numbers.items()
        if selector.reaches(version.product)
    )
    return (
        table(_USES, uses)
        .join(table(_REACHES, reaches), on="selector")
        .join(contract_products, on=["contract_id", "product_id"], how="semi")
        .select(TARGET_COLUMNS)
        .unique()
        .sort(TARGET_COLUMNS)
    )


def override_commits(catalog: Catalog) -> pl.LazyFrame:
    """OVERRIDE_COMMITS."""
    rows = (
        (name, position, commit)
        for name, _, _, override in _placed(catalog)
        for position, found in enumerate(override.override_specifiers)
        for commit in (*found.commit_ids, *found.recurring_commit_ids)
    )
    return table(OVERRIDE_COMMITS, rows)


def _selectors(override: Override) -> Iterator[tuple[Selector, str, str, str | None, int]]:
    """The alternatives of an override: any specifier, any tag, or the whole card."""
    nothing: frozenset[str] = frozenset()
    for position, found in enumerate(override.override_specifiers):
        pricing, presentation = found.pricing_group_values, found.presentation_group_values
        tags = frozenset(found.product_tags)
        selector = Selector(found.product_id, tags, nothing, frozenset(pricing), frozenset(presentation))
        yield selector, group_text(pricing), group_text(presentation), found.billing_frequency, position
    if not override.override_specifiers:
        tags = frozenset(override.applicable_product_tags)
        yield Selector(None, nothing, tags, nothing, nothing), NO_GROUP, NO_GROUP, None, 0
