"""The rates of a generated product: chains of rows per group, of every type of usage rate (docs/catalog.md)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .choices import chance, number, several

if TYPE_CHECKING:
    from .book_terms import Terms

Obj = dict[str, Any]
FIRST = datetime(2025, 10, 1, tzinfo=UTC)
LAST = datetime(2026, 3, 2, tzinfo=UTC)


class Rates:
    """Rows for one product of a book, on one card."""

    def __init__(self, terms: Terms, product: Obj):
        from .book_terms import MONOTONIC

        self.terms, self.product, self.choices = terms, product, terms.choices
        metric_id = product["billable_metric_id"]
        self.monotonic = metric_id in MONOTONIC
        self.percent = terms.contested or metric_id == "pay"
        common = ["FLAT", "FLAT", "TIERED", "TIERED", "VOLUME"] + ["TIERED_PERCENTAGE"] * terms.contested
        self.kinds = common + (["PACKAGE"] if not terms.ranged or terms.contested else [])
        self.kinds += ["TIERED", "PACKAGE"] * (terms.zigzag and "PACKAGE" in self.kinds)
        self.kind = self.choices.pick(self.kinds + ["PERCENTAGE"] * 3 * self.percent_allowed(False))

    def percent_allowed(self, overwrite: bool) -> bool:
        """PERCENTAGE only of what cannot be negative, and not under a TIERED override."""
        return self.percent and (overwrite or not self.terms.ranged or self.terms.contested)

    def rows(self) -> list[Obj]:
        """The chains of all groups; with holes some groups have none (the first one always has)."""
        from .book_terms import VALUES

        keys = self.product.get("pricing_group_key", [])
        found: list[Obj] = []
        for values in itertools.product(*(VALUES[key] for key in keys)):
            if found and self.terms.holes and chance(self.choices, 25):
                continue
            group = {"pricing_group_values": dict(zip(keys, values, strict=True))} if keys else {}
            found += [self.row(group, start, end) for start, end in self.dates(bool(keys))]
        return found

    def dates(self, dimensional: bool) -> list[tuple[datetime, datetime | None]]:
        """Starts in order, open ends mostly (the next one closes them); holes before, between and after."""
        terms, choices = self.terms, self.choices
        if terms.holes and chance(choices, 30):
            starts = {terms.hour(datetime(2025, 12, 1, tzinfo=UTC), LAST)}
        else:
            starts = {FIRST}
        percent = 40 if dimensional else 85 if terms.zigzag else 60
        starts |= set(several(choices, 0, 2, lambda: terms.hour(datetime(2025, 12, 1, tzinfo=UTC), LAST), percent))
        ordered = sorted(starts)
        found: list[tuple[datetime, datetime | None]] = []
        for start, following in itertools.zip_longest(ordered, ordered[1:]):
            end = None
            if chance(choices, 15):
                end = following if not terms.holes else terms.hour(start + timedelta(hours=1), following or LAST)
            found.append((start, end if end is None or end > start else None))
        return found

    def row(self, group: Obj, start: datetime, end: datetime | None) -> Obj:
        """One rate."""
        from .book_terms import text

        found: Obj = {"product_id": self.product["id"], **group, "starting_at": text(start)}
        found |= {"ending_before": text(end)} if end else {}
        found |= {"entitled": False} if self.terms.entitling and chance(self.choices, 15) else {}
        return found | self.price()

    def price(self, overwrite: bool = False) -> Obj:
        """A price of any type that fits the product; most rows of a product keep its type."""
        choices = self.choices
        kinds = self.kinds + ["PERCENTAGE"] * self.percent_allowed(overwrite)
        kind = self.kind if chance(choices, 75) else choices.pick(kinds)
        found: Obj = {"rate_type": kind}
        if kind in ("TIERED", "VOLUME", "TIERED_PERCENTAGE"):
            found["tiers"] = self.tiers(kind, overwrite)
        elif kind == "PERCENTAGE":
            found |= self.percentage()
        else:
            found["price"] = number(choices, 10**5)
        if kind == "PACKAGE":
            found["package_size"] = choices.pick(["10", "1", "2.5", "100", number(choices, 1000, zero=False)])
            found |= {"free_units": number(choices, 30)} if chance(choices, 50) else {}
        return found | self.limit()

    def tiers(self, kind: str, overwrite: bool) -> list[Obj]:
        """One to four tiers; flat fees; the last one has a size only where contested."""
        choices, terms = self.choices, self.terms
        size = 8 if terms.zigzag else 40
        largest = 1 if kind == "TIERED_PERCENTAGE" else 10**4

        def tier() -> Obj:
            found: Obj = {"size": number(choices, size, zero=False), "price": number(choices, largest)}
            if (overwrite or not terms.ranged or terms.contested) and chance(choices, 65 if terms.zigzag else 35):
                found["flat_fee"] = number(choices, 100, zero=False)
            return found

        found = several(choices, 2 if terms.zigzag else 1, 4, tier, 60)
        if not (terms.contested and self.monotonic and chance(choices, 20)):
            del found[-1]["size"]
        return found

    def percentage(self) -> Obj:
        """A fraction of an amount, with free amounts and fees per event."""
        choices, terms = self.choices, self.terms
        found: Obj = {"price": choices.pick(["0.029", "0.5", "0.012345678901", "0"])}
        found |= {"free_amount": number(choices, 100)} if chance(choices, 50) else {}
        if (not terms.scaling or terms.contested) and chance(choices, 60):
            found["fixed_fee"] = number(choices, 10, zero=False)
            found |= {"free_events": choices.integer(0, 3)} if chance(choices, 60) else {}
        return found

    def limit(self) -> Obj:
        """minimum and maximum of a rate; the former not above the latter; case 8."""
        if not self.terms.limits or chance(self.choices, 25):
            return {}
        low, high = self.choices.integer(1, 500), self.choices.integer(0, 2000)
        kind = self.choices.integer(0, 3)
        found = {"minimum": f"{low}.{self.choices.pick(['0', '25', '333333333333'])}"} if kind in (0, 2) else {}
        return found | ({"maximum": str(low + 1 + high)} if kind in (1, 2) else {})
