"""Products as frames: as first written, and as each of their updates leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from billing_assets.catalog.book import compact_json
from billing_assets.catalog.products import Product, UsageProduct
from billing_assets.catalog.tables import FLAG, TEXT, TEXTS, WHOLE, Schema
from billing_assets.catalog.versions import versions
from billing_assets.columns import DECIMAL, TIMESTAMP

PRODUCTS: Schema = {
    "product_id": TEXT,
    "name": TEXT,
    "product_type": TEXT,
    "billable_metric_id": TEXT,
    "pricing_keys": TEXTS,
    "presentation_keys": TEXTS,
    "tags": TEXT,
    "conversion_factor": DECIMAL,
    "conversion_operation": TEXT,
    "unit": TEXT,
    "rounding_method": TEXT,
    "rounding_unit": DECIMAL,
    "tax_code": TEXT,
}
PRODUCT_VERSIONS: Schema = {
    **PRODUCTS,
    "product_version": WHOLE,
    "taking": WHOLE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "has_updates": FLAG,
    "pricing_names": TEXT,
    "presentation_names": TEXT,
}
"""The product as it is in [starting_at, ending_before), null: open. `taking` is as in `versions.ProductVersion`;
`pricing_names`, `presentation_names` are the keys as canonical JSON has them: `"model","region"`."""


def product_row(product: Product) -> tuple[Any, ...]:
    tags = compact_json(sorted(set(product.tags)))
    if not isinstance(product, UsageProduct):
        return (
            product.id,
            product.name,
            product.type,
            None,
            [],
            [],
            tags,
            None,
            None,
            None,
            None,
            None,
            product.tax_code,
        )
    conversion, rounding = product.quantity_conversion, product.quantity_rounding
    return (
        product.id,
        product.name,
        product.type,
        product.billable_metric_id,
        sorted(product.pricing_group_key),
        sorted(product.presentation_group_key),
        tags,
        conversion.conversion_factor if conversion else None,
        conversion.operation if conversion else None,
        conversion.name if conversion else None,
        rounding.rounding_method if rounding else None,
        f"1e{-rounding.decimal_places}" if rounding else None,
        product.tax_code,
    )


def product_version_rows(products: Iterable[Product]) -> Iterator[tuple[Any, ...]]:
    """Rows of PRODUCT_VERSIONS."""
    for product in products:
        found = versions(product)
        for each in found:
            span = each.starting_at, each.ending_before
            row = product_row(each.product)
            names = (_names(row[list(PRODUCTS).index(keys)]) for keys in ("pricing_keys", "presentation_keys"))
            yield *row, each.number, each.taking, *span, len(found) > 1, *names


def _names(keys: list[str]) -> str:
    """Keys as they stand in canonical JSON: `"model","region"`."""
    return ",".join(compact_json(key) for key in keys)
