"""The lines of one product under one contract in one period (docs/semantics.md 4, cases 2, 5 to 8, 14, 30, 33)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .charges import ZERO, Cell, cut, fees, list_cells, measured, paid_events, ranges, scaled_fee
from .exact import exact, group_text, plain, round12
from .ingest import instant
from .metering import Reading, converted, metric_value
from .terms import Obj, Period, Segment, Values, segments


@dataclass(frozen=True)
class Line:
    """One line item. Decimals have 12 places; group values are canonical JSON text, None where the line has none."""

    line_type: str
    product_id: str | None
    name: str
    pricing_group_values: str | None
    presentation_group_values: str | None
    tier_level: int | None
    fee: bool
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    starting_at: datetime
    ending_before: datetime
    event_count: int | None = None
    rate_type: str | None = None
    rate_starting_at: datetime | None = None
    override_index: int | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What a comparison needs, as text, so that lines of any order can be sorted; no name, counts or identities."""
        shown = (self.line_type, self.product_id, self.pricing_group_values, self.presentation_group_values)
        figures = (self.starting_at.isoformat(), self.ending_before.isoformat(), self.tier_level, self.fee)
        numbers = tuple(f"{number:.12f}" for number in (self.quantity, self.unit_price, self.amount))
        return tuple("" if one is None else str(one) for one in (*shown, *figures)) + numbers


@dataclass
class Rated:
    """What a group or product gave: its lines, and why its invoice must be held (reasons of unrated usage)."""

    lines: list[Line] = field(default_factory=list)
    unrated: list[str] = field(default_factory=list)


class Group:
    """The lines of one (contract, period, product, pricing values, presentation values), atom by atom; cases 2 to 7."""

    def __init__(self, product: Obj, metric: Obj, pricing: Values, presentation: Values, readings: Sequence[Reading]):
        self.product, self.pricing, self.presentation = product, pricing, presentation
        self.kind = metric["aggregation_type"]
        self.readings = list(readings)
        self.keyless = not pricing and not presentation

    def cumulative(self, until: datetime) -> Fraction:
        """C(t): the period-to-date quantity, converted and rounded, over all hours before t; cases 14 and 28."""
        return converted(self.product, metric_value(self.kind, [one for one in self.readings if one.event.at < until]))

    def inside(self, segment: Segment) -> int:
        """The number of the group's events in an atom; case 33."""
        return sum(segment.start <= one.event.at < segment.end for one in self.readings)

    def line(self, segment: Segment, fee: bool, cell: Cell, quantity: Fraction, price: Fraction) -> Line:
        """A usage line: amount = round12(quantity x unit_price), dates are the atom's; cases 22 and 73."""
        rate_start = (segment.rate or {}).get("starting_at")
        return Line(
            "usage", self.product["id"], self.product["name"], group_text(self.pricing), group_text(self.presentation),
            cell.tier_level, fee, plain(quantity), plain(price), plain(round12(quantity * price)),
            segment.start, segment.end, None if fee else self.inside(segment), (segment.price or {})["rate_type"],
            instant(rate_start) if rate_start is not None else None, segment.override_index,
        )  # fmt: skip

    def increment(self, segment: Segment) -> Fraction:
        """The change of C over a segment; section 2 of docs/semantics.md (increments)."""
        return self.cumulative(segment.end) - self.cumulative(segment.start)

    def rate(self, parts: Sequence[Segment]) -> Rated:
        """All atoms in time order, with R running over what is rated and entitled only; cases 5, 14, 30, 33, 63."""
        result, running, events, first = Rated(), ZERO, 0, True
        total = sum((self.increment(part) for part in parts if part.rated), ZERO)
        for part in parts:
            if part.entitled and part.price is None and self.increment(part) != 0:
                result.unrated.append("no_rate")
            if not part.rated:
                continue
            count, after = self.inside(part), running + self.increment(part)
            if self.keyless or count:
                result.lines += self.charge(part, running, after, total, result.unrated)
                for sign, tier, fee in fees(part, running, after, total, first):
                    result.lines.append(self.line(part, True, tier, Fraction(sign), fee))
                result.lines += self.fixed_fee(part, events, events + count)
                first = False
            running, events = after, events + count
        return result

    def charge(
        self, part: Segment, before: Fraction, after: Fraction, total: Fraction, unrated: list[str]
    ) -> list[Line]:
        """F(R end) - F(R start) of the rate in force, one line per part of the axis; cases 5, 6, 33, 0.11, 51."""
        price, lines = part.price or {}, []
        cells = cut(list_cells(price, total), ranges(part.override))
        for cell in cells:
            quantity = measured(price, cell.clip(after)) - measured(price, cell.clip(before))
            if quantity == 0:
                continue
            if cell.price is None:
                unrated.append("beyond_last_tier")
            else:
                lines.append(self.line(part, False, cell, quantity, cell.price))
        if not lines and cells[0].price is not None:
            lines.append(self.line(part, False, cells[0], ZERO, cells[0].price))
        return lines

    def fixed_fee(self, part: Segment, before: int, after: int) -> list[Line]:
        """PERCENTAGE: fixed_fee x the atom's events above free_events, a line of its own; section 4, case 22."""
        price = part.price or {}
        if price["rate_type"] != "PERCENTAGE" or price.get("fixed_fee") is None:
            return []
        paid = paid_events(price, after) - paid_events(price, before)
        cell = Cell(None, None, None, None)
        fee = scaled_fee(part.override, cell, price["fixed_fee"])
        return [self.line(part, True, cell, Fraction(paid), fee)] if paid else []


