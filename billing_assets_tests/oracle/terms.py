"""What a contract says at an instant: periods, rates, overrides, entitlement, filters (docs/semantics.md 4, 5)."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .exact import canonical, exact
from .ingest import instant

Obj = Mapping[str, Any]
Values = Mapping[str, str | None]
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}


@dataclass(frozen=True)
class Period:
    """One billing period: as cut by the contract, and the uncut, anchored one (its hours are `full`)."""

    start: datetime
    end: datetime
    full_start: datetime
    full_end: datetime


@dataclass(frozen=True)
class Segment:
    """What holds for a group in an interval. `rate`: the card's row; `price`: what is charged, None = unrated."""

    start: datetime
    end: datetime
    entitled: bool
    rate: Obj | None
    override_index: int | None
    override: Obj | None
    price: Obj | None

    @property
    def rated(self) -> bool:
        """Rated and entitled, so that its increments count in R; case 14."""
        return self.entitled and self.price is not None

    @property
    def identity(self) -> tuple[Any, ...]:
        """(rate row, winning override) where there is a price; hours without one are all alike; cases 23, 24, 30."""
        if self.price is None:
            return (self.entitled,)
        return (self.entitled, id(self.rate) if self.rate else None, self.override_index)


def covers(term: Obj, at: datetime) -> bool:
    """Half-open [starting_at, ending_before), open where a bound is absent; section 0 of docs/semantics.md."""
    start, end = term.get("starting_at"), term.get("ending_before")
    return (start is None or instant(start) <= at) and (end is None or at < instant(end))


def months_later(anchor: datetime, months: int) -> datetime:
    """The anchor's day `months` later, clamped to that month's end, counted from the anchor; case 15."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


def anchor_of(contract: Obj) -> tuple[str, datetime]:
    """Frequency and anchor of the usage statements, with the defaults; case 15."""
    schedule, start = contract.get("usage_statement_schedule") or {}, instant(contract["starting_at"])
    frequency = schedule.get("frequency") or "MONTHLY"
    day = schedule.get("day") or ("CONTRACT_START" if frequency == "WEEKLY" else "FIRST_OF_MONTH")
    if day == "CUSTOM_DATE":
        return frequency, instant(schedule["billing_anchor_date"])
    if day == "CONTRACT_START":
        return frequency, start
    return frequency, start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def periods(contract: Obj, now: datetime) -> list[Period]:
    """The contract's periods that have started at `now`, cut at its start and end; cases 15 and 52."""
    start = instant(contract["starting_at"])
    end = instant(contract["ending_before"]) if contract.get("ending_before") else None
    frequency, anchor = anchor_of(contract)

    def boundary(k: int) -> datetime:
        return anchor + k * timedelta(days=7) if frequency == "WEEKLY" else months_later(anchor, k * MONTHS[frequency])

    k, found = 0, []
    while boundary(k) > start:
        k -= 1
    while boundary(k + 1) <= start:
        k += 1
    while boundary(k) <= now and (end is None or boundary(k) < end):
        low, high = max(boundary(k), start), boundary(k + 1) if end is None else min(boundary(k + 1), end)
        if low <= now:
            found.append(Period(low, high, boundary(k), boundary(k + 1)))
        k += 1
    return found


def card_of(catalog: Obj, contract: Obj) -> Obj:
    """The contract's rate card; an alias is resolved at the contract's own start; section 4 of docs/semantics.md."""
    start = instant(contract["starting_at"])
    cards: list[Obj] = catalog.get("rate_cards") or []
    for card in cards:
        if card["id"] == contract.get("rate_card_id"):
            return card
        names = [one["name"] for one in card.get("aliases") or [] if covers(one, start)]
        if contract.get("rate_card_alias") in names:
            return card
    raise LookupError(f"no rate card for contract {contract['id']}")


def map_text(values: Obj | None) -> dict[str, str | None]:
    """Group values of the catalog in canonical text; case 31."""
    return {key: canonical(value) for key, value in (values or {}).items()}


def rows_of(card: Obj, product_id: str, pricing: Values) -> list[dict[str, Any]]:
    """The card's rates of exactly this product and pricing group, each ended by the next one's start; cases 17, 31."""
    rows = [
        dict(rate)
        for rate in card.get("rates") or []
        if rate["product_id"] == product_id and map_text(rate.get("pricing_group_values")) == dict(pricing)
    ]
    rows.sort(key=lambda row: instant(row["starting_at"]))
    for row, following in itertools.pairwise(rows):
        row["ending_before"] = row.get("ending_before") or following["starting_at"]
    return rows


