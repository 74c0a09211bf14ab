"""All rules, as flat lists: what each collection's terms must keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from billing_assets.catalog.names import Names
from billing_assets.catalog.rules import (
    balances,
    charges,
    commit_prices,
    contracts,
    definitions,
    overrides,
    prices,
    relations,
    shared_balances,
)
from billing_assets.catalog.rules.findings import Finding

Rule = Callable[[Any, Names], Iterator[Finding]]

RULES: Mapping[str, Sequence[Rule]] = {
    "settings": (definitions.settings_currency, definitions.invoice_number_format),
    "billable_metrics": (definitions.group_keys, definitions.sql_is_computed),
    "products": (
        definitions.product_metric,
        definitions.product_keys_declared,
        definitions.product_updates,
        definitions.composite_base,
    ),
    "rate_cards": (
        prices.card_currency,
        prices.card_conversions,
        prices.card_aliases,
        prices.card_rates,
        prices.rates_follow,
    ),
    "customers": (contracts.customer_aliases, shared_balances.customer_balances),
    "contracts": (
        contracts.contract_customer,
        contracts.contract_rate_card,
        contracts.statement_schedule,
        contracts.usage_filters,
        relations.transition,
        relations.hierarchy,
        overrides.overrides,
        overrides.commit_overrides,
        commit_prices.commit_prices_meet,
        balances.contract_balances,
        charges.subscriptions,
        charges.scheduled_charges,
        charges.discounts,
        charges.thresholds,
    ),
}

WARNINGS: Mapping[str, Sequence[Rule]] = {
    "customers": (balances.without_end,),
    "contracts": (charges.minimum_spend_with_postpaid, balances.without_end),
}
"""What is allowed, and rarely meant."""
