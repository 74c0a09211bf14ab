"""Commits and credits as frames: access segments, recurrences, who may draw them, what they pay for, what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from billing_assets.catalog.balance_columns import (
    ACCESS_SEGMENTS,
    BALANCE_CONTRACTS,
    COMMIT_CHARGES,
    RECURRING_BALANCES,
    SELECTORS,
    THRESHOLDS,
    TRUEUP_TERMS,
)
from billing_assets.catalog.balance_reach import Reaches, quantity_product
from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charge_frames import amounts, currency_of, shown_name
from billing_assets.catalog.charges import PrepaidBalanceThreshold, SpendThreshold, ThresholdCommit
from billing_assets.catalog.commits import PostpaidCommit, PrepaidCommit, RecurringCommit, RecurringCredit
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names
from billing_assets.catalog.pools import applicable_contracts, sharing
from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.catalog.schedules import AmountItem, UnitAmount
from billing_assets.catalog.subscriptions import SeatSubscription
from billing_assets.catalog.tables import table


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


def balance_frames(catalog: Catalog, names: Names, pool_of: Mapping[str, str]) -> Mapping[str, pl.LazyFrame]:
    """The frames by the name of their field of CatalogFrames; their grains are said there."""
    placed = list(_placed(catalog))
    fixed = [each for each in placed if not each.is_recurring]
    resolving = _Resolving(names, pool_of, Reaches(names))
    segments = list(resolving.segments(fixed))
    recurring = list(resolving.recurring([each for each in placed if each.is_recurring]))
    thresholds = list(_thresholds(catalog, len(placed)))
    bought = list(resolving.thresholds(thresholds))
    reaching = (*placed, *(each for _, _, each in thresholds))
    return {
        "access_segments": table(ACCESS_SEGMENTS, segments),
        "recurring_balances": table(RECURRING_BALANCES, recurring),
        "balance_contracts": table(
            BALANCE_CONTRACTS, ((each.balance.id, contract.id) for each in reaching for contract in each.drawing)
        ),
        "selectors": table(SELECTORS, resolving.reaches.rows()),
        "commit_charges": table(COMMIT_CHARGES, _purchases(fixed, names)),
        "trueup_terms": table(TRUEUP_TERMS, _trueups(fixed, names)),
        "thresholds": table(THRESHOLDS, bought),
    }


def _placed(catalog: Catalog) -> Iterator[Placed]:
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


def _thresholds(catalog: Catalog, position: int) -> Iterator[Threshold]:
    """Thresholds of contracts; what they buy follows every other balance in the catalog's order."""
    children = sharing(catalog.contracts)
    contracts = {contract.id: contract for contract in catalog.contracts}
    for contract in catalog.contracts:
        drawing = (contract, *(contracts[child] for child in children.get(contract.id, ())))
        if (spend := contract.spend_threshold) is not None:
            bought = _bought(f"{contract.id}/spend_threshold", spend.commit, spend.threshold_amount, contract)
            yield "SPEND", spend, Placed(bought, position, contract.customer_id, contract, drawing, contract)
            position += 1
        if (balance := contract.prepaid_balance_threshold) is not None:
            paid = balance.recharge_to_amount - balance.threshold_amount
            bought = _bought(f"{contract.id}/prepaid_balance_threshold", balance.commit, paid, contract)
            yield "BALANCE", balance, Placed(bought, position, contract.customer_id, contract, drawing, contract)
            position += 1


def _bought(commit_id: str, terms: ThresholdCommit, paid: Decimal, contract: Contract) -> PrepaidCommit:
    """What a threshold buys, as a commit whose access is not known yet; it is paid, at the least by `paid`."""
    return PrepaidCommit.model_construct(
        id=commit_id,
        type="PREPAID",
        product_id=terms.product_id,
        name=terms.name,
        priority=terms.priority,
        applicable_product_ids=terms.applicable_product_ids,
        applicable_product_tags=terms.applicable_product_tags,
        invoice_schedule=(AmountItem(timestamp=contract.starting_at, amount=paid),),
    )


