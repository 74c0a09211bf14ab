"""Rules of commits and credits: those of contracts, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from billing_assets.catalog.balance_reach import quantity_product
from billing_assets.catalog.commits import PostpaidCommit, PrepaidCommit, RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import Names
from billing_assets.catalog.naming import listed, suggestion
from billing_assets.catalog.products import SubscriptionProduct, UsageProduct
from billing_assets.catalog.rules.findings import Finding, fixed_product, inside, named, ordered, text_of
from billing_assets.catalog.rules.selectors import selection, specifier
from billing_assets.catalog.schedules import AmountItem, UnitItem
from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.subscriptions import SeatSubscription

BALANCES = ("commits", "credits", "recurring_commits", "recurring_credits")


def contract_balances(contract: Contract, names: Names) -> Iterator[Finding]:
    for field in BALANCES:
        for position, balance in enumerate(getattr(contract, field)):
            path: FieldPath = (field, position)
            yield from balance_is_sound(balance, path, names)
            yield from unit_on_card(balance, (contract,), path, names)
            if isinstance(balance, PrepaidCommit):
                yield from purchases_inside(balance, contract, path)
            if isinstance(balance, RecurringCredit):
                yield from recurring(balance, contract, path, names)


def balance_is_sound(balance: Any, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from fixed_product(balance.product_id, path, names)
    yield from named(names, "pricing_units", balance.pricing_unit, (*path, "pricing_unit"))
    yield from selection(balance, path, names)
    yield from ordered(balance, path)
    for position, found in enumerate(balance.specifiers):
        yield from specifier(found, (*path, "specifiers", position), names)
    for position, item in enumerate(getattr(balance, "access_schedule", ())):
        yield from ordered(item, (*path, "access_schedule", position))
    if balance.access_type == "QUANTITY":
        yield from units_of_one_product(balance, path, names)
    if isinstance(balance, PostpaidCommit):
        yield from postpaid(balance, path)


def units_of_one_product(balance: Any, path: FieldPath, names: Names) -> Iterator[Finding]:
    """Units of different products cannot be added: a balance of units names the one product that it holds."""
    expected = "expected one product in applicable_product_ids, or in the specifiers, whose units it holds"
    name = quantity_product(balance)
    if name is None:
        yield (*path, "access_type"), f"found QUANTITY access to products that are not one, {expected}"
        return
    product = names.products.get(name)
    if product is not None and not isinstance(product, UsageProduct | SubscriptionProduct):
        message = f"found QUANTITY access to {name!r} of type {product.type}, expected a USAGE or SUBSCRIPTION product"
        yield (*path, "access_type"), message
    if balance.pricing_unit is not None:
        yield (*path, "pricing_unit"), f"found {balance.pricing_unit!r} beside QUANTITY access, expected SPEND access"


def unit_on_card(balance: Any, contracts: tuple[Contract, ...], path: FieldPath, names: Names) -> Iterator[Finding]:
    """An amount in a custom unit is drawn only where a card of its contracts has prices in that unit."""
    found = balance.pricing_unit
    if found is None or found not in names.known["pricing_units"]:
        return
    cards = [card for contract in contracts if (card := names.card_of(contract)) is not None]
    units = sorted({conversion.pricing_unit for card in cards for conversion in card.pricing_unit_conversions})
    if cards and found not in units:
        message = f"found {found!r}, expected a unit with a conversion on the rate card ({listed(units) or 'none'})"
        yield (*path, "pricing_unit"), message


def purchases_inside(commit: PrepaidCommit, contract: Contract, path: FieldPath) -> Iterator[Finding]:
    """What a commit costs is charged inside the dates of the contract that is charged."""
    for position, item in enumerate(commit.invoice_schedule):
        where = (*path, "invoice_schedule", position, "timestamp")
        yield from inside(item.timestamp, contract.starting_at, contract.ending_before, where)


def postpaid(commit: PostpaidCommit, path: FieldPath) -> Iterator[Finding]:
    """One promise of money, and at most one invoice of the same amount."""
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
    for field, found_unit in (("access_type", commit.access_type), ("pricing_unit", commit.pricing_unit)):
        if found_unit not in ("SPEND", None):
            message = f"found {found_unit!r} of a POSTPAID commit, expected money: what is missing of it is charged"
            yield (*path, field), message


def amount_of(item: AmountItem | UnitItem) -> Any:
    return item.amount if isinstance(item, AmountItem) else item.unit_price * item.quantity


def recurring(balance: RecurringCredit, contract: Contract, path: FieldPath, names: Names) -> Iterator[Finding]:
    end = contract.ending_before
    if end is not None and balance.starting_at >= end:
        found = text_of(balance.starting_at)
        yield (*path, "starting_at"), f"found {found}, expected an instant before the contract's end {text_of(end)}"
    if balance.subscription_config is not None:
        yield from _seats(balance, contract, (*path, "subscription_config"), names)


def _seats(balance: Any, contract: Contract, path: FieldPath, names: Names) -> Iterator[Finding]:
    """A grant by seats is tied to a subscription of the contract; one for each seat needs seats with names."""
    config = balance.subscription_config
    by_id = {subscription.id: subscription for subscription in contract.subscriptions}
    found = by_id.get(config.subscription_id)
    if found is None:
        hint = suggestion(config.subscription_id, by_id)
        message = f"found {config.subscription_id!r}, expected a subscription of the contract{hint}"
        yield (*path, "subscription_id"), message
    elif config.allocation == "INDIVIDUAL":
        yield from _seats_of_their_own(found, path, names)


def _seats_of_their_own(subscription: Any, path: FieldPath, names: Names) -> Iterator[Finding]:
    if not isinstance(subscription, SeatSubscription):
        message = f"found INDIVIDUAL with {subscription.id!r}, without seat ids, expected a SEAT_BASED subscription"
        yield (*path, "allocation"), message
        return
    key = subscription.seat_config.seat_group_key
    if key not in names.usage_keys:
        message = (
            f"found INDIVIDUAL by the property {key!r} of {subscription.id!r}, expected a pricing or presentation key "
            f"of a USAGE product: only such usage is known by its seat{suggestion(key, names.usage_keys)}"
        )
        yield (*path, "allocation"), message


def without_end(owner: Contract | Customer, names: Names) -> Iterator[Finding]:
    """A warning: what is missing of a promise is charged at its end."""
    for position, commit in enumerate(owner.commits):
        if isinstance(commit, PostpaidCommit) and commit.access_schedule[0].ending_before is None:
            path = ("commits", position, "access_schedule", 0, "ending_before")
            yield path, "missing of a POSTPAID commit: what is missing of it is never charged"
