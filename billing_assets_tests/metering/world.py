"""A small world for tests of metering: events as rows, metrics as they are written, a catalog's frames, periods."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from billing_assets import metering
from billing_assets.catalog.frames import (
    CONTRACTS,
    CUSTOMER_ALIASES,
    CUSTOMERS,
    PRODUCT_VERSIONS,
    PRODUCTS,
    USAGE_FILTERS,
    CatalogFrames,
    product_version_rows,
)
from billing_assets.catalog.metrics import BillableMetric
from billing_assets.catalog.products import Product
from billing_assets.catalog.tables import table
from billing_assets.catalog.versions import ProductVersion, versions
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.metering.grain import GROUP
from billing_assets.numerals import number

METRICS: TypeAdapter[tuple[BillableMetric, ...]] = TypeAdapter(tuple[BillableMetric, ...])
PRODUCT_LIST: TypeAdapter[tuple[Product, ...]] = TypeAdapter(tuple[Product, ...])
START = datetime(2026, 1, 1, tzinfo=UTC)
MUCH_LATER = START + timedelta(days=59)
PLACES = Decimal("1e-12")

EVENT = {
    "event_date": pl.Date(), "transaction_id": pl.String(), "customer_ref": pl.String(), "event_type": pl.String(),
    "timestamp": TIMESTAMP, "properties": pl.String(), "ingest_batch": pl.Int64(),
}  # fmt: skip
PERIOD = {
    "contract_id": pl.String(), "customer_id": pl.String(), "period_start": TIMESTAMP, "period_end": TIMESTAMP,
    "close_month": pl.String(), "is_billed": pl.Boolean(), "events_through": pl.Int64(),
}  # fmt: skip
DATED = {"starting_at": TIMESTAMP, "ending_before": TIMESTAMP}


def hour(count: float) -> datetime:
    """`count` hours into January 2026."""
    return START + timedelta(hours=count)


def day(number: int, hours: float = 0) -> datetime:
    """A day of January 2026; day 32 is the first of February."""
    return START + timedelta(days=number - 1, hours=hours)


@dataclass(frozen=True)
class Sent:
    """An event as stored; properties are canonical text already."""

    at: datetime
    ref: str = "a"
    properties: Mapping[str, str] = field(default_factory=dict)
    event_type: str = "e"
    transaction_id: str = ""
    batch: int = 1


def sent(at: datetime, ref: str = "a", *, kind: str = "e", tx: str = "", batch: int = 1, **properties: str) -> Sent:
    return Sent(at, ref, properties, kind, tx, batch)


def canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def events(rows: Sequence[Sent], promoted: Iterable[str] = ()) -> pl.LazyFrame:
    """The rows as the table `events`, transaction ids numbered where none is given, with the `promoted` columns."""
    data = [
        (one.at.date(), one.transaction_id or f"t{index:04}", one.ref, one.event_type, one.at,
         canonical(one.properties), one.batch)
        for index, one in enumerate(rows)
    ]  # fmt: skip
    frame = pl.LazyFrame(data, schema=EVENT, orient="row")
    for column in promoted:
        kind, name = column.split("_", 1)
        text = pl.Series([one.properties.get(name) for one in rows], dtype=pl.String)
        frame = frame.with_columns((number(pl.lit(text)) if kind == "number" else pl.lit(text)).alias(column))
    return frame


def metrics(*written: dict[str, Any]) -> tuple[BillableMetric, ...]:
    """Metrics as the catalog has them; ids m0, m1, ... where none is given."""
    return METRICS.validate_python([{"id": f"m{index}", **one} for index, one in enumerate(written)])


def metric(aggregation: str = "COUNT", key: str | None = None, **terms: Any) -> dict[str, Any]:
    return {"aggregation_type": aggregation, **({"aggregation_key": key} if key else {}), **terms}


def states_of(
    rows: Sequence[Sent], found: Sequence[BillableMetric], promoted: frozenset[str] = frozenset()
) -> pl.DataFrame:
    measures = metering.compile_measures(found)
    return metering.hourly_states(events(rows, promoted), measures, promoted).collect()


def hold(frame: pl.LazyFrame) -> pl.LazyFrame:
    """What the pipeline's caller does: compute once, read many times."""
    return frame.collect().lazy()