def specifier_matches(one: Obj, product: Obj, pricing: Values, presentation: Values | None) -> bool:
    """All fields of one specifier hold; presentation None = the family, not reached by presentation; cases 8 and 23."""
    if one.get("product_id") not in (None, product["id"]):
        return False
    if not set(one.get("product_tags") or []) <= set(product.get("tags") or []):
        return False
    if not map_text(one.get("pricing_group_values")).items() <= dict(pricing).items():
        return False
    wanted = map_text(one.get("presentation_group_values"))
    return wanted.items() <= dict(presentation).items() if presentation is not None else not wanted


def override_matches(override: Obj, product: Obj, pricing: Values, presentation: Values | None) -> bool:
    """Specifiers are OR-ed, applicable_product_tags any of, no selector = the whole card; case 23."""
    tags = override.get("applicable_product_tags")
    if tags and not set(tags) & set(product.get("tags") or []):
        return False
    specifiers = override.get("override_specifiers")
    return not specifiers or any(specifier_matches(one, product, pricing, presentation) for one in specifiers)


def winner(contract: Obj, candidates: Sequence[tuple[int, Obj]]) -> tuple[int, Obj] | tuple[None, None]:
    """The one override that prices: the last OVERWRITE, else by multiplier or by priority; case 23."""
    overwrites = [one for one in candidates if one[1].get("type") == "OVERWRITE"]
    if overwrites:
        return overwrites[-1]
    if contract.get("multiplier_override_prioritization") == "EXPLICIT":
        scaling = [one for one in candidates if one[1].get("type") in ("MULTIPLIER", "TIERED")]
        return min(scaling, key=lambda one: (int(one[1]["priority"]), -one[0])) if scaling else (None, None)
    scaling = [one for one in candidates if one[1].get("type") == "MULTIPLIER"]
    return min(scaling, key=lambda one: (exact(one[1]["multiplier"]), one[0])) if scaling else (None, None)


def segment_at(
    contract: Obj, rows: Iterable[Obj], overrides: Sequence[tuple[int, Obj]], start: datetime, end: datetime
) -> Segment:
    """What holds in [start, end), in which no term changes: entitlement is a lane of its own; cases 23 and 30."""
    rate = next((row for row in rows if covers(row, start)), None)
    live = [one for one in overrides if covers(one[1], start)]
    stated = [override["entitled"] for _, override in live if override.get("entitled") is not None]
    entitled = stated[-1] if stated else (rate or {}).get("entitled") is not False
    index, override = winner(contract, live)
    price = override["overwrite_rate"] if override and override["type"] == "OVERWRITE" else rate
    return Segment(start, end, entitled, rate, index, override, price)


def segments(
    contract: Obj, card: Obj, product: Obj, pricing: Values, presentation: Values | None, period: Period
) -> list[Segment]:
    """The period cut where rate row, winning override or entitlement changes, and only there; cases 2, 23, 24."""
    rows = rows_of(card, product["id"], pricing)
    overrides = [
        one
        for one in enumerate(contract.get("overrides") or [])
        if override_matches(one[1], product, pricing, presentation)
        and one[1].get("target") != "COMMIT_RATE"
        and not one[1].get("is_commit_specific")
    ]
    bounds = {period.start, period.end}
    for term in [*rows, *(override for _, override in overrides)]:
        bounds |= {instant(term[name]) for name in ("starting_at", "ending_before") if term.get(name)}
    cuts = sorted(at for at in bounds if period.start <= at <= period.end)
    found: list[Segment] = []
    for start, end in itertools.pairwise(cuts):
        segment = segment_at(contract, rows, overrides, start, end)
        if found and found[-1].identity == segment.identity:
            found[-1] = replace(found[-1], end=end)
        else:
            found.append(segment)
    return found


def product_ids(contract: Obj, card: Obj) -> set[str]:
    """The products that belong to a contract: any rate on its card, or named by an OVERWRITE of it; case 30."""
    rated = {rate["product_id"] for rate in card.get("rates") or []}
    named = {
        specifier["product_id"]
        for override in contract.get("overrides") or []
        if override.get("type") == "OVERWRITE"
        for specifier in override.get("override_specifiers") or []
        if specifier.get("product_id")
    }
    return rated | named


def filtered_in(contract: Obj, properties: Values, at: datetime) -> bool:
    """Whether the usage filters in force let the event through; an absent key never passes one; case 0.24."""
    filters = contract.get("usage_filter") or []
    filters = [filters] if isinstance(filters, Mapping) else filters
    return all(
        properties.get(one["group_key"]) in [canonical(value) for value in one["group_values"] if value is not None]
        for one in filters
        if covers(one, at)
    )
