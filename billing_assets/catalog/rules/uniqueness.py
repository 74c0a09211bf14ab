"""Names that must be given once: ids inside terms, and the names under which events arrive."""

from __future__ import annotations

from collections.abc import Iterator

from billing_assets.catalog.names import Names
from billing_assets.catalog.sources import FieldPath

Placed = tuple[str, str, FieldPath]
"""Collection, id of its term, field."""

_CONTRACT_IDS = {
    "overrides": "override",
    "commits": "balance",
    "credits": "balance",
    "recurring_commits": "balance",
    "recurring_credits": "balance",
    "subscriptions": "subscription",
    "scheduled_charges": "scheduled charge",
    "discounts": "discount",
}
_CUSTOMER_IDS = {"commits": "balance", "credits": "balance"}


def inner_ids(names: Names) -> Iterator[tuple[str, str, Placed]]:
    """(kind, id, place) of every id inside customers and contracts; an id names one thing of its kind in the book."""
    for collection, kinds in (("customers", _CUSTOMER_IDS), ("contracts", _CONTRACT_IDS)):
        for term in getattr(names, collection).values():
            for field in (name for name in kinds if name in term.model_fields_set):
                for position, inner in enumerate(getattr(term, field)):
                    if inner.id is not None:
                        yield kinds[field], inner.id, (collection, term.id, (field, position, "id"))


def customer_references(names: Names) -> Iterator[tuple[str, str, Placed]]:
    """Every name under which a customer's events arrive; each belongs to one customer."""
    for customer in names.customers.values():
        for position, alias in enumerate(customer.ingest_aliases):
            yield "ingest alias", alias, ("customers", customer.id, ("ingest_aliases", position))


def given_twice(names: Names) -> Iterator[tuple[Placed, str]]:
    """What was given a second time, in the order of the catalog."""
    seen: dict[tuple[str, str], Placed] = {}
    for kind, name, place in (*inner_ids(names), *customer_references(names)):
        first = seen.setdefault((kind, name), place)
        if first != place:
            yield (
                place,
                f"found the {kind} {name!r} a second time, already in {first[0]} {first[1]!r}, expected it once",
            )
