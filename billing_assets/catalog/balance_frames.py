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
    THRESHOLD_EXCLUSIONS,
    THRESHOLDS,
    TRUEUP_TERMS,
)
from billing_assets.catalog.balance_reach import Reaches, quantity_product
from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charge_frames import amounts, currency_of, shown_name
from billing_assets.catalog.commits import PostpaidCommit, PrepaidCommit, RecurringCommit
from billing_assets.catalog.names import Names
from billing_assets.catalog.placed_balances import (
    Placed,
    Threshold,
    placed_balances,
    placed_thresholds,
    threshold_exclusions,
)
from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.catalog.subscriptions import SeatSubscription
from billing_assets.catalog.tables import table


def balance_frames(catalog: Catalog, names: Names, pool_of: Mapping[str, str]) -> Mapping[str, pl.LazyFrame]:
    """The frames by the name of their field of CatalogFrames; their grains are said there."""
    placed = list(placed_balances(catalog))
    fixed = [each for each in placed if not each.is_recurring]
    resolving = _Resolving(names, pool_of, Reaches(names))
    segments = list(resolving.segments(fixed))
    recurring = list(resolving.recurring([each for each in placed if each.is_recurring]))
    thresholds = list(placed_thresholds(catalog, len(placed)))
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
        "threshold_exclusions": table(THRESHOLD_EXCLUSIONS, threshold_exclusions(catalog)),
    }


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
            recharge_to, discount = getattr(threshold, "recharge_to_amount", None), threshold.discount_configuration
            unit = each.balance.pricing_unit
            price = self.names.fiat_per_unit(each.invoiced, unit) if unit else Decimal(1)
            paid = discount.payment_fraction if discount else Decimal(1)
            amounts = threshold.threshold_amount, recharge_to, unit is not None, price, paid
            yield kind, *amounts, *self.terms(each, each.invoiced.starting_at)

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
                amount, quantity, price = amounts(item)
                paid = amount, quantity, price, amount, price
                yield found.id, found.id, each.invoiced.id, item.timestamp, *paid, found.product_id, name, number


def _trueups(placed: Sequence[Placed], names: Names) -> Iterator[tuple[Any, ...]]:
    for each in placed:
        if isinstance(each.balance, PostpaidCommit):
            found, (access,) = each.balance, each.balance.access_schedule
            if access.ending_before is not None:
                dates = [item.timestamp for item in found.invoice_schedule]
                name = shown_name(found.name, found.product_id, names)
                dated = max([*dates, access.ending_before])
                yield found.id, f"{found.id}/1", each.invoiced.id, dated, found.product_id, name
