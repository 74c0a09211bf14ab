"""What metering should say, event by event in plain Python: no frame, no state, no merge."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

from billing_assets_tests.metering.world import PLACES, Sent, World, canonical

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
BEST_FIRST = ("billed", "unrated", "not_entitled", "excluded_by_usage_filter", "no_product", "no_contract")
Key = tuple[Any, ...]
Span = tuple[datetime, datetime]


def matches(metric: Any, event: Sent) -> bool:
    types = metric.event_type_filter
    tests = [(event.event_type, None, types.in_values, types.not_in_values)] if types else []
    tests += [(event.properties.get(one.name), one.exists, one.in_values, one.not_in_values)
              for one in metric.property_filters]  # fmt: skip
    return all(_passes(*test) for test in tests)


def _passes(text: str | None, exists: bool | None, among: Sequence[str] | None, outside: Sequence[str] | None) -> bool:
    if exists is not None and exists != (text is not None):
        return False
    if among is not None and text not in among:
        return False
    return outside is None or text not in outside


def usable(metric: Any, event: Sent) -> bool:
    if metric.aggregation_type == "COUNT":
        return True
    text = event.properties.get(metric.aggregation_key)
    return text is not None and (metric.aggregation_type == "UNIQUE" or text in NUMBERS)


NUMBERS = {"0": Decimal(0), "1": Decimal(1), "2.5": Decimal("2.5"), "-4": Decimal(-4), "1e1": Decimal(10),
           ".000000000001": Decimal("1e-12")}  # fmt: skip
"""The texts that the generated events write numbers with."""


def value(metric: Any, events: Sequence[Sent]) -> Decimal:
    """The metric's value of usable events, 0 of none."""
    if not events:
        return Decimal(0)
    texts = [one.properties.get(getattr(metric, "aggregation_key", ""), "") for one in events]
    match metric.aggregation_type:
        case "COUNT":
            return Decimal(len(events))
        case "UNIQUE":
            return Decimal(len(set(texts)))
        case "LATEST":
            return NUMBERS[max(zip([(one.at, one.transaction_id) for one in events], texts, strict=True))[1]]
    numbers = [NUMBERS[text] for text in texts]
    match metric.aggregation_type:
        case "AVG":
            return WIDE.divide(sum(numbers, Decimal(0)), Decimal(len(numbers))).quantize(PLACES, context=WIDE)
        case "SUM":
            return sum(numbers, Decimal(0))
        case "MAX":
            return max(numbers)
        case "MIN":
            return min(numbers)
    raise AssertionError(metric.aggregation_type)


LEVELS = ("TIME_WEIGHTED_SUM", "TIME_WEIGHTED_LATEST")


def grouped(event: Sent, keys: Iterable[str]) -> str:
    return canonical({key: event.properties.get(key) for key in keys})


def in_force(term: Mapping[str, Any], at: datetime, start: str = "starting_at", end: str = "ending_before") -> bool:
    return bool(term[start] <= at and (term[end] is None or at < term[end]))


