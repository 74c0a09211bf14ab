"""Rules of settings, metrics and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from string import Formatter

from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.catalog.metrics import BillableMetric, SqlMetric
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import listed, suggestion
from billing_assets.catalog.products import CompositeProduct, Product, ProductUpdate, UsageProduct
from billing_assets.catalog.rules.findings import Finding, all_named, named, tagged, text_of
from billing_assets.catalog.settings import Settings
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.sql.plans import declared_keys, property_columns
from billing_assets.catalog.sql.reading import QueryError, read_query
from billing_assets.catalog.versions import takes, versions


def currency_known(code: str | None, path: FieldPath) -> Iterator[Finding]:
    if code is not None and code not in MINOR_DIGITS:
        yield path, f"found {code!r}, expected an ISO 4217 currency code such as USD{suggestion(code, MINOR_DIGITS)}"


def settings_currency(settings: Settings, names: Names) -> Iterator[Finding]:
    yield from currency_known(settings.currency, ("currency",))


def invoice_number_format(settings: Settings, names: Names) -> Iterator[Finding]:
    """The format must be usable, and two numbers must never look alike."""
    path = ("invoice_number_format",)
    try:
        fields = {name for _, name, _, _ in Formatter().parse(settings.invoice_number_format) if name is not None}
        settings.invoice_number_format.format(year=2026, number=1)
    except (ValueError, KeyError, IndexError, AttributeError):
        yield path, f"found {settings.invoice_number_format!r}, expected only {{year}} and {{number}} in braces"
        return
    if "number" not in fields:
        yield path, f"found {settings.invoice_number_format!r}, expected {{number}} in it"


def group_keys(metric: BillableMetric, names: Names) -> Iterator[Finding]:
    """A group key is a set of properties, written once."""
    seen: set[frozenset[str]] = set()
    for position, key in enumerate(metric.group_keys):
        path = ("group_keys", position)
        if not key:
            yield path, "found an empty group key, expected the names of properties"
        elif len(set(key)) < len(key):
            yield path, f"found a property twice in [{', '.join(key)}], expected each once"
        elif frozenset(key) in seen:
            yield path, f"found [{', '.join(key)}] a second time, expected each group key once"
        seen.add(frozenset(key))


def product_metric(product: Product, names: Names) -> Iterator[Finding]:
    if isinstance(product, UsageProduct):
        yield from named(names, "billable_metrics", product.billable_metric_id, ("billable_metric_id",))


def product_keys_declared(product: Product, names: Names) -> Iterator[Finding]:
    """The pricing and presentation keys together must lie in one group key of the metric."""
    before: UsageProduct | None = None
    for version in versions(product):
        found = version.product
        if isinstance(found, UsageProduct) and (before is None or takes(found) != takes(before)):
            yield from _keys_declared(found, names, () if version.update is None else ("updates", version.update))
            before = found


def _keys_declared(product: UsageProduct, names: Names, path: FieldPath) -> Iterator[Finding]:
    repeated = [
        key for key, times in Counter(product.pricing_group_key + product.presentation_group_key).items() if times > 1
    ]
    for key in repeated:
        yield (
            (*path, "presentation_group_key"),
            f"found {key!r} twice, expected each key once, for pricing or for presentation",
        )
    metric = names.billable_metrics.get(product.billable_metric_id)
    if metric is not None:
        keys = frozenset(product.pricing_group_key + product.presentation_group_key)
        field = "pricing_group_key" if product.pricing_group_key else "presentation_group_key"
        yield from grouped_by(metric, keys, path or (field,))


def grouped_by(metric: BillableMetric, keys: frozenset[str], path: FieldPath) -> Iterator[Finding]:
    """`keys` must lie together in one group key that the metric declares."""
    group_keys = declared_keys(metric)
    if group_keys is None or not keys or any(keys <= set(declared) for declared in group_keys):
        return
    declared = listed(f"[{', '.join(key)}]" for key in group_keys) or "none"
    properties = {key for group in group_keys for key in group}
    stray = sorted(keys - properties)
    hint = suggestion(stray[0], properties) if stray else ""
    yield (
        path,
        (
            f"found the keys [{', '.join(sorted(keys))}], expected a group key of metric {metric.id!r} "
            f"that has them all (declared: {declared}){hint}"
        ),
    )


def product_updates(product: Product, names: Names) -> Iterator[Finding]:
    """Updates follow each other: one at an instant, and each of them names what exists."""
    if not isinstance(product, UsageProduct):
        return
    seen: set[object] = set()
    for position, update in enumerate(product.updates):
        path: FieldPath = ("updates", position)
        if update.starting_at in seen:
            found = text_of(update.starting_at)
            yield (*path, "starting_at"), f"found {found} a second time, expected one update at an instant"
        seen.add(update.starting_at)
        yield from named(names, "billable_metrics", update.billable_metric_id, (*path, "billable_metric_id"))
        yield from _changes_something(update, path)


def _changes_something(update: ProductUpdate, path: FieldPath) -> Iterator[Finding]:
    if not update.model_fields_set - {"starting_at"}:
        yield path, "found an update without a change, expected a field beside starting_at"
    for field in ("name", "billable_metric_id"):
        if field in update.model_fields_set and getattr(update, field) is None:
            yield (*path, field), "found null, expected a new value, or no such field"


def composite_base(product: Product, names: Names) -> Iterator[Finding]:
    """A composite names the USAGE products that it is a percentage of."""
    if not isinstance(product, CompositeProduct):
        return
    if not product.composite_product_ids and not product.composite_tags:
        yield (), "found no base, expected composite_product_ids or composite_tags"
    yield from all_named(names, "products", product.composite_product_ids, ("composite_product_ids",))
    yield from tagged(names, product.composite_tags, ("composite_tags",))
    for position, name in enumerate(product.composite_product_ids):
        base = names.products.get(name)
        if base is not None and not isinstance(base, UsageProduct):
            yield ("composite_product_ids", position), f"found {name!r} of type {base.type}, expected a USAGE product"


def sql_is_computed(metric: BillableMetric, names: Names) -> Iterator[Finding]:
    """Only what the tree of `sql` can say is computed; every other query is a problem here, never in a run."""
    if not isinstance(metric, SqlMetric):
        return
    try:
        columns = property_columns(read_query(metric.sql))
    except QueryError as error:
        yield ("sql",), str(error)
        return
    for position, key in enumerate(metric.group_keys):
        for name in key:
            if name not in columns:
                expected = f"a column of the query that is a property under its own name ({listed(columns) or 'none'})"
                yield ("group_keys", position), f"found {name!r}, expected {expected}{suggestion(name, columns)}"
