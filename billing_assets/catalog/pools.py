"""Pools: contracts that can reach a common balance draw one after the other (docs/semantics.md, Pools)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.contracts import ChildHierarchy, Contract, ParentHierarchy
from billing_assets.catalog.customers import Customer


def pools(catalog: Catalog) -> Mapping[str, str]:
    """Contract to pool: the connected component, named by its first contract in the catalog."""
    first = {contract.id: contract.id for contract in catalog.contracts}
    position = {contract.id: place for place, contract in enumerate(catalog.contracts)}

    def root(name: str) -> str:
        while first[name] != name:
            first[name] = first[first[name]]
            name = first[name]
        return name

    for together in _reaching_one_balance(catalog):
        roots = sorted({root(name) for name in together if name in first}, key=position.__getitem__)
        for other in roots[1:]:
            first[other] = roots[0]
    return {name: root(name) for name in first}


def _reaching_one_balance(catalog: Catalog) -> Iterator[Iterable[str]]:
    of_customer: dict[str, list[str]] = {}
    for contract in catalog.contracts:
        of_customer.setdefault(contract.customer_id, []).append(contract.id)
    for customer in catalog.customers:
        for balance in (*customer.commits, *customer.credits):
            yield applicable_contracts(balance.applicable_contract_ids, customer, of_customer)
    for parent, children in sharing(catalog.contracts).items():
        yield (parent, *children)
    yield from _renewed(catalog.contracts)
    yield from _on_one_invoice(catalog.contracts)


def _renewed(contracts: Iterable[Contract]) -> Iterator[Iterable[str]]:
    """A renewal reaches what is left of the old contract's balances, so it draws after that contract's last invoice."""
    by_id = {contract.id: contract for contract in contracts}
    for contract in by_id.values():
        transition = contract.transition
        if transition is not None and transition.type == "RENEWAL":
            before = by_id.get(transition.from_contract_id)
            if before is not None and _rolls_over(before):
                yield (before.id, contract.id)


def _rolls_over(contract: Contract) -> bool:
    balances = (*contract.commits, *contract.credits, *contract.recurring_commits, *contract.recurring_credits)
    return any(getattr(balance, "rollover_fraction", None) for balance in balances)


def _on_one_invoice(contracts: Iterable[Contract]) -> Iterator[Iterable[str]]:
    """A child whose parent pays draws on its own balances on the parent's invoice."""
    for contract in contracts:
        if isinstance(contract.hierarchy, ChildHierarchy) and contract.hierarchy.payer == "PARENT":
            yield (contract.hierarchy.parent_contract_id, contract.id)


def applicable_contracts(
    named: Iterable[str], customer: Customer, of_customer: Mapping[str, list[str]]
) -> tuple[str, ...]:
    """Contracts that may draw a balance of the customer: those that it names, else all of the customer."""
    chosen = set(named)
    own = of_customer.get(customer.id, ())
    return tuple(name for name in own if not chosen or name in chosen)


def sharing(contracts: Iterable[Contract]) -> Mapping[str, tuple[str, ...]]:
    """Parent contract to the children that may draw on its commits and credits."""
    children: dict[str, list[str]] = {}
    access = {}
    for contract in contracts:
        match contract.hierarchy:
            case ChildHierarchy():
                children.setdefault(contract.hierarchy.parent_contract_id, []).append(contract.id)
            case ParentHierarchy():
                access[contract.id] = contract.hierarchy.child_access
            case None:
                pass
    return {
        parent: tuple(child for child in children.get(parent, ()) if allowed == "ALL" or child in allowed)
        for parent, allowed in access.items()
        if allowed != "NONE"
    }