@dataclass
class World:
    """Customers, contracts and products around some metrics. Each contract sells the products of `sells`."""

    metrics: tuple[BillableMetric, ...]
    aliases: dict[str, str] = field(default_factory=lambda: {"a": "A", "b": "B"})
    products: list[dict[str, Any]] = field(default_factory=list)
    contracts: list[dict[str, Any]] = field(default_factory=list)
    filters: list[dict[str, Any]] = field(default_factory=list)
    periods: list[dict[str, Any]] = field(default_factory=list)
    sells: set[tuple[str, str]] = field(default_factory=set)
    extra_bounds: list[datetime] = field(default_factory=list)

    def product(self, product: str, of: str, pricing: Sequence[str] = (), presentation: Sequence[str] = ()) -> World:
        self.products.append(
            {"id": product, "name": product, "type": "USAGE", "billable_metric_id": of,
             "pricing_group_key": list(pricing), "presentation_group_key": list(presentation)}
        )  # fmt: skip
        return self

    def update(self, product: str, at: datetime, **changes: Any) -> World:
        """A product as it is from `at` on; the changes are those of the catalog."""
        found = next(one for one in self.products if one["id"] == product)
        found.setdefault("updates", []).append({"starting_at": at, **changes})
        return self

    def versions(self, product: str) -> tuple[ProductVersion, ...]:
        return versions(PRODUCT_LIST.validate_python([one for one in self.products if one["id"] == product])[0])

    def version(self, product: str, at: datetime) -> ProductVersion:
        """The version of a product at an instant."""
        return [one for one in self.versions(product) if one.starting_at is None or one.starting_at <= at][-1]

    def bounds(self, product: str, start: datetime, end: datetime) -> list[datetime]:
        """Where the segments of a product begin and end, in a period."""
        cuts = [*self.extra_bounds, *(one.starting_at for one in self.versions(product) if one.starting_at)]
        return sorted({start, end, *(at for at in cuts if start < at < end)})

    def terms(self) -> metering.Terms:
        return metering.Terms(self.metrics, PRODUCT_LIST.validate_python(self.products), bool(self.filters))

    def contract(
        self, contract: str, customer: str, starts: datetime = START, ends: datetime | None = None,
        cuts: Sequence[datetime] = (), sells: Iterable[str] | None = None,
    ) -> World:  # fmt: skip
        """A contract whose periods are cut at `cuts`; open ones end after a month."""
        self.contracts.append(
            {"contract_id": contract, "contract_position": len(self.contracts), "customer_id": customer,
             "starting_at": starts, "ending_before": ends}
        )  # fmt: skip
        bounds = [starts, *cuts, ends or starts + timedelta(days=31)]
        for low, high in itertools.pairwise(bounds):
            self.periods.append(
                {"contract_id": contract, "customer_id": customer, "period_start": low, "period_end": high,
                 "close_month": "2026-01", "is_billed": True, "events_through": None}
            )  # fmt: skip
        names = [one["id"] for one in self.products] if sells is None else sells
        self.sells |= {(contract, name) for name in names}
        return self

    def usage_filter(self, contract: str, key: str, values: Sequence[str], starts: datetime = START,
                     ends: datetime | None = None) -> World:  # fmt: skip
        self.filters.append(
            {"contract_id": contract, "group_key": key, "group_values": list(values), "starting_at": starts,
             "ending_before": ends}
        )  # fmt: skip
        return self

    def frames(self) -> CatalogFrames:
        customers = sorted(set(self.aliases.values()))
        products = [
            {"product_id": one["id"], "name": one["id"], "product_type": "USAGE",
             "billable_metric_id": one["billable_metric_id"], "pricing_keys": sorted(one["pricing_group_key"]),
             "presentation_keys": sorted(one["presentation_group_key"])}
            for one in self.products
        ]  # fmt: skip
        dated = [{"starting_at": at, "ending_before": None} for at in self.extra_bounds]
        empty = pl.LazyFrame()
        return CatalogFrames(
            customers=frame([{"customer_id": one, "name": one} for one in customers], CUSTOMERS),
            customer_aliases=frame(
                [{"customer_ref": ref, "customer_id": one} for ref, one in self.aliases.items()], CUSTOMER_ALIASES
            ),
            products=frame(products, PRODUCTS),
            product_versions=table(PRODUCT_VERSIONS, product_version_rows(PRODUCT_LIST.validate_python(self.products))),
            contracts=frame(self.contracts, CONTRACTS),
            contract_products=frame(
                [{"contract_id": one, "product_id": name} for one, name in sorted(self.sells)],
                {"contract_id": pl.String(), "product_id": pl.String()},
            ),
            usage_filters=frame(self.filters, USAGE_FILTERS),
            rates=frame(dated, DATED),
            prices=empty,
            price_tiers=empty,
            overrides=frame([], DATED),
            override_tiers=empty,
            override_targets=empty,
        )

    def attribute(
        self, rows: Sequence[Sent], now: datetime = MUCH_LATER, past: Sequence[Sent] = ()
    ) -> metering.Attribution:
        """Events all the way to candidates, usage and values; those of `past` are before the first day that is read."""
        measures, stored = metering.compile_measures(self.metrics), events(rows)
        found = metering.attribute(
            metering.hourly_states(stored, measures, frozenset()),
            metering.distinct_values(stored, measures, frozenset()),
            metering.history(metering.hourly_states(events(past), measures, frozenset())),
            self.terms(), self.frames(), frame(self.periods, PERIOD), now, hold,
        )  # fmt: skip
        return replace(found, events=stored)

    def segments(self, attributed: metering.Attribution, status: Mapping[Any, str] | None = None) -> pl.LazyFrame:
        """The groups cut at `extra_bounds`; status by (product, segment start), by product, or rated."""
        groups = metering.usage_groups(attributed).collect()
        ends = {(one["contract_id"], one["period_start"]): one["period_end"] for one in self.periods}
        rows = []
        for group in groups.iter_rows(named=True):
            start, end = group["period_start"], ends[group["contract_id"], group["period_start"]]
            for low, high in itertools.pairwise(self.bounds(group["product_id"], start, end)):
                found = (status or {}).get((group["product_id"], low), (status or {}).get(group["product_id"], "rated"))
                version = self.version(group["product_id"], low)
                is_own = all(
                    set(json.loads(group[f"{kind}_group_values"])) == set(getattr(version.product, f"{kind}_group_key"))
                    for kind in ("pricing", "presentation")
                )
                rows.append({**group, "segment_start": low, "segment_end": high, "period_end": end,
                             "segment_status": found if is_own else "superseded",
                             "product_version": version.number if is_own else None,
                             "unrated_reason": "no_rate" if found == "unrated" else None})  # fmt: skip
        times = dict.fromkeys(("segment_start", "segment_end", "period_end"), TIMESTAMP)
        texts = {"segment_status": pl.String(), "unrated_reason": pl.String()}
        group_types = {name: TIMESTAMP if name == "period_start" else pl.String() for name in GROUP}
        return frame(rows, {**group_types, **times, **texts, "product_version": pl.Int64()})

    def cumulatives(self, rows: Sequence[Sent], now: datetime = MUCH_LATER, past: Sequence[Sent] = ()) -> pl.DataFrame:
        attributed = self.attribute(rows, now, past)
        return self.cumulated(attributed, self.segments(attributed)).collect().sort(*GROUP, "segment_start")

    def cumulated(self, attributed: metering.Attribution, segments: pl.LazyFrame) -> pl.LazyFrame:
        versioned = self.frames().product_versions
        return metering.cumulatives(attributed, segments, self.terms(), versioned)

    def unbilled(
        self, rows: Sequence[Sent], status: Mapping[Any, str] | None = None, now: datetime = MUCH_LATER,
        month: str | None = None,
    ) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
        """The table `unbilled_usage` and the equation."""
        attributed = self.attribute(rows, now)
        segments = self.segments(attributed, status)
        outcome = hold(metering.disposed(attributed.candidates, attributed.usage, segments))
        stored = events(rows)
        states = metering.hourly_states(stored, metering.compile_measures(self.metrics), frozenset())
        listed = metering.with_samples(metering.listed(outcome, month), stored, self.metrics, now).collect()
        return listed, metering.equation(outcome, states, self.metrics, now).collect()


def frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.LazyFrame:
    """Rows as a frame of `schema`; what a row does not say is null."""
    return pl.LazyFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def simple(aggregation: str, key: str | None = "v", **terms: Any) -> World:
    """One metric, one product of it, one contract for customer A from January on."""
    found = metrics(metric(aggregation, None if aggregation == "COUNT" else key, **terms))
    return World(found).product("p", "m0").contract("c", "A")


def exact(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(PLACES)


__all__ = [
    "DECIMAL", "PERIOD", "START", "Sent", "World", "canonical", "day", "events", "exact", "frame", "hold", "hour",
    "metric", "metrics", "sent", "simple", "states_of",
]  # fmt: skip
