"""Rules of subscriptions, scheduled charges, discounts, thresholds and minimum spends."""

from __future__ import annotations

from collections.abc import Iterator

from billing_assets.catalog.charges import PrepaidBalanceThreshold, ScheduledCharge
from billing_assets.catalog.commits import PostpaidCommit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.products import SubscriptionProduct
from billing_assets.catalog.rules.balances import unit_on_card
from billing_assets.catalog.rules.findings import Finding, fixed_product, inside, named, ordered
from billing_assets.catalog.rules.selectors import selection
from billing_assets.catalog.rules.shared_balances import reachable
from billing_assets.catalog.schedules import RecurrenceSchedule
from billing_assets.catalog.sources import FieldPath

RECHARGE_STEP = 10
"""A recharge goes at least this far above its threshold."""


def subscriptions(contract: Contract, names: Names) -> Iterator[Finding]:
    for position, subscription in enumerate(contract.subscriptions):
        path: FieldPath = ("subscriptions", position)
        yield from named(names, "products", subscription.product_id, (*path, "product_id"))
        product = names.products.get(subscription.product_id)
        if product is not None and not isinstance(product, SubscriptionProduct):
            message = f"found {product.id!r} of type {product.type}, expected a SUBSCRIPTION product"
            yield (*path, "product_id"), message
        yield from ordered(subscription, path)
        for field in ("starting_at", "ending_before"):
            if (instant := getattr(subscription, field)) is not None:
                yield from inside(instant, contract.starting_at, contract.ending_before, (*path, field))
        for item, update in enumerate(subscription.quantity_updates):
            where = (*path, "quantity_updates", item, "starting_at")
            yield from inside(update.starting_at, contract.starting_at, contract.ending_before, where)


def scheduled_charges(contract: Contract, names: Names) -> Iterator[Finding]:
    for position, charge in enumerate(contract.scheduled_charges):
        path: FieldPath = ("scheduled_charges", position)
        yield from fixed_product(charge.product_id, path, names)
        yield from _charge_dates(charge, contract, (*path, "schedule"))


def _charge_dates(charge: ScheduledCharge, contract: Contract, path: FieldPath) -> Iterator[Finding]:
    """Charges lie inside the contract; what is divided must end."""
    start, end = contract.starting_at, contract.ending_before
    if not isinstance(charge.schedule, RecurrenceSchedule):
        for item, found in enumerate(charge.schedule.schedule_items):
            yield from inside(found.timestamp, start, end, (*path, "schedule_items", item, "timestamp"))
        return
    path, recurring = (*path, "recurring_schedule"), charge.schedule.recurring_schedule
    yield from ordered(recurring, path)
    yield from inside(recurring.starting_at, start, end, (*path, "starting_at"))
    if recurring.ending_before is not None:
        yield from inside(recurring.ending_before, start, end, (*path, "ending_before"))
    elif recurring.amount_distribution != "EACH" and end is None:
        kind = recurring.amount_distribution
        yield (*path, "ending_before"), f"missing, expected an end of the charge or the contract to divide ({kind})"


def discounts(contract: Contract, names: Names) -> Iterator[Finding]:
    for position, discount in enumerate(contract.discounts):
        yield from ordered(discount, ("discounts", position))
        yield from selection(discount, ("discounts", position), names)


def thresholds(contract: Contract, names: Names) -> Iterator[Finding]:
    for field in ("spend_threshold", "prepaid_balance_threshold"):
        if (threshold := getattr(contract, field)) is not None:
            path = (field, "commit")
            yield from fixed_product(threshold.commit.product_id, path, names)
            yield from selection(threshold.commit, path, names)
    if contract.prepaid_balance_threshold is not None:
        yield from _recharge(contract.prepaid_balance_threshold, contract, names)


def _recharge(threshold: PrepaidBalanceThreshold, contract: Contract, names: Names) -> Iterator[Finding]:
    path: FieldPath = ("prepaid_balance_threshold",)
    found, least = threshold.recharge_to_amount, threshold.threshold_amount + RECHARGE_STEP
    if found < least:
        message = f"found {found}, expected at least {least}, {RECHARGE_STEP} above the threshold"
        yield (*path, "recharge_to_amount"), message
    yield from named(names, "pricing_units", threshold.pricing_unit, (*path, "pricing_unit"))
    yield from unit_on_card(threshold, (contract,), path, names)
    known = {balance.id for balance in reachable(contract, names)}
    for position, specifier in enumerate(threshold.threshold_balance_specifiers):
        for item, name in enumerate(specifier.exclude):
            if name not in known:
                expected = f"expected a commit or credit that the contract can draw on{suggestion(name, known)}"
                where = (*path, "threshold_balance_specifiers", position, "exclude", item)
                yield where, f"found {name!r}, {expected}"


def minimum_spend_with_postpaid(contract: Contract, names: Names) -> Iterator[Finding]:
    """A warning: both charge for usage that does not come."""
    if contract.minimum_spend is None:
        return
    if any(isinstance(commit, PostpaidCommit) for commit in reachable(contract, names)):
        yield ("minimum_spend",), "found beside a POSTPAID commit: without usage the customer is charged twice"
