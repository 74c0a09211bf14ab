"""Versions of products: a product as its effective-dated `updates` leave it, each for a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from billing_assets.catalog.products import Product, ProductUpdate, UsageProduct


@dataclass(frozen=True, slots=True)
class ProductVersion:
    """`product` as it is in [starting_at, ending_before); None is open.

    `number` counts the product's versions from 0. `taking` counts runs of versions that take one metric by one pricing
    and one presentation key: only between two of them does usage change its meaning. `update`: the place in the
    product's `updates` that began the version; None for the first.
    """

    product: Product
    number: int
    taking: int
    starting_at: datetime | None
    ending_before: datetime | None
    update: int | None


def versions(product: Product) -> tuple[ProductVersion, ...]:
    """The versions of a product in their order; one where it has no updates."""
    if not isinstance(product, UsageProduct) or not product.updates:
        return (ProductVersion(product, 0, 0, None, None, None),)
    dated = sorted(enumerate(product.updates), key=lambda found: found[1].starting_at)
    starts: list[datetime | None] = [None, *(update.starting_at for _, update in dated)]
    ends: list[datetime | None] = [*starts[1:], None]
    places: list[int | None] = [None, *(place for place, _ in dated)]
    found = list(_successive(product, [update for _, update in dated]))
    takings = [0]
    for before, after in pairwise(found):
        takings.append(takings[-1] + (takes(before) != takes(after)))
    rows = zip(found, takings, starts, ends, places, strict=True)
    return tuple(ProductVersion(row[0], number, *row[1:]) for number, row in enumerate(rows))


def takes(product: UsageProduct) -> tuple[str, frozenset[str], frozenset[str]]:
    """What usage a product takes: its metric, and the keys that it groups by."""
    return (
        product.billable_metric_id,
        frozenset(product.pricing_group_key),
        frozenset(product.presentation_group_key),
    )


def usage_versions(product: Product) -> Iterator[UsageProduct]:
    """Every version of a USAGE product, as it then is; nothing of other products."""
    for version in versions(product):
        if isinstance(version.product, UsageProduct):
            yield version.product


def _successive(product: UsageProduct, updates: list[ProductUpdate]) -> Iterator[UsageProduct]:
    """The product, and as each update leaves it: what is written changes, and a null takes away."""
    product = product.model_copy(update={"updates": ()})
    yield product
    for update in updates:
        written = {name: getattr(update, name) for name in update.model_fields_set - {"starting_at"}}
        changes = {name: () if value is None and name in _LISTS else value for name, value in written.items()}
        product = product.model_copy(update=changes)
        yield product


_LISTS = ("pricing_group_key", "presentation_group_key", "tags")
