"""A small book of terms for tests of rating: the frames that the catalog would resolve to, and usage by the hour."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.rating import (
    access_cuts,
    adjust,
    composite_limits,
    composite_quantities,
    composites,
    cut_at_lanes,
    discount,
    discount_cuts,
    lane_bands,
    lane_cuts,
    lane_prices,
    lanes,
    limits,
    minimum_spend,
    nothing_used,
    quantify,
    rate,
    segments,
    standing_groups,
    unrated,
)
from billing_assets.rating.grain import GROUP

TEXT, COUNT, YES = pl.String(), pl.Int64(), pl.Boolean()

SCHEMAS: dict[str, dict[str, Any]] = {
    "products": {
        "product_id": TEXT, "name": TEXT, "product_type": TEXT, "billable_metric_id": TEXT,
        "pricing_keys": pl.List(pl.String), "presentation_keys": pl.List(pl.String), "tags": TEXT,
        "conversion_factor": DECIMAL, "conversion_operation": TEXT, "unit": TEXT, "rounding_method": TEXT,
        "rounding_unit": DECIMAL, "tax_code": TEXT,
    },
    "product_versions": {},
    "contracts": {"contract_id": TEXT, "multiplier_override_prioritization": TEXT, "minimum_spend": DECIMAL},
    "contract_products": {"contract_id": TEXT, "product_id": TEXT},
    "rates": {
        "rate_id": TEXT, "rate_card_id": TEXT, "product_id": TEXT, "pricing_group_values": TEXT,
        "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "entitled": YES, "price_id": TEXT,
        "commit_price_id": TEXT, "pricing_unit": TEXT,
    },
    "prices": {
        "price_id": TEXT, "rate_type": TEXT, "price": DECIMAL, "package_size": DECIMAL, "free_units": DECIMAL,
        "fixed_fee": DECIMAL, "free_events": COUNT, "free_amount": DECIMAL, "minimum": DECIMAL, "maximum": DECIMAL,
        "expression": TEXT,
    },
    "price_tiers": {
        "price_id": TEXT, "tier_level": COUNT, "tier_lower": DECIMAL, "tier_upper": DECIMAL, "price": DECIMAL,
        "flat_fee": DECIMAL,
    },
    "overrides": {
        "override_id": TEXT, "contract_id": TEXT, "override_position": COUNT, "starting_at": TIMESTAMP,
        "ending_before": TIMESTAMP, "override_type": TEXT, "multiplier": DECIMAL, "priority": COUNT, "entitled": YES,
        "price_id": TEXT, "lane": TEXT, "is_commit_specific": YES,
    },
    "override_tiers": {
        "override_id": TEXT, "range_level": COUNT, "range_lower": DECIMAL, "range_upper": DECIMAL,
        "multiplier": DECIMAL,
    },
    "override_targets": {
        "override_id": TEXT, "contract_id": TEXT, "product_id": TEXT, "pricing_group_values": TEXT,
        "presentation_group_values": TEXT, "reached_from": TIMESTAMP, "reached_until": TIMESTAMP,
        "billing_frequency": TEXT, "specifier": COUNT,
    },
    "override_commits": {"override_id": TEXT, "specifier": COUNT, "commit_id": TEXT},
    "selectors": {
        "selector": COUNT, "product_id": TEXT, "pricing_group_values": TEXT, "presentation_group_values": TEXT,
        "exclude": YES,
    },
    "access": {
        "contract_id": TEXT, "commit_id": TEXT, "price_lane": TEXT, "starting_at": TIMESTAMP,
        "ending_before": TIMESTAMP, "selector": COUNT, "seat_key": TEXT, "seat_value": TEXT,
    },
    "discounts": {
        "discount_id": TEXT, "contract_id": TEXT, "discount_type": TEXT, "value": DECIMAL, "name": TEXT,
        "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "discount_position": COUNT,
    },
    "discount_targets": {"discount_id": TEXT, "product_id": TEXT},
    "composites": {"product_id": TEXT, "base_product_id": TEXT, "scope": TEXT, "exclude_free_usage": YES},
    "charge_rates": {
        "rate_id": TEXT, "rate_card_id": TEXT, "product_id": TEXT, "pricing_group_values": TEXT,
        "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "entitled": YES, "price_id": TEXT,
        "commit_price_id": TEXT, "pricing_unit": TEXT,
    },
    "pricing_unit_conversions": {
        "rate_card_id": TEXT, "pricing_unit": TEXT, "name": TEXT, "fiat_per_unit": DECIMAL,
    },
}  # fmt: skip
SCHEMAS["product_versions"] = SCHEMAS["products"] | {
    "product_version": COUNT, "taking": COUNT, "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "has_updates": YES,
    "pricing_names": TEXT, "presentation_names": TEXT,
}  # fmt: skip

PERIODS = {
    "contract_id": TEXT, "customer_id": TEXT, "rate_card_id": TEXT, "currency": TEXT, "minor_digits": COUNT,
    "multiplier_override_prioritization": TEXT, "period_start": TIMESTAMP, "period_end": TIMESTAMP,
    "full_start": TIMESTAMP, "full_end": TIMESTAMP,
}  # fmt: skip


def day(number: int, hour: int = 0) -> datetime:
    """An hour of January 2026; day 32 is the first of February."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1, hours=hour)


