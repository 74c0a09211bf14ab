"""The lines of an invoice as balances meet them: atoms, discounts, maximum and minimum (cases 1, 2, 8, 19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from .balances import HOUR, Balance
from .exact import exact, group_text, plain, round12
from .ingest import instant
from .metering import Reading
from .rating import Group, Line, adjustments, keyed
from .terms import Obj, Period, Segment, Values, covers, segments

ZERO = Fraction(0)
RANKS = {"usage": 0, "minimum_adjustment": 1, "subscription": 2}


@dataclass
class Item:
    """One line of an invoice. `hours` decide which access it lies in; `net` is what balances may pay of it."""

    line_type: str
    product: Obj
    pricing: Values
    presentation: Values
    tier_level: int | None
    fee: bool
    quantity: Fraction
    unit_price: Fraction
    amount: Fraction
    start: datetime
    hours: tuple[datetime, datetime]
    in_total: bool = True
    segment_id: str | None = None
    discount_id: str | None = None
    covered: bool = False
    net: Fraction = ZERO
    keys: tuple[str | None, str | None] = (None, None)
    discounts: list[Fraction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.net = self.amount

    @property
    def drawable(self) -> bool:
        """Usage, a rate's minimum and subscriptions; section 5 of docs/semantics.md."""
        return self.line_type in RANKS

    @classmethod
    def plain(cls, line_type: str, product: Obj, amount: Fraction, at: datetime) -> Item:
        """A line of quantity 1; case 74."""
        return cls(line_type, product, {}, {}, None, False, Fraction(1), amount, amount, at, (at, at))

    def piece(self, quantity: Fraction, amount: Fraction) -> Item:
        """A covered part."""
        return replace(self, quantity=quantity, amount=amount, covered=True)


def order_of(item: Item) -> tuple[Any, ...]:
    """Type, start, list price descending, then case 3; what is never drawn comes last."""
    rank = RANKS.get(item.line_type, 9)
    pricing, presentation = item.keys
    level = (item.tier_level is not None, item.tier_level or 0)
    texts = (pricing is not None, pricing or "", presentation is not None, presentation or "")
    return (rank, item.start, -item.unit_price, item.product["name"], item.product["id"], *texts, level, item.fee)


def families(
    contract: Obj, card: Obj, product: Obj, metric: Obj, period: Period, readings: Sequence[Reading],
    balances: Sequence[Balance],
) -> tuple[list[Item], list[str]]:  # fmt: skip
    """The usage lines of a product in a period, group by group, each rate segment cut into atoms; cases 2, 31, 33."""
    by_price, by_show = product.get("pricing_group_key") or [], product.get("presentation_group_key") or []
    groups: dict[tuple[str, str], tuple[Values, Values, list[Reading]]] = {}
    if not by_price and not by_show:
        groups[(group_text({}), group_text({}))] = ({}, {}, [])
    for one in readings:
        pricing, shown = keyed(by_price, one.event.properties), keyed(by_show, one.event.properties)
        groups.setdefault((group_text(pricing), group_text(shown)), (pricing, shown, []))[2].append(one)
    found: list[Item] = []
    unrated: list[str] = []
    for pricing, shown, members in groups.values():
        parts = atoms(contract, card, product, pricing, shown, period, balances)
        rated = Group(product, metric, pricing, shown, members).rate(parts)
        unrated += rated.unrated
        found += [item_of(line, product, pricing, shown) for line in rated.lines]
    return found, unrated


def item_of(line: Line, product: Obj, pricing: Values, presentation: Values) -> Item:
    """A line of the oracle of rating."""
    numbers = (Fraction(line.quantity), Fraction(line.unit_price), Fraction(line.amount))
    hours = (line.starting_at, line.ending_before)
    found = Item("usage", product, pricing, presentation, line.tier_level, line.fee, *numbers, line.starting_at, hours)
    found.keys = (line.pricing_group_values, line.presentation_group_values)
    return found


def matches(discount: Obj, product: Obj) -> bool:
    """By product or tag; without selectors everything; case 19."""
    ids, tags = discount.get("applicable_product_ids"), discount.get("applicable_product_tags")
    if ids:
        return product["id"] in ids
    return not tags or bool(set(tags) & set(product.get("tags") or []))


