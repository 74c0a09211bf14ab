"""Rules of customers and contracts: references, periods, filters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from billing_assets.catalog.contracts import Contract, UsageFilter
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.rules.definitions import grouped_by
from billing_assets.catalog.rules.findings import Finding, named, ordered, overlapping, text_of
from billing_assets.catalog.versions import usage_versions


def customer_aliases(customer: Customer, names: Names) -> Iterator[Finding]:
    """An alias must not be another customer's id."""
    for position, alias in enumerate(customer.ingest_aliases):
        if alias != customer.id and alias in names.known["customers"]:
            yield (
                ("ingest_aliases", position),
                f"found {alias!r}, the id of another customer, expected a name of its own",
            )


def contract_customer(contract: Contract, names: Names) -> Iterator[Finding]:
    yield from ordered(contract)
    yield from named(names, "customers", contract.customer_id, ("customer_id",))


def contract_rate_card(contract: Contract, names: Names) -> Iterator[Finding]:
    """One rate card, by id or by an alias that is in force when the contract starts."""
    card, alias = contract.rate_card_id, contract.rate_card_alias
    if (card is None) == (alias is None):
        found = "neither" if card is None else "both"
        yield ("rate_card_id",), f"found {found} of rate_card_id and rate_card_alias, expected exactly one of them"
    yield from named(names, "rate_cards", card, ("rate_card_id",))
    if alias is not None and alias not in names.aliases:
        hint = suggestion(alias, names.aliases)
        yield ("rate_card_alias",), f"found {alias!r}, expected an alias of a rate card{hint}"
    elif alias is not None and card is None and names.card_of(contract) is None:
        start = text_of(contract.starting_at)
        yield (
            ("rate_card_alias",),
            f"found {alias!r}, not in force at the contract's start {start}, expected one that is",
        )


def statement_schedule(contract: Contract, names: Names) -> Iterator[Finding]:
    schedule, path = contract.usage_statement_schedule, ("usage_statement_schedule",)
    if schedule.frequency == "WEEKLY" and schedule.day == "FIRST_OF_MONTH":
        yield (*path, "day"), "found FIRST_OF_MONTH with frequency WEEKLY, expected CONTRACT_START or CUSTOM_DATE"
    if schedule.day == "CUSTOM_DATE" and schedule.billing_anchor_date is None:
        yield (*path, "billing_anchor_date"), "missing, expected the anchor of CUSTOM_DATE"
    if schedule.day != "CUSTOM_DATE" and schedule.billing_anchor_date is not None:
        yield (*path, "billing_anchor_date"), f"found it with day {schedule.anchor}, expected it with CUSTOM_DATE only"


def usage_filters(contract: Contract, names: Names) -> Iterator[Finding]:
    """Filters do not overlap, and every metric that the contract rates can be split by their key."""
    for position, found in enumerate(contract.usage_filter):
        path = ("usage_filter", position)
        yield from ordered(found, path)
        for product in (each for whole in names.usage_products_of(contract) for each in usage_versions(whole)):
            metric = names.billable_metrics.get(product.billable_metric_id)
            keys = frozenset((*product.pricing_group_key, *product.presentation_group_key, found.group_key))
            if metric is not None:
                yield from grouped_by(metric, keys, (*path, "group_key"))
    for first, second in combinations(range(len(contract.usage_filter)), 2):
        if _overlap(contract.usage_filter[first], contract.usage_filter[second]):
            yield ("usage_filter", second), f"overlaps usage_filter[{first}], expected one filter at a time"


def _overlap(first: UsageFilter, second: UsageFilter) -> bool:
    return overlapping((first.starting_at, first.ending_before), (second.starting_at, second.ending_before))
