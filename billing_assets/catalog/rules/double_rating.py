"""Two contracts of a customer must not price the same usage (docs/semantics.md, Contracts that overlap)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing_assets.catalog.contracts import Contract, UsageFilter
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import listed
from billing_assets.catalog.overrides import OverwriteOverride
from billing_assets.catalog.rules.findings import text_of
from billing_assets.catalog.versions import usage_versions

DoubleRating = tuple[str, str]
"""The later contract in the catalog, and what is wrong with it."""


def double_rated(names: Names) -> Iterator[DoubleRating]:
    """Every pair of overlapping contracts of one customer that price the same metric's events."""
    by_customer: dict[str, list[Contract]] = {}
    for contract in names.contracts.values():
        by_customer.setdefault(contract.customer_id, []).append(contract)
    for contracts in by_customer.values():
        for first, second in overlapping_pairs(contracts):
            yield from _pair(first, second, names)


def overlapping_pairs(contracts: list[Contract]) -> Iterator[tuple[Contract, Contract]]:
    """Pairs that share an hour, each in the order of the catalog; a chain of renewals costs one look each."""
    by_start = sorted(enumerate(contracts), key=lambda row: (row[1].starting_at, row[0]))
    for place, (position, first) in enumerate(by_start):
        for other, second in by_start[place + 1 :]:
            if first.ending_before is not None and second.starting_at >= first.ending_before:
                break
            yield (first, second) if position < other else (second, first)


def _pair(first: Contract, second: Contract, names: Names) -> Iterator[DoubleRating]:
    shared = rated_metrics(first, names) & rated_metrics(second, names)
    at = shared_instant(first, second) if shared else None
    if at is not None:
        metrics = listed(repr(metric) for metric in sorted(shared))
        yield (
            second.id,
            (
                f"double_rating: from {text_of(at)} on contract {first.id!r} rates the same usage ({metrics}), "
                f"expected disjoint usage filters, dates that do not overlap, or settings.allow_double_rating"
            ),
        )


def rated_metrics(contract: Contract, names: Names) -> frozenset[str]:
    """Metrics whose events the contract prices: of products that it is entitled to, and that take them, at any time."""
    card = names.card_of(contract)
    rates = names.rates_of[card.id] if card else {}
    reachable = any(override.entitled or isinstance(override, OverwriteOverride) for override in contract.overrides)
    return frozenset(
        version.billable_metric_id
        for product in names.usage_products_of(contract)
        if reachable or any(rate.entitled for rate in rates.get(product.id, ()))
        for version in usage_versions(product)
    )


def shared_instant(first: Contract, second: Contract) -> datetime | None:
    """The first instant at which one event could belong to both; None if filters keep them apart throughout."""
    start = max(first.starting_at, second.starting_at)
    ends = [end for end in (first.ending_before, second.ending_before) if end is not None]
    changes = {start}
    for found in (*first.usage_filter, *second.usage_filter):
        changes |= {instant for instant in (found.starting_at, found.ending_before) if instant is not None}
    within = sorted(instant for instant in changes if start <= instant and all(instant < end for end in ends))
    return next((instant for instant in within if not _apart(first, second, instant)), None)


def _apart(first: Contract, second: Contract, at: datetime) -> bool:
    one, other = _filter_at(first, at), _filter_at(second, at)
    if one is None or other is None or one.group_key != other.group_key:
        return False
    return set(one.group_values).isdisjoint(other.group_values)


def _filter_at(contract: Contract, at: datetime) -> UsageFilter | None:
    return next(
        (
            found
            for found in contract.usage_filter
            if (found.starting_at is None or found.starting_at <= at)
            and (found.ending_before is None or at < found.ending_before)
        ),
        None,
    )