class Reckoning:
    """A world and its events, billed one by one."""

    def __init__(self, world: World, rows: Sequence[Sent], now: datetime, past: Sequence[Sent] = ()) -> None:
        self.world = world
        self.past = list(past)
        self.until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        hour = timedelta(hours=1)
        self.rows = [
            one for one in rows if one.at - (one.at - datetime.min.replace(tzinfo=one.at.tzinfo)) % hour <= now
        ]

    def contracts(self, event: Sent) -> list[Mapping[str, Any]]:
        customer = self.world.aliases.get(event.ref)
        return [one for one in self.world.contracts if one["customer_id"] == customer and in_force(one, event.at)]

    def filtered_in(self, contract: str, event: Sent) -> bool:
        rules = [one for one in self.world.filters if one["contract_id"] == contract and in_force(one, event.at)]
        return all(event.properties.get(one["group_key"]) in one["group_values"] for one in rules)

    def period(self, contract: str, event: Sent) -> Mapping[str, Any]:
        return next(
            one for one in self.world.periods
            if one["contract_id"] == contract and in_force(one, event.at, "period_start", "period_end")
        )  # fmt: skip

    def metric_of(self, product: Any) -> Any:
        return next(one for one in self.world.metrics if one.id == product.billable_metric_id)

    def taken(self, contract: str, start: datetime, product: Any, event: Sent) -> bool:
        """Whether a product, as it is in one of its versions, would take the event in that billing period."""
        lies_in = any(one["contract_id"] == contract for one in self.contracts(event))
        return (
            lies_in
            and self.period(contract, event)["period_start"] == start
            and matches(self.metric_of(product), event)
            and self.filtered_in(contract, event)
        )

    def groups(self) -> dict[Key, list[Sent]]:
        """Events that their product takes, by (contract, period start, product, pricing, presentation)."""
        found: dict[Key, list[Sent]] = defaultdict(list)
        for event in self.rows:
            for contract in self.contracts(event):
                contract_id = contract["contract_id"]
                start = self.period(contract_id, event)["period_start"]
                for each in self.world.products:
                    product = self.world.version(each["id"], event.at).product
                    sold = (contract_id, each["id"]) in self.world.sells
                    if sold and self.taken(contract_id, start, product, event):
                        found[contract_id, start, each["id"], *self.values_of(product, event)].append(event)
        return found

    def values_of(self, product: Any, event: Sent) -> tuple[str, str]:
        return grouped(event, product.pricing_group_key), grouped(event, product.presentation_group_key)

    def cumulatives(self) -> dict[Key, tuple[Decimal, int, int]]:
        """Per group and segment: value to date, usable events of the segment, exceptions of it.

        A segment adds the increment of what the product then takes, counted from the period's start.
        """
        found = {}
        ends = {(one["contract_id"], one["period_start"]): one["period_end"] for one in self.world.periods}
        standing: dict[Key, list[Sent]] = {group: [] for group in self.standing_groups()}
        for group, events in (standing | self.groups()).items():
            contract_id, start, name = group[:3]
            to_date = Decimal(0)
            for low, high in itertools.pairwise(self.world.bounds(name, start, ends[group[:2]])):
                product = self.world.version(name, low).product
                metric = self.metric_of(product)
                mine = [
                    one for one in self.rows
                    if self.taken(contract_id, start, product, one) and self.values_of(product, one) == group[3:]
                ]  # fmt: skip
                if metric.aggregation_type in LEVELS:
                    before = [one for one in self.before(contract_id, start, metric)
                              if self.values_of(product, one) == group[3:]]  # fmt: skip
                    span = (start, ends[group[:2]])
                    to_date += self.mean(metric, before, mine, span, high) - self.mean(metric, before, mine, span, low)
                else:
                    to_date += self.value_by(metric, mine, high) - self.value_by(metric, mine, low)
                own = [one for one in events if low <= one.at < high]
                count = sum(usable(metric, one) for one in own)
                found[(*group, low)] = (to_date, count, len(own) - count)
        return found

    def standing_groups(self) -> set[Key]:
        """Groups of time-weighted metrics in which a level from before the period stands."""
        found = set()
        for period in self.world.periods:
            contract_id, start, end = period["contract_id"], period["period_start"], period["period_end"]
            sold = [one["id"] for one in self.world.products if (contract_id, one["id"]) in self.world.sells]
            for name in sold:
                for version in self.world.versions(name):
                    metric = self.metric_of(version.product)
                    meets = (version.starting_at or start) < end and (version.ending_before or end) > start
                    if not meets or metric.aggregation_type not in LEVELS:
                        continue
                    groups: dict[Key, list[Sent]] = defaultdict(list)
                    for one in self.before(contract_id, start, metric):
                        groups[self.values_of(version.product, one)].append(one)
                    found |= {(contract_id, start, name, *values) for values, events in groups.items()
                              if level(metric, events) != 0}  # fmt: skip
        return found

    def before(self, contract_id: str, start: datetime, metric: Any) -> list[Sent]:
        """Usable events of the contract's customer before a period, that the filter at its start lets through."""
        customer = next(one["customer_id"] for one in self.world.contracts if one["contract_id"] == contract_id)
        rules = [one for one in self.world.filters if one["contract_id"] == contract_id and in_force(one, start)]
        return [
            one for one in (*self.past, *self.rows)
            if one.at < start and self.world.aliases.get(one.ref) == customer and matches(metric, one)
            and usable(metric, one)
            and all(one.properties.get(rule["group_key"]) in rule["group_values"] for rule in rules)
        ]  # fmt: skip

    def mean(
        self,
        metric: Any,
        before: Sequence[Sent],
        events: Sequence[Sent],
        period: tuple[datetime, datetime],
        at: datetime,
    ) -> Decimal:
        """The level's integral from the period's start to `at`, by the period's length."""
        start, end = period
        at = min(at, self.until)
        mine = sorted((one for one in events if usable(metric, one) and one.at < at), key=_order)
        integral, since, known = Fraction(0), start, list(before)
        for one in mine:
            integral += Fraction(level(metric, known)) * _micros(since, one.at)
            known.append(one)
            since = one.at
        if at > since:
            integral += Fraction(level(metric, known)) * _micros(since, at)
        mean = integral / _micros(start, end)
        return WIDE.divide(Decimal(mean.numerator), Decimal(mean.denominator)).quantize(PLACES, context=WIDE)

    def value_by(self, metric: Any, events: Sequence[Sent], at: datetime) -> Decimal:
        return value(metric, [one for one in events if one.at < at and usable(metric, one)])

    def dispositions(self, status: Mapping[Any, str]) -> Counter[Key]:
        """(metric, disposition, day) of every (event, metric); a metric of None for events that match none."""
        found: Counter[Key] = Counter()
        for event in self.rows:
            matched = [one for one in self.world.metrics if matches(one, event)]
            for metric in matched:
                found[metric.id, self.disposition(metric, event, status), event.at.date()] += 1
            if not matched:
                found[None, "no_metric", event.at.date()] += 1
        return found

    def disposition(self, metric: Any, event: Sent, status: Mapping[Any, str]) -> str:
        if event.ref not in self.world.aliases:
            return "unattributed"
        if not usable(metric, event):
            return "metric_exception"
        outcomes = {"no_contract"}
        for contract in self.contracts(event):
            contract_id = contract["contract_id"]
            outcomes.add("no_product")
            start = self.period(contract_id, event)["period_start"]
            for product in self.world.products:
                version = self.world.version(product["id"], event.at).product
                if version.billable_metric_id != metric.id or (contract_id, product["id"]) not in self.world.sells:
                    continue
                low = [at for at in self.world.bounds(product["id"], start, datetime.max.replace(tzinfo=start.tzinfo))
                       if at <= event.at][-1]  # fmt: skip
                if not self.filtered_in(contract_id, event):
                    outcomes.add("excluded_by_usage_filter")
                else:
                    rated = status.get((product["id"], low), status.get(product["id"], "rated"))
                    outcomes.add("billed" if rated == "rated" else rated)
        return min(outcomes, key=BEST_FIRST.index)

    def daily(self) -> dict[Key, tuple[Decimal, Decimal, int]]:
        """(metric, contract, period start, key, values, day): the day's increment, the value to date, usable events."""
        found = {}
        for metric in self.world.metrics:
            for key in metric.group_keys or ((),):
                series: dict[Key, list[Sent]] = defaultdict(list)
                for event in self.rows:
                    for contract in self.contracts(event) if matches(metric, event) else ():
                        if self.filtered_in(contract["contract_id"], event):
                            start = self.period(contract["contract_id"], event)["period_start"]
                            series[contract["contract_id"], start, grouped(event, key)].append(event)
                if metric.aggregation_type in LEVELS:
                    found |= self.level_days(metric, key, series)
                    continue
                for (contract_id, start, values), events in series.items():
                    before = Decimal(0)
                    for day in sorted({one.at.date() for one in events}):
                        to_date = value(metric, [one for one in events if one.at.date() <= day and usable(metric, one)])
                        count = sum(one.at.date() == day and usable(metric, one) for one in events)
                        names = _names(key)
                        found[metric.id, contract_id, start, names, values, day] = (to_date - before, to_date, count)
                        before = to_date
        return found

    def level_days(self, metric: Any, key: Iterable[str], series: Mapping[Key, list[Sent]]) -> dict[Key, Any]:
        """A row for each day of a period that is counted, where a level stood or an event came."""
        found = {}
        for period in self.world.periods:
            contract_id, start, end = period["contract_id"], period["period_start"], period["period_end"]
            if start >= self.until:
                continue
            opening: dict[str, list[Sent]] = defaultdict(list)
            for one in self.before(contract_id, start, metric):
                opening[grouped(one, key)].append(one)
            standing = {values for values, events in opening.items() if level(metric, events) != 0}
            here = {values for contract, at, values in series if (contract, at) == (contract_id, start)}
            for values in standing | here:
                events, before, day = series.get((contract_id, start, values), []), Decimal(0), start.date()
                while datetime(day.year, day.month, day.day, tzinfo=start.tzinfo) < min(end, self.until):
                    following = day + timedelta(days=1)
                    at = min(end, datetime(following.year, following.month, following.day, tzinfo=start.tzinfo))
                    to_date = self.mean(metric, opening[values], events, (start, end), at)
                    count = sum(one.at.date() == day and usable(metric, one) for one in events)
                    found[metric.id, contract_id, start, _names(key), values, day] = (to_date - before, to_date, count)
                    before, day = to_date, following
        return found


def level(metric: Any, events: Sequence[Sent]) -> Decimal:
    """What the events bring the level to."""
    numbers = [NUMBERS[one.properties[metric.aggregation_key]] for one in sorted(events, key=_order)]
    if metric.aggregation_type == "TIME_WEIGHTED_SUM":
        return sum(numbers, Decimal(0))
    return numbers[-1] if numbers else Decimal(0)


def _order(event: Sent) -> tuple[datetime, str]:
    return event.at, event.transaction_id


def _micros(start: datetime, end: datetime) -> int:
    return (end - start) // timedelta(microseconds=1)


def _names(key: Iterable[str]) -> str:
    return "[" + ",".join(f'"{name}"' for name in sorted(key)) + "]"
