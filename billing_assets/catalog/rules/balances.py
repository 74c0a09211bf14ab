"""Rules of commits, credits, subscriptions, charges, discounts and thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from billing_assets.catalog.charges import ScheduledCharge
from billing_assets.catalog.commits import PostpaidCommit, RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.products import FixedProduct, SubscriptionProduct
from billing_assets.catalog.rules.findings import Finding, inside, named, ordered
from billing_assets.catalog.rules.selectors import selection, specifier
from billing_assets.catalog.schedules import AmountItem, RecurrenceSchedule, UnitItem
from billing_assets.catalog.sources import FieldPath

BALANCES = ("commits", "credits", "recurring_commits", "recurring_credits")
RECHARGE_STEP = 10
"""A recharge goes at least this far above its threshold."""


def contract_balances(contract: Contract, names: Names) -> Iterator[Finding]:
    for field in BALANCES:
        for position, balance in enumerate(getattr(contract, field)):
            path: FieldPath = (field, position)
            yield from balance_is_sound(balance, path, names)
            for item, invoice in enumerate(getattr(balance, "invoice_schedule", ())):
                if not isinstance(balance, PostpaidCommit):
                    where = (*path, "invoice_schedule", item, "timestamp")
                    yield from inside(invoice.timestamp, contract.starting_at, contract.ending_before, where)
            if isinstance(balance, RecurringCredit) and balance.subscription_config is not None:
                yield from _seats(balance.subscription_config.subscription_id, contract, path)


def _seats(found: str, contract: Contract, path: FieldPath) -> Iterator[Finding]:
    ids = [subscription.id for subscription in contract.subscriptions]
    if found not in ids:
        where = (*path, "subscription_config", "subscription_id")
        yield where, f"found {found!r}, expected a subscription of the contract{suggestion(found, ids)}"


def customer_balances(customer: Customer, names: Names) -> Iterator[Finding]:
    """Balances of a customer are shared by contracts of that customer."""
    for field in ("commits", "credits"):
        for position, balance in enumerate(getattr(customer, field)):
            path: FieldPath = (field, position)
            yield from balance_is_sound(balance, path, names)
            for item, contract in enumerate(balance.applicable_contract_ids):
                yield from _own(contract, customer, (*path, "applicable_contract_ids", item), names)
            if balance.invoice_contract_id is not None:
                yield from _own(balance.invoice_contract_id, customer, (*path, "invoice_contract_id"), names)


def _own(contract_id: str, customer: Customer, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from named(names, "contracts", contract_id, path)
    contract = names.contracts.get(contract_id)
    if contract is not None and contract.customer_id != customer.id:
        yield path, f"found a contract of customer {contract.customer_id!r}, expected one of {customer.id!r}"


def balance_is_sound(balance: Any, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from fixed_product(balance.product_id, path, names)
    yield from named(names, "pricing_units", balance.pricing_unit, (*path, "pricing_unit"))
    yield from selection(balance, path, names)
    yield from ordered(balance, path)
    for position, found in enumerate(balance.specifiers):
        yield from specifier(found, (*path, "specifiers", position), names)
    for position, item in enumerate(getattr(balance, "access_schedule", ())):
        yield from ordered(item, (*path, "access_schedule", position))
    if isinstance(balance, PostpaidCommit):
        yield from postpaid(balance, path)


def postpaid(commit: PostpaidCommit, path: FieldPath) -> Iterator[Finding]:
    """One promise, and at most one invoice of the same amount."""
    if len(commit.access_schedule) != 1:
        found = len(commit.access_schedule)
        yield (*path, "access_schedule"), f"found {found} items of a POSTPAID commit, expected exactly one"
    if len(commit.invoice_schedule) > 1:
        found = len(commit.invoice_schedule)
        yield (*path, "invoice_schedule"), f"found {found} items of a POSTPAID commit, expected at most one"
    for position, item in enumerate(commit.invoice_schedule[:1]):
        amount = amount_of(item)
        if amount != commit.access_schedule[0].amount:
            where = (*path, "invoice_schedule", position)
            yield where, f"found an amount of {amount}, expected that of the access, {commit.access_schedule[0].amount}"


def amount_of(item: AmountItem | UnitItem) -> Any:
    return item.amount if isinstance(item, AmountItem) else item.unit_price * item.quantity


def fixed_product(found: str, path: FieldPath, names: Names) -> Iterator[Finding]:
    path = (*path, "product_id")
    yield from named(names, "products", found, path)
    product = names.products.get(found)
    if product is not None and not isinstance(product, FixedProduct):
        yield path, f"found {found!r} of type {product.type}, expected a FIXED product"


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
    recharge = contract.prepaid_balance_threshold
    if recharge is not None and recharge.recharge_to_amount < recharge.threshold_amount + RECHARGE_STEP:
        least = recharge.threshold_amount + RECHARGE_STEP
        path = ("prepaid_balance_threshold", "recharge_to_amount")
        yield (
            path,
            f"found {recharge.recharge_to_amount}, expected at least {least}, {RECHARGE_STEP} above the threshold",
        )


def minimum_spend_with_postpaid(contract: Contract, names: Names) -> Iterator[Finding]:
    """A warning: both charge for usage that does not come."""
    if contract.minimum_spend is not None and any(isinstance(commit, PostpaidCommit) for commit in contract.commits):
        yield ("minimum_spend",), "found beside a POSTPAID commit: without usage the customer is charged twice"
