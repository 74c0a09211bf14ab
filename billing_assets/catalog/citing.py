"""Terms of a catalog by the ids that invoices name, and their text as people wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from billing_assets.catalog.book import Catalog
from billing_assets.catalog.charges import PrepaidBalanceThreshold, SpendThreshold
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.price_frames import override_id, rate_id, with_ends
from billing_assets.catalog.prices import TieredPercentagePrice, TieredPrice, VolumePrice
from billing_assets.catalog.products import Product
from billing_assets.catalog.rates import Rate, RateCard
from billing_assets.catalog.versions import versions

_PLAIN = re.compile(r"[A-Za-z_][\w.:/@+-]*|-?\d[\w.:+-]*")
"""Text that a YAML reader takes as it stands, inside a flow mapping."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A term with the id that lines name it by, and its dates as they hold; None is open."""

    id: str
    term: Any
    starting_at: datetime | None = None
    ending_before: datetime | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The fields that were written, as JSON values; numbers as text."""
        return written(self.term)

    @property
    def text(self) -> str:
        """The term on one line, as YAML has it: `{rate_type: FLAT, price: 0.03}`; without what id and dates say."""
        said = {"id", "name"} if self.starting_at is None else {"id", "starting_at", "ending_before"}
        said |= (
            {"product_id", "pricing_group_values"} if "pricing_group_values" in type(self.term).model_fields else set()
        )
        return flow({name: value for name, value in self.content.items() if name not in said})


def written(term: BaseModel) -> dict[str, Any]:
    """The fields of a term that say more than their defaults."""
    found: dict[str, Any] = term.model_dump(mode="json", exclude_defaults=True)
    return found


def flow(value: Any) -> str:
    """A JSON value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def cited_rate(catalog: Catalog, wanted: str) -> Cited | None:
    """The rate of that id, with its end resolved; None for the id of an OVERWRITE or an unknown one."""
    return next((found for found in _rates(catalog) if found.id == wanted), None)


def _rates(catalog: Catalog) -> Iterator[Cited]:
    for card in catalog.rate_cards:
        for rate, end in with_ends(card):
            yield Cited(rate_id(card, rate), rate, rate.starting_at, end)


def cited_override(contract: Contract, wanted: str) -> Cited | None:
    for position, override in enumerate(contract.overrides):
        name = override_id(contract.id, position, override.id)
        if name == wanted:
            return Cited(name, override, override.starting_at, override.ending_before)
    return None


def contract_of(catalog: Catalog, wanted: str) -> Contract | None:
    return next((one for one in catalog.contracts if one.id == wanted), None)


def cited_product(catalog: Catalog, wanted: str, at: datetime) -> Product | None:
    """The product as it is at an instant."""
    product = next((one for one in catalog.products if one.id == wanted), None)
    if product is None:
        return None
    found = [one for one in versions(product) if one.starting_at is None or one.starting_at <= at]
    return found[-1].product


def cited_metric(catalog: Catalog, wanted: str) -> Cited | None:
    found = next((one for one in catalog.billable_metrics if one.id == wanted), None)
    return None if found is None else Cited(found.id, found)


def cited_charge(contract: Contract, wanted: str) -> Cited | None:
    """A discount, a subscription or a scheduled charge of a contract."""
    terms = (*contract.discounts, *contract.subscriptions, *contract.scheduled_charges)
    return next((Cited(one.id, one) for one in terms if one.id == wanted), None)


def cited_balance(catalog: Catalog, wanted: str) -> Cited | None:
    """The commit or credit that a balance is of: a recurrence and a rollover are named after it, with `@` and more."""
    if (threshold := _threshold(catalog, wanted)) is not None:
        return Cited(wanted, threshold)
    names = [wanted[:end] for end in [len(wanted), *(place for place, sign in enumerate(wanted) if sign in "@/")]]
    for one in _balances(catalog):
        if one.id in names:
            return Cited(one.id, one)
    return None


def _threshold(catalog: Catalog, wanted: str) -> SpendThreshold | PrepaidBalanceThreshold | None:
    """What buys the commit of that id: of `<contract>/spend_threshold`, `<contract>/prepaid_balance_threshold`."""
    owner, _, kind = wanted.rpartition("/")
    contract = contract_of(catalog, owner)
    if contract is None:
        return None
    bought = {"spend_threshold": contract.spend_threshold}
    recharged = {"prepaid_balance_threshold": contract.prepaid_balance_threshold}
    return (bought | recharged).get(kind)


def _balances(catalog: Catalog) -> Iterator[Any]:
    for contract in catalog.contracts:
        yield from (*contract.commits, *contract.credits, *contract.recurring_commits, *contract.recurring_credits)
    for customer in catalog.customers:
        yield from (*customer.commits, *customer.credits)


def card_of(catalog: Catalog, wanted: str) -> RateCard | None:
    return next((one for one in catalog.rate_cards if one.id == wanted), None)


def price_in(rate: Rate, level: int | None, *, is_fee: bool = False) -> Decimal | None:
    """The price that a rate states for a tier, or its fee; None where it does not say one."""
    if isinstance(rate, TieredPrice | VolumePrice | TieredPercentagePrice):
        if level is None or not 0 < level <= len(rate.tiers):
            return None
        tier = rate.tiers[level - 1]
        return tier.flat_fee if is_fee else tier.price
    found: Decimal | None = getattr(rate, "fixed_fee" if is_fee else "price", None)
    return found
