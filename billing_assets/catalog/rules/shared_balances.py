"""Rules of commits and credits of customers, which several of their contracts share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from billing_assets.catalog.commits import PostpaidCommit, PrepaidCommit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.customers import Customer
from billing_assets.catalog.names import Names
from billing_assets.catalog.rules.balances import balance_is_sound, purchases_inside, unit_on_card
from billing_assets.catalog.rules.findings import Finding, named
from billing_assets.catalog.sources import FieldPath


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
            yield from _on_contracts(balance, customer, path, names)


def _own(contract_id: str, customer: Customer, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from named(names, "contracts", contract_id, path)
    contract = names.contracts.get(contract_id)
    if contract is not None and contract.customer_id != customer.id:
        yield path, f"found a contract of customer {contract.customer_id!r}, expected one of {customer.id!r}"


def _on_contracts(balance: Any, customer: Customer, path: FieldPath, names: Names) -> Iterator[Finding]:
    """Its unit is one of its contracts' cards, and there is a contract that what it costs is charged on."""
    chosen = set(balance.applicable_contract_ids)
    drawing = tuple(one for one in names.contracts_of.get(customer.id, ()) if not chosen or one.id in chosen)
    yield from unit_on_card(balance, drawing, path, names)
    charged = names.contracts.get(balance.invoice_contract_id or "") or next(iter(drawing), None)
    if isinstance(balance, PrepaidCommit) and charged is not None:
        yield from purchases_inside(balance, charged, path)
    if charged is None and not chosen and _is_charged(balance):
        yield path, "found a commit that is charged, of a customer without a contract, expected a contract to charge"


def _is_charged(balance: Any) -> bool:
    return isinstance(balance, PostpaidCommit) or (
        isinstance(balance, PrepaidCommit) and bool(balance.invoice_schedule)
    )


def reachable(contract: Contract, names: Names) -> Iterator[Any]:
    """Commits and credits that usage of a contract may draw on: its own, its customer's, and its parent's."""
    parent = names.contracts.get(getattr(contract.hierarchy, "parent_contract_id", ""))
    for one in (contract, parent):
        if one is not None:
            yield from (*one.commits, *one.credits, *one.recurring_commits, *one.recurring_credits)
    customer = names.customers.get(contract.customer_id)
    if customer is not None:
        yield from (*customer.commits, *customer.credits)
