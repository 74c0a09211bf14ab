"""Contracts as frames: their terms, their relations, their filters, and the products that they price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from billing_assets.catalog.book import Catalog, compact_json
from billing_assets.catalog.contracts import ChildHierarchy, Contract
from billing_assets.catalog.currencies import MINOR_DIGITS
from billing_assets.catalog.names import Names, overwritten
from billing_assets.catalog.products import FixedProduct
from billing_assets.catalog.rates import FREQUENCY_MONTHS
from billing_assets.catalog.tables import FLAG, TEXT, TEXTS, WHOLE, Schema, table
from billing_assets.columns import DECIMAL, TIMESTAMP

CONTRACTS: Schema = {
    "contract_id": TEXT,
    "contract_position": WHOLE,
    "customer_id": TEXT,
    "rate_card_id": TEXT,
    "currency": TEXT,
    "minor_digits": WHOLE,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
    "frequency_months": WHOLE,
    "frequency_weeks": WHOLE,
    "anchor_at": TIMESTAMP,
    "net_payment_terms_days": WHOLE,
    "skip_zero_invoices": FLAG,
    "metric_exception_tolerance": WHOLE,
    "late_usage": TEXT,
    "multiplier_override_prioritization": TEXT,
    "billing_provider": TEXT,
    "pool": TEXT,
    "minimum_spend": DECIMAL,
    "bills_charges_on_usage_invoices": FLAG,
    "payer_contract_id": TEXT,
    "parent_contract_id": TEXT,
    "follows_contract_id": TEXT,
    "transition_type": TEXT,
}
"""`pool` is the component of contracts that can reach a common balance. `payer_contract_id` is the parent where that
pays, else the contract itself."""
USAGE_FILTERS: Schema = {
    "contract_id": TEXT,
    "group_key": TEXT,
    "group_values": TEXTS,
    "starting_at": TIMESTAMP,
    "ending_before": TIMESTAMP,
}
_CARD_PRODUCTS: Schema = {"rate_card_id": TEXT, "product_id": TEXT}
_NAMED_PRODUCTS: Schema = {"contract_id": TEXT, "product_id": TEXT}


def contract_rows(catalog: Catalog, names: Names, pool_of: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    """Rows of CONTRACTS."""
    for position, contract in enumerate(catalog.contracts):
        card = names.card_of(contract)
        assert card is not None, contract.id
        currency = card.currency or catalog.settings.currency
        frequency = contract.usage_statement_schedule.frequency
        provider = contract.billing_provider
        yield (
            contract.id,
            position,
            contract.customer_id,
            card.id,
            currency,
            MINOR_DIGITS[currency],
            contract.starting_at,
            contract.ending_before,
            FREQUENCY_MONTHS[frequency],
            1 if frequency == "WEEKLY" else 0,
            anchor_of(contract),
            contract.net_payment_terms_days,
            contract.skip_zero_invoices,
            contract.metric_exception_tolerance,
            contract.late_usage,
            contract.multiplier_override_prioritization,
            compact_json(provider) if isinstance(provider, dict) else provider,
            pool_of[contract.id],
            contract.minimum_spend.amount if contract.minimum_spend else None,
            contract.scheduled_charges_on_usage_invoices == "ALL",
            *_relations(contract),
        )


def _relations(contract: Contract) -> tuple[str | None, ...]:
    """payer, parent, predecessor, kind of transition."""
    child = contract.hierarchy if isinstance(contract.hierarchy, ChildHierarchy) else None
    parent = child.parent_contract_id if child else None
    payer = parent if child and child.payer == "PARENT" else contract.id
    follows = contract.transition
    return payer, parent, follows.from_contract_id if follows else None, follows.type if follows else None


def anchor_of(contract: Contract) -> datetime:
    """The instant from which billing periods are counted (docs/semantics.md, Periods)."""
    schedule, start = contract.usage_statement_schedule, contract.starting_at
    match schedule.anchor:
        case "FIRST_OF_MONTH":
            return start.replace(day=1, hour=0)
        case "CONTRACT_START":
            return start
        case "CUSTOM_DATE":
            assert schedule.billing_anchor_date is not None, contract.id
            return schedule.billing_anchor_date


def filter_rows(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    """Rows of USAGE_FILTERS."""
    for contract in catalog.contracts:
        for found in contract.usage_filter:
            start = found.starting_at or contract.starting_at
            yield contract.id, found.group_key, list(found.group_values), start, found.ending_before


def priced_products(catalog: Catalog, names: Names) -> pl.LazyFrame:
    """Priced products that a card has any rate of, by every contract of the card, or that an OVERWRITE names."""
    priced = {product.id for product in catalog.products if not isinstance(product, FixedProduct)}
    on_cards = table(
        _CARD_PRODUCTS,
        ((card, product) for card, rates in names.rates_of.items() for product in rates if product in priced),
    )
    by_overwrite = table(
        _NAMED_PRODUCTS,
        ((contract.id, name) for contract in catalog.contracts for name in overwritten(contract) if name in priced),
    )
    cards = table(
        {"contract_id": TEXT, "rate_card_id": TEXT},
        ((contract.id, card.id) for contract in catalog.contracts if (card := names.card_of(contract)) is not None),
    )
    by_card = cards.join(on_cards, on="rate_card_id").select("contract_id", "product_id")
    return pl.concat([by_card, by_overwrite]).unique().sort("contract_id", "product_id")
