"""The catalog fragment of a generated book: products, cards, rates, overrides, contracts (valid by docs/catalog.md)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from .book_rates import Rates
from .choices import Choices, chance, number, several, subset

Obj = dict[str, Any]
ARRIVALS = (
    datetime(2026, 1, 20, 5, tzinfo=UTC),
    datetime(2026, 2, 17, 11, 30, tzinfo=UTC),
    datetime(2026, 3, 2, 20, tzinfo=UTC),
)
NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
SETTINGS: Obj = {"starting_at": "2025-11-01", "currency": "USD", "grace_period": "24h", "backdating_window": "60d"}
GROUP_KEYS = [list(keys) for size in (1, 2, 3) for keys in itertools.combinations(("model", "org", "region"), size)]
VALUES: dict[str, list[str | None]] = {
    "model": ["large", "small", "1", None],
    "region": ["eu", "us", None],
    "org": ["o1", "", None],
}


def metric(metric_id: str, kind: str, key: str | None, **more: Any) -> Obj:
    """One metric of the common pool, fed by the event type of its own name unless it says otherwise."""
    event_type = {"event_type_filter": {"in_values": [metric_id]}}
    return (
        {"id": metric_id, "name": metric_id, "aggregation_type": kind, "group_keys": GROUP_KEYS}
        | ({"aggregation_key": key} if key else {})
        | event_type
        | more
    )


METRICS = [
    metric("use", "SUM", "amount"),
    metric("calls", "COUNT", None, event_type_filter={"in_values": ["use", "calls"]}),
    metric("peak", "MAX", "level"),
    metric("low", "MIN", "level"),
    metric("seat", "LATEST", "level"),
    metric("load", "AVG", "level"),
    metric("login", "UNIQUE", "user", property_filters=[{"name": "user", "exists": True}]),
    metric("pay", "SUM", "paid"),
    metric("picked", "SUM", "amount", property_filters=[
        {"name": "region", "in_values": ["eu", "us"]}, {"name": "kind", "not_in_values": ["skip", "1"]}]),
    metric("rest", "COUNT", None, event_type_filter={"not_in_values": [
        "use", "calls", "peak", "low", "seat", "load", "login", "pay", "picked", "noise"]}),
]  # fmt: skip
MONOTONIC = ("calls", "rest", "login", "pay")


def text(at: datetime) -> str:
    """A date where it is midnight, else RFC 3339."""
    return at.strftime("%Y-%m-%d") if at.hour == 0 else at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Terms:
    """The decisions of one book, and the catalog fragment they make."""

    def __init__(self, choices: Choices, prefix: str, contested: bool):
        self.choices, self.prefix, self.contested = choices, prefix, contested
        self.limits = chance(choices, 40)  # minimum and maximum
        self.scaling = chance(choices, 55)  # MULTIPLIER overrides
        self.explicit = self.scaling and chance(choices, 45)
        self.ranged = self.explicit and chance(choices, 60)  # TIERED overrides
        self.holes = chance(choices, 25)  # hours and groups without a rate
        self.entitling = (contested or not self.holes) and chance(choices, 40)
        self.layout = choices.pick(["one", "one", "one", "sequence", "filters", "cards"])
        self.aliases = subset(choices, [f"{prefix}-alias1", f"{prefix}-alias2"], 40)
        self.largest = choices.pick([30, 30, 1000, 10**6])  # of most values
        self.focus = chance(choices, 50)  # most events fall in one group, and with most changes in one window
        self.zigzag = self.focus and chance(choices, 60)  # small tiers, and values that rise and fall across them
        self.window = (datetime(2025, 12, 1, tzinfo=UTC), NOW)
        self.instants: list[datetime] = []
        self.products = [self.product(one) for one in self.metric_ids()]
        self.event_types = [one["billable_metric_id"] for one in self.products]
        self.contracts: list[Obj] = []

    def metric_ids(self) -> list[str]:
        """One to three different metrics."""
        pool = ["use", "seat", "load", "low"] if self.zigzag else [one["id"] for one in METRICS] + ["pay"]
        found = several(self.choices, 2 if self.layout == "cards" else 1, 3, lambda: self.choices.pick(pool), 45)
        ids = list(dict.fromkeys(found))
        return ids if len(ids) > 1 or self.layout != "cards" else [*ids, "use" if ids != ["use"] else "peak"]

    def product(self, metric_id: str) -> Obj:
        """A product on a metric, with some of: pricing and presentation keys, conversion, rounding, tags."""
        choices = self.choices
        shape = choices.pick(["", "", "", "s", "p"] if self.zigzag else ["", "", "p", "s", "ps", "pp", "pss"])
        keys = list(choices.pick(list(itertools.permutations(("model", "region", "org")))))
        product: Obj = {"id": f"{self.prefix}-{metric_id}", "name": f"{self.prefix} {metric_id}", "type": "USAGE"}
        product["billable_metric_id"] = metric_id
        pricing, shown = keys[: shape.count("p")], keys[shape.count("p") :][: shape.count("s")]
        product |= {"pricing_group_key": pricing} if pricing else {}
        product |= {"presentation_group_key": shown} if shown else {}
        tags = subset(choices, ["alpha", "beta"], 40)
        product |= {"tags": tags} if tags else {}
        if chance(choices, 30):
            factor = choices.pick(["3", "1000", "0.5", "7.25", number(choices, 10**4, zero=False)])
            operation = choices.pick(["DIVIDE", "MULTIPLY"])
            product["quantity_conversion"] = {"conversion_factor": factor, "operation": operation, "name": "units"}
        if chance(choices, 30):
            method = choices.pick(["ROUND_UP", "ROUND_DOWN", "ROUND_HALF_UP"])
            places = choices.pick([0, 1, 2, 3, 4, -1, -2])
            product["quantity_rounding"] = {"rounding_method": method, "decimal_places": places}
        return product

    def hour(self, low: datetime, high: datetime) -> datetime:
        """A whole hour in [low, high]: mostly a midnight of its own, kept for events at boundaries."""
        if self.focus and low < self.window[1] and self.window[0] < high and chance(self.choices, 70):
            low, high = max(low, self.window[0]), min(high, self.window[1])
        hours = (high - low) // timedelta(hours=1)
        at = low + timedelta(hours=self.choices.integer(0, max(0, hours)))
        at = max(low, at.replace(hour=0)) if chance(self.choices, 50) else at
        self.instants.append(at)
        return at

    def catalog(self) -> dict[str, list[Obj]]:
        """Products, cards with rates, the customer, its contracts with overrides."""
        spans = self.spans()
        split = len(self.products) // 2 if self.layout == "cards" else len(self.products)
        halves = [self.products[:split], self.products[split:]] if self.layout == "cards" else [self.products]
        cards = [self.card(index, half) for index, half in enumerate(halves)]
        if self.layout == "sequence" and chance(self.choices, 50):
            cards.append(self.card(1, self.products))
        for index, (start, end) in enumerate(spans):
            self.contracts.append(self.contract(index, start, end, cards[index % len(cards)]))
        self.alias_cards(cards)
        customer: Obj = {"id": f"{self.prefix}-customer", "name": f"Customer {self.prefix}"}
        customer |= {"ingest_aliases": self.aliases} if self.aliases else {}
        extra = [one for one in [self.overwritten()] if one]
        return {"products": self.products + extra, "rate_cards": cards, "customers": [customer]} | {
            "contracts": self.contracts
        }

    def spans(self) -> list[tuple[datetime, datetime | None]]:
        """Start and end of each contract: one, two in sequence, or two that overlap."""
        low, high = datetime(2025, 11, 20, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC)
        start = self.hour(low, high)
        self.window = (start, start + timedelta(days=self.choices.pick([35, 20, 60])))
        end = self.hour(start + timedelta(hours=1), start + timedelta(days=80)) if chance(self.choices, 45) else None
        if self.layout == "one":
            return [(start, end)]
        if self.layout == "sequence":
            first_end = end or start + timedelta(days=30)
            self.instants.append(first_end)
            second = first_end + timedelta(hours=self.choices.pick([0, 0, 5, 100]))
            return [(start, first_end), (second, None)]
        other = self.hour(low, high)
        return [(start, end), (other, None)]

    def card(self, index: int, products: list[Obj]) -> Obj:
        """A rate card with rates for its products."""
        currency = self.choices.pick(["USD", "USD", "USD", "JPY", "KWD", "EUR"])
        rates = [rate for product in products for rate in Rates(self, product).rows()]
        return {"id": f"{self.prefix}-card{index}", "currency": currency, "rates": rates}

    def alias_cards(self, cards: list[Obj]) -> None:
        """Sometimes contracts name their card by an alias, which may move from card to card; section 4."""
        if not chance(self.choices, 30):
            return
        name = f"{self.prefix}-default"
        if self.layout == "sequence" and len(cards) == 2:
            turn = self.contracts[1]["starting_at"]
            cards[0]["aliases"] = [{"name": name, "ending_before": turn}]
            cards[1]["aliases"] = [{"name": name, "starting_at": turn}]
        elif len(cards) == 1:
            cards[0]["aliases"] = [{"name": name}]
        else:
            return
        for contract in self.contracts:
            del contract["rate_card_id"]
            contract["rate_card_alias"] = name

    def schedule(self, start: datetime) -> Obj:
        """Frequency and anchor; cases 15 and 65."""
        choices = self.choices
        frequency = choices.pick(["MONTHLY", "MONTHLY", "MONTHLY", "WEEKLY", "QUARTERLY", "SEMI_ANNUAL", "ANNUAL"])
        days = ["CONTRACT_START", "CUSTOM_DATE"] + ([] if frequency == "WEEKLY" else ["FIRST_OF_MONTH"])
        day = choices.pick(days[::-1])
        found: Obj = {"frequency": frequency, "day": day}
        if day == "CUSTOM_DATE":
            month, number_of_day = choices.pick([1, 3, 5, 8, 10, 12]), choices.pick([31, 30, 29, 28, 15, 1])
            anchor = datetime(choices.pick([2025, 2024, 2026]), month, number_of_day, tzinfo=UTC)
            found["billing_anchor_date"] = text(anchor + timedelta(hours=choices.pick([0, 0, 0, 7, 23])))
        return found if not chance(choices, 10) else {}

    def contract(self, index: int, start: datetime, end: datetime | None, card: Obj) -> Obj:
        """A contract over a card, with its schedule, overrides, filter and options."""
        choices = self.choices
        found: Obj = {"id": f"{self.prefix}-contract{index}", "customer_id": f"{self.prefix}-customer"}
        found |= {"rate_card_id": card["id"], "starting_at": text(start)} | (
            {"ending_before": text(end)} if end else {}
        )
        schedule = self.schedule(start)
        found |= {"usage_statement_schedule": schedule} if schedule else {}
        found["net_payment_terms_days"] = choices.pick([0, 30, 14])
        found |= {"skip_zero_invoices": True} if chance(choices, 20) else {}
        tolerance = choices.pick([None, None, 0, 1])
        found |= {"metric_exception_tolerance": tolerance} if tolerance is not None else {}
        if self.explicit:
            found["multiplier_override_prioritization"] = "EXPLICIT"
        elif chance(choices, 30):
            found["multiplier_override_prioritization"] = "LOWEST_MULTIPLIER"
        own = {rate["product_id"] for rate in card["rates"]}
        products = [one for one in self.products if one["id"] in own]
        overrides = several(choices, 0, 4, lambda: self.override(products, start, end), 55)
        overrides = [one for one in overrides if one]
        found |= {"overrides": overrides} if overrides else {}
        usage_filter = self.usage_filter(index, start, end)
        found |= {"usage_filter": usage_filter} if usage_filter else {}
        return found

    def usage_filter(self, index: int, start: datetime, end: datetime | None) -> Obj | list[Obj] | None:
        """Disjoint filters where two contracts overlap; else sometimes one, or two that follow each other."""
        if self.layout == "filters":
            values = [["eu"], ["us"]][index]
            return {"group_key": "region", "group_values": values, "starting_at": text(start)}
        if not chance(self.choices, 12):
            return None
        key = self.choices.pick(["region", "org"])
        values = [value for value in VALUES[key] if value is not None]
        first: Obj = {"group_key": key, "group_values": values[:1], "starting_at": text(start)}
        if chance(self.choices, 50):
            return first
        turn = self.hour(start + timedelta(hours=1), end or NOW + timedelta(days=20))
        if end is not None and turn >= end:
            return first
        second = first | {"group_values": values, "starting_at": text(turn)}
        return [first | {"ending_before": text(turn)}, second]

    def specifier(self, product: Obj, shown: bool = True) -> Obj:
        """A selector that names the product, and sometimes some of its group values or tags."""
        found: Obj = {"product_id": product["id"]}
        for name, keys in (
            ("pricing_group_values", "pricing_group_key"),
            ("presentation_group_values", "presentation_group_key"),
        ):
            chosen = subset(self.choices, product.get(keys, []), 45)
            if chosen and (shown or name.startswith("pricing")):
                found[name] = {key: self.choices.pick(VALUES[key]) for key in chosen}
        if product.get("tags") and chance(self.choices, 15):
            found["product_tags"] = product["tags"][:1]
        return found

    def selector(self, products: list[Obj], named: bool, whole: bool = False, shown: bool = True) -> Obj:
        """override_specifiers (OR-ed), tags, values only, or the `whole` card; always by product where `named`."""
        choices = self.choices
        kind = 0 if named else choices.integer(0, 9)
        if kind == 9 and whole:
            return {}
        tags = sorted({tag for product in products for tag in product.get("tags", [])})
        if kind == 8 and tags:
            return {"applicable_product_tags": subset(choices, tags, 50) or tags[:1]}
        found = several(choices, 1, 2, lambda: self.specifier(choices.pick(products), shown), 25)
        if kind == 7 and "pricing_group_values" in found[0]:
            return {"override_specifiers": [{"pricing_group_values": found[0]["pricing_group_values"]}]}
        return {"override_specifiers": found}

    def override(self, products: list[Obj], start: datetime, end: datetime | None) -> Obj | None:
        """One override of any kind that needs no commit; case 23."""
        choices = self.choices
        kinds = ["OVERWRITE"] + ["MULTIPLIER"] * 2 * self.scaling + ["TIERED"] * 2 * self.ranged + [""] * self.entitling
        kind = choices.pick(kinds)
        low, high = start, min(end or NOW, NOW)
        opening = self.hour(low, max(low, high - timedelta(hours=1))) if chance(choices, 60) else start
        found: Obj = {"starting_at": text(opening)}
        if chance(choices, 45):
            closing = self.hour(opening + timedelta(hours=1), max(opening + timedelta(hours=1), end or NOW))
            found |= {"ending_before": text(closing)} if end is None or closing <= end else {}
        found |= {"type": kind} if kind else {}
        blind = not kind and self.limits and not self.contested
        if kind == "OVERWRITE":
            product = choices.pick(products)
            found |= self.selector([product], named=True)
            found["overwrite_rate"] = Rates(self, product).price(overwrite=True)
        else:
            found |= self.selector(products, not kind, kind == "MULTIPLIER", not blind)
        if kind == "MULTIPLIER":
            found["multiplier"] = choices.pick(["0.9", "0.5", "1", "1.25", "0.333333333333", "0.000000000001"])
        if kind == "TIERED":
            found["tiers"] = several(choices, 1, 3, self.range, 50)
        if kind and self.entitling and not self.limits and chance(choices, 10):
            found["entitled"] = choices.pick([False, True])
        if not kind:
            found["entitled"] = choices.pick([False, False, True])
        if self.explicit:
            found["priority"] = choices.integer(1, 3)
        return found

    def range(self) -> Obj:
        """One range of a TIERED override."""
        multiplier = self.choices.pick(["0.8", "0.7", "1.5", "0.111111111111"])
        return {"size": number(self.choices, 50, zero=False), "multiplier": multiplier}

    def overwritten(self) -> Obj | None:
        """Sometimes a product that only an OVERWRITE of the one contract names; case 30."""
        used = [one["billable_metric_id"] for one in self.products]
        if self.layout != "one" or "seat" in used or not chance(self.choices, 15):
            return None
        product: Obj = {"id": f"{self.prefix}-seat", "name": f"{self.prefix} seat", "type": "USAGE"}
        product["billable_metric_id"] = "seat"
        self.event_types.append("seat")
        contract = self.contracts[0]
        found: Obj = {"starting_at": contract["starting_at"], "type": "OVERWRITE"}
        found |= {"override_specifiers": [{"product_id": product["id"]}]}
        found["overwrite_rate"] = Rates(self, product).price(overwrite=True)
        found |= {"priority": 1} if self.explicit else {}
        contract["overrides"] = [*contract.get("overrides", []), found]
        return product
