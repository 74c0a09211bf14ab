"""Rules of what selects products: overrides' specifiers, and the applicability of balances and discounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from billing_assets.catalog.commits import BalanceSpecifier
from billing_assets.catalog.names import Names
from billing_assets.catalog.overrides import OverrideSpecifier
from billing_assets.catalog.rules.findings import Finding, all_named, keys_within, named, tagged
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.versions import usage_versions


class Selecting(Protocol):
    """A term that selects products by id or tag."""

    @property
    def applicable_product_ids(self) -> Sequence[str]: ...

    @property
    def applicable_product_tags(self) -> Sequence[str]: ...


def selection(term: Selecting, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from all_named(names, "products", term.applicable_product_ids, (*path, "applicable_product_ids"))
    yield from tagged(names, term.applicable_product_tags, (*path, "applicable_product_tags"))


def specifier(term: OverrideSpecifier | BalanceSpecifier, path: FieldPath, names: Names) -> Iterator[Finding]:
    """What a specifier names must exist, and its keys must be keys of what it selects."""
    yield from named(names, "products", term.product_id, (*path, "product_id"))
    yield from tagged(names, term.product_tags, (*path, "product_tags"))
    for field, keys, of in _keys(term, names):
        yield from keys_within(getattr(term, field), keys, (*path, field), of)


def _keys(term: OverrideSpecifier | BalanceSpecifier, names: Names) -> Iterator[tuple[str, Sequence[str], str]]:
    if term.product_id is not None and term.product_id not in names.products:
        return
    products = [names.products[term.product_id]] if term.product_id else list(names.products.values())
    usage = [version for product in products for version in usage_versions(product)]
    for field, attribute in (
        ("pricing_group_values", "pricing_group_key"),
        ("presentation_group_values", "presentation_group_key"),
    ):
        keys = list(dict.fromkeys(key for product in usage for key in getattr(product, attribute)))
        yield field, keys, f"the {attribute} of {repr(term.product_id) if term.product_id else 'any product'}"
