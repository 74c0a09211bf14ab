"""Commits and credits where the catalog has them, and what thresholds buy as if they were among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charge_frames import amounts
from billing_assets.catalog.charges import PrepaidBalanceThreshold, SpendThreshold
from billing_assets.catalog.commits import PostpaidCommit, PrepaidCommit, RecurringCommit, RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.pools import applicable_contracts, sharing
from billing_assets.catalog.schedules import AmountItem, UnitAmount


@dataclass(frozen=True, slots=True)
class Placed:
    """A commit or credit where the catalog has it. `contract` is its own, None at customer level; `drawing` may draw
    it, the one that is charged for it first."""

    balance: Any
    position: int
    customer_id: str
    contract: Contract | None
    drawing: tuple[Contract, ...]
    invoiced: Contract

    @property
    def is_recurring(self) -> bool:
        return isinstance(self.balance, RecurringCredit)

    @property
    def kind(self) -> str:
        """PREPAID, POSTPAID or CREDIT. A commit that recurs is prepaid, whatever it costs."""
        match self.balance:
            case PostpaidCommit():
                return "POSTPAID"
            case PrepaidCommit() | RecurringCommit():
                return "PREPAID"
            case _:
                return "CREDIT"

    @property
    def cost(self) -> Decimal:
        """What is paid for it: the sum of its invoice schedule, or of one recurrence."""
        match self.balance:
            case PrepaidCommit() | PostpaidCommit():
                return sum((amounts(item)[0] for item in self.balance.invoice_schedule), Decimal(0))
            case RecurringCommit(invoice_amount=UnitAmount() as paid):
                return paid.unit_price * paid.quantity
            case _:
                return Decimal(0)

    @property
    def rollover_fraction(self) -> Decimal | None:
        return None if isinstance(self.balance, PostpaidCommit) else self.balance.rollover_fraction


def placed_balances(catalog: Catalog) -> Iterator[Placed]:
    """In the order of the catalog: those of contracts, then those of customers."""
    contracts = {contract.id: contract for contract in catalog.contracts}
    children = sharing(catalog.contracts)
    of_customer: dict[str, list[str]] = {}
    for contract in catalog.contracts:
        of_customer.setdefault(contract.customer_id, []).append(contract.id)
    position = 0
    for contract in catalog.contracts:
        drawing = (contract, *(contracts[child] for child in children.get(contract.id, ())))
        for balance in (*contract.commits, *contract.credits, *contract.recurring_commits, *contract.recurring_credits):
            yield Placed(balance, position, contract.customer_id, contract, drawing, contract)
            position += 1
    for customer in catalog.customers:
        for shared in (*customer.commits, *customer.credits):
            ids = applicable_contracts(shared.applicable_contract_ids, customer, of_customer)
            drawing = tuple(contracts[name] for name in ids)
            charged = shared.invoice_contract_id or next(iter(ids), None)
            if charged is not None:  # a customer without a contract draws nothing and is charged nothing
                yield Placed(shared, position, customer.id, None, drawing, contracts[charged])
                position += 1


Threshold = tuple[str, SpendThreshold | PrepaidBalanceThreshold, Placed]
"""Kind, threshold, and what it buys."""


def placed_thresholds(catalog: Catalog, position: int) -> Iterator[Threshold]:
    """Thresholds of contracts; what they buy follows every other balance in the catalog's order."""
    children = sharing(catalog.contracts)
    contracts = {contract.id: contract for contract in catalog.contracts}
    for contract in catalog.contracts:
        drawing = (contract, *(contracts[child] for child in children.get(contract.id, ())))
        if (spend := contract.spend_threshold) is not None:
            bought = _bought(f"{contract.id}/spend_threshold", spend, spend.threshold_amount, contract)
            yield "SPEND", spend, Placed(bought, position, contract.customer_id, contract, drawing, contract)
            position += 1
        if (balance := contract.prepaid_balance_threshold) is not None:
            paid = balance.recharge_to_amount - balance.threshold_amount
            bought = _bought(f"{contract.id}/prepaid_balance_threshold", balance, paid, contract)
            yield "BALANCE", balance, Placed(bought, position, contract.customer_id, contract, drawing, contract)
            position += 1


def threshold_exclusions(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Rows of THRESHOLD_EXCLUSIONS."""
    for contract in catalog.contracts:
        if (balance := contract.prepaid_balance_threshold) is not None:
            names = (name for found in balance.threshold_balance_specifiers for name in found.exclude)
            yield from ((contract.id, name) for name in dict.fromkeys(names))


def _bought(
    commit_id: str, threshold: SpendThreshold | PrepaidBalanceThreshold, paid: Decimal, contract: Contract
) -> PrepaidCommit:
    """What a threshold buys, as a commit whose access is not known yet; it is paid, at the least by `paid`."""
    terms = threshold.commit
    return PrepaidCommit.model_construct(
        id=commit_id,
        type="PREPAID",
        product_id=terms.product_id,
        name=terms.name,
        priority=terms.priority,
        pricing_unit=getattr(threshold, "pricing_unit", None),
        applicable_product_ids=terms.applicable_product_ids,
        applicable_product_tags=terms.applicable_product_tags,
        invoice_schedule=(AmountItem(timestamp=contract.starting_at, amount=paid),),
    )