def atoms(
    contract: Obj, card: Obj, product: Obj, pricing: Values, shown: Values, period: Period, balances: Sequence[Balance]
) -> list[Segment]:
    """Rate segments, what is rated of them cut at access and discount boundaries that reach the group; case 2."""
    cuts = set()
    for balance in balances:
        if balance.applies(product, pricing, shown):
            cuts |= {at for at in (balance.start, balance.end) if at is not None}
    for discount in contract.get("discounts") or []:
        if matches(discount, product):
            cuts |= {instant(discount[name]) for name in ("starting_at", "ending_before") if discount.get(name)}
    found: list[Segment] = []
    for part in segments(contract, card, product, pricing, shown, period):
        inner = [at for at in sorted(cuts) if part.start < at < part.end] if part.rated else []
        for start, end in zip([part.start, *inner], [*inner, part.end], strict=True):
            found.append(replace(part, start=start, end=end))
    return found


def discounted(contract: Obj, items: list[Item], period: Period | None, card: Obj, products: Sequence[Obj]) -> None:
    """Adds discounts, and the maximum and minimum lines of a usage invoice; sets what is net; cases 0.1, 1, 19."""
    given = contract.get("discounts") or []
    lines = sorted((one for one in items if one.line_type in ("usage", "subscription")), key=order_of)
    for discount in [one for one in given if one["type"] == "PERCENTAGE"]:
        for item in lines:
            if matches(discount, item.product) and covers(discount, item.start):
                take(items, discount, item, round12(item.net * exact(discount["value"])))
    for discount in [one for one in given if one["type"] == "FIXED"] if period is not None else []:
        hours = Fraction((period.end - period.start) // HOUR, (period.full_end - period.full_start) // HOUR)
        left = round12(exact(discount["value"]) * hours)
        for item in lines:
            if matches(discount, item.product) and covers(discount, item.start) and item.net > 0:
                taken = min(left, item.net)
                take(items, discount, item, taken)
                left -= taken
    if period is not None:
        limited(contract, card, products, items, lines, period)


def take(items: list[Item], discount: Obj, item: Item, amount: Fraction) -> None:
    """One discount line, where it takes something."""
    if amount != 0:
        line = Item.plain("discount", item.product, -amount, item.start)
        line.discount_id, line.keys = discount["id"], item.keys
        items.append(line)
        item.net -= amount


def limited(
    contract: Obj, card: Obj, products: Sequence[Obj], items: list[Item], lines: Sequence[Item], period: Period
) -> None:
    """maximum_adjustment, shared over the lines of its family, then minimum_adjustment; cases 1 and 8."""
    usage = [one for one in lines if one.line_type == "usage"]
    for product in products:
        keys = product.get("pricing_group_key") or []
        groups: dict[str, list[Item]] = {} if keys else {group_text({}): []}
        for one in usage:
            if one.product is product:
                groups.setdefault(group_text(one.pricing), []).append(one)
        for text, members in groups.items():
            pricing = members[0].pricing if members else {}
            nets = [bare(one.net, period) for one in members]
            for line in adjustments(contract, card, product, pricing, period, nets):
                amount = Fraction(line.amount)
                hours = (period.end - timedelta(hours=1), period.end)
                about = (line.line_type, product, pricing, {}, None, False, Fraction(1), amount, amount)
                found = Item(*about, period.start, hours)
                found.keys = (text, None)
                items.append(found)
                if line.line_type == "maximum_adjustment":
                    share(amount, [one for one in members if one.net > 0])


def bare(amount: Fraction, period: Period) -> Line:
    """An amount as `adjustments` counts it."""
    number = plain(amount)
    return Line("usage", None, "", None, None, None, False, number, number, number, period.start, period.end)


def share(amount: Fraction, members: Sequence[Item]) -> None:
    """Pro rata to the discounted amount, by cumulative rounding in the order of lines; case 1."""
    whole = sum((one.net for one in members), ZERO)
    before = running = ZERO
    for one in members:
        running += one.net
        upto = round12(amount * running / whole)
        one.net += upto - before
        before = upto