@dataclass(frozen=True, slots=True)
class _Resolving:
    names: Names
    pool_of: Mapping[str, str]
    reaches: Reaches

    def segments(self, placed: Sequence[Placed]) -> Iterator[tuple[Any, ...]]:
        """Rows of ACCESS_SEGMENTS: `<balance>/<n>`, n from 1 in the order of their starts."""
        for each in placed:
            name = each.balance.id
            ordered = sorted(each.balance.access_schedule, key=lambda item: item.starting_at)
            for number, item in enumerate(ordered, start=1):
                dates = item.amount, item.starting_at, item.ending_before
                yield name, f"{name}/{number}", *self.terms(each, item.starting_at), *dates

    def recurring(self, placed: Sequence[Placed]) -> Iterator[tuple[Any, ...]]:
        """Rows of RECURRING_BALANCES."""
        for each in placed:
            found, seats = each.balance, each.balance.subscription_config
            start = found.starting_at
            every = found.recurrence_frequency
            paid = found.invoice_amount if isinstance(found, RecurringCommit) else None
            months, weeks = (FREQUENCY_MONTHS[every], int(every == "WEEKLY")) if every else (None, None)
            yield (
                *self.terms(each, start),
                *(found.id, found.access_amount.unit_price, found.access_amount.quantity),
                *((paid.unit_price, paid.quantity) if paid else (None, None)),
                *(start, found.ending_before, months, weeks, found.commit_duration.value),
                found.proration in ("FIRST", "FIRST_AND_LAST") and every is None,
                found.proration in ("LAST", "FIRST_AND_LAST"),
                *((seats.subscription_id, seats.allocation, seats.is_prorated) if seats else (None, None, None)),
            )

    def thresholds(self, found: Sequence[Threshold]) -> Iterator[tuple[Any, ...]]:
        """Rows of THRESHOLDS; tags are resolved as of the contract's start."""
        for kind, threshold, each in found:
            recharge_to = getattr(threshold, "recharge_to_amount", None)
            yield kind, threshold.threshold_amount, recharge_to, *self.terms(each, each.invoiced.starting_at)

    def terms(self, each: Placed, at: Any) -> tuple[Any, ...]:
        """What every segment of a balance has, its selectors resolved as of `at`."""
        balance = each.balance
        reach = self.reaches.of(balance, at, each.drawing)
        by_quantity = balance.access_type == "QUANTITY"
        unit = balance.pricing_unit or currency_of(each.invoiced, self.names)
        return (
            *(balance.id, each.kind, balance.access_type, "COMMIT" if balance.rate_type == "COMMIT_RATE" else "LIST"),
            f"quantity:{quantity_product(balance)}" if by_quantity else unit,
            *(self.pool_of[each.invoiced.id], each.customer_id, each.contract.id if each.contract else None),
            *(each.invoiced.id, balance.product_id, shown_name(balance.name, balance.product_id, self.names)),
            *(balance.priority, each.cost, each.rollover_fraction, False),
            *(reach.selector, reach.product_count, reach.value_specifier_count, len(each.drawing), each.position),
            *(_seat_key(each), None),
        )


def _seat_key(each: Placed) -> str | None:
    """The property that names the seat, of a recurrence that grants to every seat by itself."""
    config = each.balance.subscription_config if each.is_recurring else None
    if config is None or config.allocation != "INDIVIDUAL" or each.contract is None:
        return None
    found = next(one for one in each.contract.subscriptions if one.id == config.subscription_id)
    return found.seat_config.seat_group_key if isinstance(found, SeatSubscription) else None


def _purchases(placed: Sequence[Placed], names: Names) -> Iterator[tuple[Any, ...]]:
    for each in placed:
        if isinstance(each.balance, PrepaidCommit):
            found = each.balance
            name = shown_name(found.name, found.product_id, names)
            for number, item in enumerate(found.invoice_schedule):
                what = found.product_id, name, number
                yield found.id, found.id, each.invoiced.id, item.timestamp, *amounts(item), *what


def _trueups(placed: Sequence[Placed], names: Names) -> Iterator[tuple[Any, ...]]:
    for each in placed:
        if isinstance(each.balance, PostpaidCommit):
            found, (access,) = each.balance, each.balance.access_schedule
            if access.ending_before is not None:
                dates = [item.timestamp for item in found.invoice_schedule]
                name = shown_name(found.name, found.product_id, names)
                dated = max([*dates, access.ending_before])
                yield found.id, f"{found.id}/1", each.invoiced.id, dated, found.product_id, name
