"""What a rule finds, and the checks that many rules share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import ONE_OF, listed, suggestion
from billing_assets.catalog.products import FixedProduct
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.terms import Term

Finding = tuple[FieldPath, str]


def text_of(instant: datetime) -> str:
    """`2026-10-01`, with the hour where it is not midnight (`2026-10-01T07`)."""
    return f"{instant:%Y-%m-%dT%H}" if instant.hour else f"{instant:%Y-%m-%d}"


def named(names: Names, collection: str, found: str | None, path: FieldPath) -> Iterator[Finding]:
    """A reference must name something that the catalog has."""
    if found is not None and found not in names.known[collection]:
        hint = names.suggestions[collection].nearest(found)
        yield path, f"found {found!r}, expected the id of a {ONE_OF[collection]}{hint}"


def all_named(names: Names, collection: str, found: Iterable[str], path: FieldPath) -> Iterator[Finding]:
    for position, name in enumerate(found):
        yield from named(names, collection, name, (*path, position))


def tagged(names: Names, tags: Iterable[str], path: FieldPath) -> Iterator[Finding]:
    """A tag must be on some product: a term that selects nothing is a typing error, not a choice."""
    for position, tag in enumerate(tags):
        if tag not in names.tags:
            hint = suggestion(tag, names.tags)
            yield (*path, position), f"found {tag!r}, expected a tag of some product{hint}"


def ordered(term: Term, path: FieldPath = ()) -> Iterator[Finding]:
    """[starting_at, ending_before) must contain at least an hour."""
    start: datetime | None = getattr(term, "starting_at", None)
    end: datetime | None = getattr(term, "ending_before", None)
    if start is not None and end is not None and end <= start:
        yield (*path, "ending_before"), f"found {text_of(end)}, expected an instant after starting_at {text_of(start)}"


def keys_within(values: Mapping[str, object], keys: Sequence[str], path: FieldPath, of: str) -> Iterator[Finding]:
    """Group values may only name keys that exist."""
    for key in values:
        if key not in keys:
            have = listed(keys) if keys else "none"
            yield (*path, key), f"found the key {key!r}, expected a key of {of} ({have}){suggestion(key, keys)}"


def inside(instant: datetime, start: datetime, end: datetime | None, path: FieldPath) -> Iterator[Finding]:
    """Charges and changes of quantities lie inside [start, end] of their contract."""
    if instant < start or (end is not None and instant > end):
        bounds = f"{text_of(start)} to {text_of(end)}" if end is not None else f"{text_of(start)} or later"
        yield path, f"found {text_of(instant)}, outside the contract's dates, expected {bounds}"


def overlapping(
    first: tuple[datetime | None, datetime | None], second: tuple[datetime | None, datetime | None]
) -> bool:
    """Whether two half-open intervals share an hour; None is open."""
    (a, b), (c, d) = first, second
    return (b is None or c is None or c < b) and (d is None or a is None or a < d)


def fixed_product(found: str, path: FieldPath, names: Names) -> Iterator[Finding]:
    """What schedules charge, and what balances are sold as, is a FIXED product."""
    path = (*path, "product_id")
    yield from named(names, "products", found, path)
    product = names.products.get(found)
    if product is not None and not isinstance(product, FixedProduct):
        yield path, f"found {found!r} of type {product.type}, expected a FIXED product"