def prorated_limit(parts: Sequence[Segment], name: str, full: timedelta) -> Fraction | None:
    """round12(sum of limit x hours / full) over the rated, entitled segments; a cap needs one on each; case 8."""
    stated = [(part, (part.price or {}).get(name)) for part in parts if part.rated]
    lacking = any if name == "maximum" else all
    if not stated or lacking(limit is None for _, limit in stated):
        return None
    total = ZERO
    for part, limit in stated:
        hours = Fraction((part.end - part.start) // timedelta(hours=1), full // timedelta(hours=1))
        total += exact(limit or 0) * hours
    return round12(total)


def adjustments(
    contract: Obj, card: Obj, product: Obj, pricing: Values, period: Period, lines: Sequence[Line]
) -> list[Line]:
    """The family's maximum_adjustment, then its minimum_adjustment; cases 8, 74 and 0.1."""
    parts = segments(contract, card, product, pricing, None, period)
    full = period.full_end - period.full_start
    charge, found = sum((Fraction(line.amount) for line in lines), ZERO), []
    for line_type, name in (("maximum_adjustment", "maximum"), ("minimum_adjustment", "minimum")):
        limit = prorated_limit(parts, name, full)
        change = ZERO if limit is None else limit - charge
        if change < 0 if name == "maximum" else change > 0:
            charge += change
            amount = plain(change)
            about = (line_type, product["id"], product["name"], group_text(pricing))
            found.append(Line(*about, None, None, False, Decimal(1), amount, amount, period.start, period.end))
    return found


def keyed(keys: Sequence[str], properties: Mapping[str, str]) -> dict[str, str | None]:
    """The group that an event falls in: an absent key is null, a group of its own; case 31."""
    return {key: properties.get(key) for key in keys}


def rate_product(
    contract: Obj, card: Obj, product: Obj, metric: Obj, period: Period, readings: Sequence[Reading]
) -> Rated:
    """All groups of one product in one period, then the adjustments of each family; cases 8, 31 and 33."""
    by_price, by_show = product.get("pricing_group_key") or [], product.get("presentation_group_key") or []
    families: dict[str, dict[str, list[Reading]]] = {} if by_price else {group_text({}): {}}
    if not by_price and not by_show:
        families[group_text({})][group_text({})] = []
    values: dict[str, Values] = {group_text({}): {}}
    for one in readings:
        priced, shown = keyed(by_price, one.event.properties), keyed(by_show, one.event.properties)
        values |= {group_text(priced): priced, group_text(shown): shown}
        families.setdefault(group_text(priced), {}).setdefault(group_text(shown), []).append(one)
    result = Rated()
    for pricing_text, groups in sorted(families.items()):
        family = Rated()
        for presentation_text, members in sorted(groups.items()):
            pricing, presentation = values[pricing_text], values[presentation_text]
            parts = segments(contract, card, product, pricing, presentation, period)
            rated = Group(product, metric, pricing, presentation, members).rate(parts)
            family.lines += rated.lines
            family.unrated += rated.unrated
        result.lines += family.lines
        result.unrated += family.unrated
        if not by_price or family.lines:
            result.lines += adjustments(contract, card, product, values[pricing_text], period, family.lines)
    return result
