"""Rules of contracts that follow each other, and of contracts under a parent."""

from __future__ import annotations

from collections.abc import Iterator

from billing_assets.catalog.contracts import ChildHierarchy, Contract, ParentHierarchy
from billing_assets.catalog.names import Names
from billing_assets.catalog.rules.findings import Finding, named
from billing_assets.catalog.sources import FieldPath


def transition(contract: Contract, names: Names) -> Iterator[Finding]:
    """A contract follows another one of its customer, which nothing else follows; a renewal, one that ends."""
    if contract.transition is None:
        return
    path = ("transition", "from_contract_id")
    found = contract.transition.from_contract_id
    yield from named(names, "contracts", found, path)
    before = names.contracts.get(found)
    if before is None:
        return
    if before.customer_id != contract.customer_id:
        yield path, f"found a contract of customer {before.customer_id!r}, expected one of {contract.customer_id!r}"
        return
    if found == contract.id:
        yield path, "found the contract itself, expected the contract before it"
        return
    if before.starting_at >= contract.starting_at:
        yield path, f"found {found!r}, which does not start before this contract, expected the contract before it"
    if contract.transition.type == "RENEWAL" and before.ending_before is None:
        yield path, f"found {found!r}, which does not end, expected a contract with an end: its balances roll over then"
    first = names.followed_by[found][0]
    if first != contract.id:
        yield path, f"found {found!r}, which {first!r} follows already, expected each contract to be followed once"


def hierarchy(contract: Contract, names: Names) -> Iterator[Finding]:
    match contract.hierarchy:
        case ChildHierarchy():
            yield from _child(contract, contract.hierarchy, names)
        case ParentHierarchy(child_access=tuple() as children):
            for position, child in enumerate(children):
                yield from _shares(contract, child, ("hierarchy", "child_access", position), names)
        case _:
            pass


def _child(contract: Contract, found: ChildHierarchy, names: Names) -> Iterator[Finding]:
    """Parents have no parents: the lines of a child are on its own invoice or on its parent's."""
    path = ("hierarchy", "parent_contract_id")
    yield from named(names, "contracts", found.parent_contract_id, path)
    parent = names.contracts.get(found.parent_contract_id)
    if parent is None:
        return
    if parent.id == contract.id:
        yield path, "found the contract itself, expected its parent"
    elif isinstance(parent.hierarchy, ChildHierarchy):
        above = parent.hierarchy.parent_contract_id
        yield path, f"found {parent.id!r}, itself a child of {above!r}, expected a contract without a parent"
    elif found.payer == "PARENT":
        yield from _one_currency(contract, parent, names)
        yield from _while_it_pays(contract, parent)


def _one_currency(contract: Contract, parent: Contract, names: Names) -> Iterator[Finding]:
    own, other = names.currency_of(contract), names.currency_of(parent)
    if own is not None and other is not None and own != other:
        message = f"found PARENT with a parent in {other}, expected one in {own}: an invoice has one currency"
        yield ("hierarchy", "payer"), message


def _while_it_pays(contract: Contract, parent: Contract) -> Iterator[Finding]:
    """A child's lines are on an invoice of its parent, so it has one whenever the child has usage."""
    begun, end = parent.starting_at, parent.ending_before
    outlives = end is not None and (contract.ending_before is None or contract.ending_before > end)
    if contract.starting_at < begun or outlives:
        until = f"to {end:%Y-%m-%dT%H:%MZ}" if end else "on"
        expected = f"dates within the contract that pays, from {begun:%Y-%m-%dT%H:%MZ} {until}"
        yield ("hierarchy", "payer"), f"found PARENT with a parent that does not last as long, expected {expected}"


def _shares(contract: Contract, child_id: str, path: FieldPath, names: Names) -> Iterator[Finding]:
    yield from named(names, "contracts", child_id, path)
    child = names.contracts.get(child_id)
    if child is None:
        return
    if not isinstance(child.hierarchy, ChildHierarchy) or child.hierarchy.parent_contract_id != contract.id:
        message = f"found {child_id!r}, which is no child, expected a contract with parent_contract_id {contract.id!r}"
        yield path, message