JANUARY, FEBRUARY, LONG_AGO = day(1), day(32), day(-500)
ANY: dict[str, Any] = {}


def canonical(values: dict[str, str | None] | None) -> str:
    return json.dumps(values or {}, sort_keys=True, separators=(",", ":"))


def exact(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@dataclass(frozen=True)
class Usage:
    """An increment of a SUM metric in the hour of `at`, by `events` events."""

    at: datetime
    quantity: Decimal
    product: str = "p"
    pricing: str = "{}"
    presentation: str = "{}"
    contract: str = "c"
    events: int = 1


def used(at: datetime, quantity: Any, product: str = "p", *, pricing: Any = None, presentation: Any = None,
         contract: str = "c", events: int = 1) -> Usage:  # fmt: skip
    return Usage(at, Decimal(str(quantity)), product, canonical(pricing), canonical(presentation), contract, events)


def tiers_of(sizes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sizes as the catalog writes them, as bounds (lower, upper]."""
    ends = list(itertools.accumulate(Decimal(str(size["size"])) for size in sizes if size.get("size") is not None))
    bounds = [None, *ends, None]
    return [
        {"level": level + 1, "lower": bounds[level], "upper": bounds[level + 1], **size}
        for level, size in enumerate(sizes)
    ]


@dataclass
class Book:
    """Terms added one by one; `frames()` is what rating joins. Default: product "p", contract "c", January 2026."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in SCHEMAS})
    periods_: list[dict[str, Any]] = field(default_factory=list)

    def add(self, table: str, **row: Any) -> None:
        self.rows[table].append({name: row.get(name) for name in SCHEMAS[table]})

    def product(self, product: str = "p", *, pricing: tuple[str, ...] = (), presentation: tuple[str, ...] = (),
                conversion: tuple[str, Any] | None = None, rounding: tuple[str, int] | None = None,
                kind: str = "USAGE") -> Book:  # fmt: skip
        operation, factor = conversion or (None, None)
        method, places = rounding or (None, None)
        self.add(
            "products", product_id=product, name=f"Product {product}", product_type=kind, billable_metric_id="m",
            pricing_keys=sorted(pricing), presentation_keys=sorted(presentation), tags="[]",
            conversion_operation=operation, conversion_factor=exact(factor), rounding_method=method,
            rounding_unit=None if places is None else Decimal(1).scaleb(-places),
        )  # fmt: skip
        self.add("product_versions", **self.rows["products"][-1], product_version=0, taking=0, has_updates=False)
        return self

    def update(self, at: datetime, product: str = "p", **changes: Any) -> Book:
        """From `at` on the product is changed; updates are given in their order."""
        mine = [row for row in self.rows["product_versions"] if row["product_id"] == product]
        mine[-1]["ending_before"] = at
        number = len(mine)
        version = {**mine[-1], "product_version": number, "starting_at": at, "ending_before": None, **changes}
        self.rows["product_versions"].append(version)
        for row in (*mine, version):
            row["has_updates"] = True
        return self

    def contract(self, contract: str = "c", starts: datetime = JANUARY, ends: datetime = FEBRUARY, *,
                 prioritization: str = "LOWEST_MULTIPLIER", products: tuple[str, ...] = ("p",),
                 card: str = "card", customer: str | None = None, minimum_spend: Any = None) -> Book:  # fmt: skip
        self.add(
            "contracts", contract_id=contract, multiplier_override_prioritization=prioritization,
            minimum_spend=exact(minimum_spend),
        )  # fmt: skip
        for product in products:
            self.add("contract_products", contract_id=contract, product_id=product)
        self.periods_.append(
            {
                "contract_id": contract, "customer_id": customer or f"customer of {contract}", "rate_card_id": card,
                "currency": "USD", "minor_digits": 2, "multiplier_override_prioritization": prioritization,
                "period_start": starts, "period_end": ends, "full_start": JANUARY, "full_end": FEBRUARY,
            }
        )  # fmt: skip
        return self

    def price(self, price_id: str, rate_type: str, price: Any = None, tiers: Any = (), **terms: Any) -> None:
        plain = ("free_events", "expression")
        numbers = {name: value if name in plain else exact(value) for name, value in terms.items()}
        self.add("prices", price_id=price_id, rate_type=rate_type, price=exact(price), **numbers)
        for tier in tiers_of(list(tiers)):
            self.add(
                "price_tiers", price_id=price_id, tier_level=tier["level"], tier_lower=tier["lower"],
                tier_upper=tier["upper"], price=exact(tier["price"]), flat_fee=exact(tier.get("flat_fee")),
            )  # fmt: skip

    def rate(self, rate_type: str, price: Any = None, *, product: str = "p", pricing: Any = None,
             starts: datetime = LONG_AGO, ends: datetime | None = None, entitled: bool = True, card: str = "card",
             table: str = "rates", commit_rate: dict[str, Any] | None = None, unit: str | None = None,
             **terms: Any) -> Book:  # fmt: skip
        rate_id = f"{card}/{product}/{canonical(pricing)}/{starts:%Y-%m-%dT%H}"
        self.price(rate_id, rate_type, price, **terms)
        if commit_rate:
            self.price(f"{rate_id}/commit", **commit_rate)
        self.add(
            table, rate_id=rate_id, rate_card_id=card, product_id=product, pricing_group_values=canonical(pricing),
            starting_at=starts, ending_before=ends, entitled=entitled, price_id=rate_id, pricing_unit=unit,
            commit_price_id=f"{rate_id}/commit" if commit_rate else None,
        )  # fmt: skip
        return self

    def override(self, override_type: str | None, multiplier: Any = None, *, contract: str = "c",
                 starts: datetime = LONG_AGO, ends: datetime | None = None, priority: int | None = None,
                 entitled: bool | None = None, ranges: Any = (), overwrite: dict[str, Any] | None = None,
                 specifiers: tuple[dict[str, Any], ...] = (ANY,), products: tuple[str, ...] = ("p",),
                 lane: str = "LIST", specific: bool = False) -> Book:  # fmt: skip
        position = sum(row["contract_id"] == contract for row in self.rows["overrides"])
        override_id = f"{contract}/overrides/{position}"
        self.add(
            "overrides", override_id=override_id, contract_id=contract, override_position=position, starting_at=starts,
            ending_before=ends, override_type=override_type, multiplier=exact(multiplier), priority=priority,
            entitled=entitled, price_id=override_id if overwrite else None, lane=lane, is_commit_specific=specific,
        )  # fmt: skip
        for tier in tiers_of(list(ranges)):
            self.add(
                "override_tiers", override_id=override_id, range_level=tier["level"], range_lower=tier["lower"],
                range_upper=tier["upper"], multiplier=exact(tier["multiplier"]),
            )  # fmt: skip
        if overwrite:
            self.price(override_id, **overwrite)
        for number, specifier in enumerate(specifiers):
            for commit in specifier.get("commits", ()):
                self.add("override_commits", override_id=override_id, specifier=number, commit_id=commit)
        for (number, specifier), product in itertools.product(enumerate(specifiers), products):
            self.add(
                "override_targets", override_id=override_id, contract_id=contract,
                product_id=specifier.get("product", product), pricing_group_values=canonical(specifier.get("pricing")),
                presentation_group_values=canonical(specifier.get("presentation")), specifier=number,
                billing_frequency=specifier.get("frequency"),
            )  # fmt: skip
        return self

    def balance(self, commit: str = "b", lane: str = "COMMIT", *, contract: str = "c", starts: datetime = LONG_AGO,
                ends: datetime | None = None, products: tuple[str, ...] = ("p",), pricing: Any = None,
                presentation: Any = None, excluding: Any = None, seat: tuple[str, str] | None = None,
                ) -> Book:  # fmt: skip
        """Access of one commit or credit to products, or to some of their group values."""
        selector = len(self.rows["access"])
        for product in products:
            wanted = (canonical(pricing), canonical(presentation), False)
            for own, shown, exclude in (wanted, *([(canonical(excluding), "{}", True)] if excluding else [])):
                self.add(
                    "selectors", selector=selector, product_id=product, pricing_group_values=own,
                    presentation_group_values=shown, exclude=exclude,
                )  # fmt: skip
        key, value = seat or (None, None)
        self.add(
            "access", contract_id=contract, commit_id=commit, price_lane=lane, starting_at=starts, ending_before=ends,
            selector=selector, seat_key=key, seat_value=value,
        )  # fmt: skip
        return self

    def composite(self, rate_type: str, price: Any = None, *, product: str = "support", base: tuple[str, ...] = ("p",),
                  scope: str = "CONTRACT", exclude_free_usage: bool = False, **terms: Any) -> Book:  # fmt: skip
        """A composite product with its rate."""
        if all(row["product_id"] != product for row in self.rows["products"]):
            self.product(product, kind="COMPOSITE")
            for name in base:
                self.add(
                    "composites", product_id=product, base_product_id=name, scope=scope,
                    exclude_free_usage=exclude_free_usage,
                )  # fmt: skip
        return self.rate(rate_type, price, product=product, table="charge_rates", **terms)

    def discount(self, kind: str, value: Any, *, contract: str = "c", products: tuple[str, ...] = ("p",),
                 starts: datetime = LONG_AGO, ends: datetime | None = None) -> Book:  # fmt: skip
        position = len(self.rows["discounts"])
        discount_id = f"{contract}/d{position}"
        self.add(
            "discounts", discount_id=discount_id, contract_id=contract, discount_type=kind, value=exact(value),
            name=discount_id, starting_at=starts, ending_before=ends, discount_position=position,
        )  # fmt: skip
        for product in products:
            self.add("discount_targets", discount_id=discount_id, product_id=product)
        return self

    def depth(self) -> int:
        """The most discounts that a contract has."""
        owners = [row["contract_id"] for row in self.rows["discounts"]]
        return max((owners.count(owner) for owner in owners), default=0)

    def frames(self) -> Any:
        texts = {row["expression"] for row in self.rows["prices"] if row["expression"] is not None}
        for row in self.rows["product_versions"]:
            for keys in ("pricing", "presentation"):
                row[f"{keys}_names"] = ",".join(json.dumps(key) for key in row[f"{keys}_keys"])
        return SimpleNamespace(
            **{name: pl.LazyFrame(self.rows[name], schema=schema) for name, schema in SCHEMAS.items()},
            expressions=tuple(sorted(texts)),
        )

    def periods(self) -> pl.LazyFrame:
        return pl.LazyFrame(self.periods_, schema=PERIODS)


@dataclass(frozen=True)
class Bill:
    segments: pl.DataFrame
    lines: pl.DataFrame
    unrated: pl.DataFrame
    own_prices: pl.DataFrame

    @property
    def total(self) -> Decimal:
        return sum(self.lines["amount"], Decimal(0))

    def read(self, *columns: str) -> list[tuple[Any, ...]]:
        """Lines in the order of an invoice; decimals without trailing zeros, as text."""
        order = ["contract_id", "product_id", "line_type", "starting_at", "pricing_group_values",
                 "presentation_group_values", "tier_level", "is_fee", "tier_lower"]  # fmt: skip
        rows = self.lines.sort(order, descending=[name == "line_type" for name in order]).select(columns).rows()
        return [tuple(plain(value) for value in row) for row in rows]


def plain(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def cumulatives(cut: pl.LazyFrame, usage: list[Usage]) -> pl.LazyFrame:
    """What metering would add: the sum up to the segment's end, and the events inside it."""
    rows = cut.collect()
    found: list[tuple[Decimal, int]] = []
    for row in rows.iter_rows(named=True):
        mine = [
            one for one in usage
            if (one.contract, one.product, one.pricing, one.presentation)
            == (row["contract_id"], row["product_id"], row["pricing_group_values"], row["presentation_group_values"])
            and row["period_start"] <= one.at < row["segment_end"]
        ]  # fmt: skip
        inside = sum(one.events for one in mine if one.at >= row["segment_start"])
        found.append((sum((one.quantity for one in mine), Decimal(0)), inside))
    return rows.with_columns(
        raw_cumulative=pl.Series([total for total, _ in found], dtype=DECIMAL),
        event_count=pl.Series([count for _, count in found], dtype=pl.Int64),
        exception_count=pl.lit(0, dtype=pl.Int64),
    ).lazy()


def groups_of(usage: list[Usage], periods: pl.LazyFrame) -> pl.LazyFrame:
    keys = ("contract_id", "product_id", "pricing_group_values", "presentation_group_values", "at")
    rows = {(one.contract, one.product, one.pricing, one.presentation, one.at) for one in usage}
    seen = pl.LazyFrame(sorted(rows), schema=dict.fromkeys(keys[:4], pl.String()) | {"at": TIMESTAMP}, orient="row")
    return (
        seen.join(periods.select("contract_id", "period_start", "period_end"), on="contract_id")
        .filter(pl.col("at") >= pl.col("period_start"), pl.col("at") < pl.col("period_end"))
        .select(GROUP)
    )


def cuts_of(book: Book, groups: pl.LazyFrame, found: pl.LazyFrame | None) -> pl.LazyFrame | None:
    """Where discounts, access segments and commit-side prices cut; None where the book has none."""
    frames, periods, cuts = book.frames(), book.periods(), []
    if book.depth():
        cuts.append(discount_cuts(groups, periods, frames))
    if found is not None:
        cuts += [access_cuts(groups, periods, frames.access, frames.selectors), lane_cuts(found)]
    return pl.concat(cuts) if cuts else None


def bill(book: Book, *usage: Usage) -> Bill:
    frames, periods = book.frames(), book.periods()
    groups = pl.concat([groups_of(list(usage), periods), standing_groups(periods, frames)]).unique()
    found = lanes(groups, periods, frames.access, frames).collect().lazy() if book.rows["access"] else None
    measured = cumulatives(segments(groups, periods, frames, cuts_of(book, groups, found)), list(usage))
    quantified = quantify(measured, frames).collect().lazy()
    lines, priced = rate(quantified, frames), None
    if found is not None:
        priced = lane_bands(found, quantified, frames).collect().lazy()
        lines = cut_at_lanes(lines, priced)
    reduced = discount(lines, periods, frames, nothing_used(), book.depth())
    lines = adjust(pl.concat([reduced.lines, reduced.discounts]), limits(groups, periods, frames), frames)
    held = unrated(quantified)
    if book.rows["composites"]:
        lines, held = with_composites(book, reduced.used, lines, held)
    if any(row["minimum_spend"] is not None for row in book.rows["contracts"]):
        lines = pl.concat([lines, minimum_spend(lines, periods, frames)])
    keyed = lines.collect().with_row_index("line_key")
    return Bill(quantified.collect(), keyed.drop("line_key"), held.collect(), priced_lines(keyed, priced))


def priced_lines(keyed: pl.DataFrame, priced: pl.LazyFrame | None) -> pl.DataFrame:
    """The lines beside their commit-side prices, one row for each; `own_price`, `own_rate_id`, `own_override_id`."""
    if priced is None:
        return pl.DataFrame()
    own = lane_prices(keyed.lazy(), priced).rename(
        {"unit_price": "own_price", "rate_id": "own_rate_id", "override_id": "own_override_id"}
    )
    return keyed.join(own.collect(), on="line_key").drop("line_key")


def with_composites(
    book: Book, used_up: pl.LazyFrame, lines: pl.LazyFrame, held: pl.LazyFrame
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """What the composites of `book` add to its lines and to its unrated usage."""
    frames, periods = book.frames(), book.periods()
    spend = composite_quantities(lines, periods, frames).collect().lazy()
    found = discount(composites(spend, frames), periods, frames, used_up, book.depth())
    added = adjust(pl.concat([found.lines, found.discounts]), composite_limits(spend, frames), frames)
    return pl.concat([lines, added]), pl.concat([held, unrated(spend)])


def january(**rate: Any) -> Book:
    """One product without keys, one contract for January 2026, one rate for all of it."""
    return Book().product().contract().rate(**rate)
