"""A small book of charges: frames with the columns that the catalog resolves to, made term by term."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.commitments.access import BALANCE
from billing_assets.invoicing.consolidation import on_invoices
from billing_assets.invoicing.headers import invoices_of_periods, usage_invoices
from billing_assets.invoicing.placement import Placed, place
from billing_assets.periods import billing_periods

TEXT, COUNT, YES = pl.String(), pl.Int64(), pl.Boolean()
OF_A_SEGMENT = ("balance_id", "segment_id", "amount", "starting_at", "ending_before")
MONTHS = {"WEEKLY": 0, "MONTHLY": 1, "QUARTERLY": 3, "SEMI_ANNUAL": 6, "ANNUAL": 12}

SCHEMAS: dict[str, dict[str, Any]] = {
    "customers": {"customer_id": TEXT, "bill_to": TEXT},
    "product_versions": {
        "product_id": TEXT, "product_type": TEXT, "tags": TEXT, "starting_at": TIMESTAMP, "ending_before": TIMESTAMP,
    },
    "contracts": {
        "contract_id": TEXT, "contract_position": COUNT, "customer_id": TEXT, "rate_card_id": TEXT, "currency": TEXT,
        "minor_digits": COUNT, "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "frequency_months": COUNT,
        "frequency_weeks": COUNT, "anchor_at": TIMESTAMP, "net_payment_terms_days": COUNT, "skip_zero_invoices": YES,
        "metric_exception_tolerance": COUNT, "late_usage": TEXT, "multiplier_override_prioritization": TEXT,
        "billing_provider": TEXT, "bills_charges_on_usage_invoices": YES, "payer_contract_id": TEXT, "pool": TEXT,
    },
    "scheduled_charges": {
        "charge_id": TEXT, "contract_id": TEXT, "product_id": TEXT, "name": TEXT, "charged_at": TIMESTAMP,
        "amount": DECIMAL, "quantity": DECIMAL, "unit_price": DECIMAL,
    },
    "recurring_charges": {
        "charge_id": TEXT, "contract_id": TEXT, "product_id": TEXT, "name": TEXT, "starting_at": TIMESTAMP,
        "ending_before": TIMESTAMP, "frequency_months": COUNT, "frequency_weeks": COUNT, "distribution": TEXT,
        "amount": DECIMAL, "quantity": DECIMAL, "unit_price": DECIMAL, "minor_digits": COUNT,
    },
    "thresholds": {"commit_id": TEXT},
    "commit_charges": {
        "balance_id": TEXT, "commit_id": TEXT, "contract_id": TEXT, "charged_at": TIMESTAMP, "amount": DECIMAL,
        "quantity": DECIMAL, "unit_price": DECIMAL, "list_amount": DECIMAL, "list_unit_price": DECIMAL,
        "product_id": TEXT, "name": TEXT, "position": COUNT,
    },
    "subscriptions": {
        "subscription_id": TEXT, "contract_id": TEXT, "product_id": TEXT, "name": TEXT, "frequency_months": COUNT,
        "frequency_weeks": COUNT, "collection": TEXT, "is_prorated": YES, "bill_immediately": YES,
        "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "position": COUNT,
    },
    "subscription_quantities": {"subscription_id": TEXT, "starting_at": TIMESTAMP, "quantity": DECIMAL},
    "subscription_seats": {
        "subscription_id": TEXT, "seat_id": TEXT, "starting_at": TIMESTAMP, "ending_before": TIMESTAMP,
    },
    "recurring_balances": {
        **{name: dtype for name, dtype in BALANCE.items() if name not in OF_A_SEGMENT},
        "recurring_id": TEXT, "unit_amount": DECIMAL, "access_quantity": DECIMAL, "invoice_unit_amount": DECIMAL,
        "invoice_quantity": DECIMAL, "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "frequency_months": COUNT,
        "frequency_weeks": COUNT, "duration_periods": COUNT, "prorate_first": YES, "prorate_last": YES,
        "subscription_id": TEXT, "allocation": TEXT, "is_prorated": YES,
    },
    "charge_rates": {
        "rate_id": TEXT, "rate_card_id": TEXT, "product_id": TEXT, "pricing_group_values": TEXT,
        "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "entitled": YES, "price_id": TEXT,
        "commit_price_id": TEXT, "pricing_unit": TEXT, "frequency_months": COUNT, "frequency_weeks": COUNT,
    },
    "prices": {"price_id": TEXT, "rate_type": TEXT, "price": DECIMAL},
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
}  # fmt: skip


def at(text: str) -> datetime:
    """`2026-01-17` or `2026-01-17T07:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def exact(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def steps(frequency: str | None) -> dict[str, int | None]:
    if frequency is None:
        return {"frequency_months": None, "frequency_weeks": None}
    return {"frequency_months": MONTHS[frequency], "frequency_weeks": int(frequency == "WEEKLY")}


def plain(value: Any) -> Any:
    """A number without its trailing zeros, an instant as people write it."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H}" if value.hour else f"{value:%Y-%m-%d}"
    return value


@dataclass
class Book:
    """Terms added one by one. Default: contract "c" from 2026-01-01, monthly on the first; product "fee" is FIXED."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in SCHEMAS})

    def __post_init__(self) -> None:
        for product, kind in (("fee", "FIXED"), ("seats", "SUBSCRIPTION"), ("api", "USAGE")):
            self.add("product_versions", product_id=product, product_type=kind, tags="[]")

    def add(self, table: str, **row: Any) -> Book:
        decimals = {name for name, dtype in SCHEMAS[table].items() if dtype == DECIMAL}
        read = {name: exact(value) if name in decimals else value for name, value in row.items()}
        self.rows[table].append({name: read.pop(name, None) for name in SCHEMAS[table]})
        assert not read, f"{table} has no {sorted(read)}"
        return self

    def contract(self, contract: str = "c", start: str = "2026-01-01", end: str | None = None, *,
                 frequency: str = "MONTHLY", anchor: str | None = None, **terms: Any) -> Book:  # fmt: skip
        starts = at(start)
        self.add("customers", customer_id=f"of {contract}", bill_to="{}")
        defaults: dict[str, Any] = {
            "contract_position": len(self.rows["contracts"]), "customer_id": f"of {contract}", "rate_card_id": "card",
            "currency": "USD", "minor_digits": 2, "net_payment_terms_days": 30, "skip_zero_invoices": False,
            "multiplier_override_prioritization": "LOWEST_MULTIPLIER", "bills_charges_on_usage_invoices": False,
            "payer_contract_id": contract, "pool": contract,
            "anchor_at": at(anchor) if anchor else starts.replace(day=1, hour=0),
        }  # fmt: skip
        return self.add(
            "contracts", contract_id=contract, starting_at=starts, ending_before=at(end) if end else None,
            **steps(frequency), **(defaults | terms),
        )  # fmt: skip

    def scheduled(self, when: str, amount: Any, charge: str = "s", **terms: Any) -> Book:
        return self.add(
            "scheduled_charges", charge_id=charge, product_id="fee", name="Fee", charged_at=at(when), amount=amount,
            quantity=1, unit_price=amount, **({"contract_id": "c"} | terms),
        )  # fmt: skip

    def recurring(self, start: str, amount: Any, end: str | None = None, *, frequency: str = "MONTHLY",
                  distribution: str = "EACH", charge: str = "r", **terms: Any) -> Book:  # fmt: skip
        return self.add(
            "recurring_charges", charge_id=charge, product_id="fee", name="Fee", starting_at=at(start),
            ending_before=at(end) if end else None, distribution=distribution, amount=amount, quantity=1,
            unit_price=amount, **steps(frequency), **({"contract_id": "c", "minor_digits": 2} | terms),
        )  # fmt: skip

    def subscription(self, quantity: Any = 10, *, changes: Iterable[tuple[str, Any]] = (), frequency: str = "MONTHLY",
                     start: str | None = None, end: str | None = None, contract: str = "c",
                     subscription: str = "sub", **terms: Any) -> Book:  # fmt: skip
        """`changes` are quantities in force from an instant on. Prorated, in advance, increases at once by default."""
        mine = next(row for row in self.rows["contracts"] if row["contract_id"] == contract)
        starts = at(start) if start else mine["starting_at"]
        defaults = {"collection": "ADVANCE", "is_prorated": True, "bill_immediately": True, "name": "Seats"}
        self.add(
            "subscriptions", subscription_id=subscription, contract_id=contract, product_id="seats",
            starting_at=starts, ending_before=at(end) if end else None, position=0, **steps(frequency),
            **(defaults | terms),
        )  # fmt: skip
        for when, count in ((starts, quantity), *((at(when), count) for when, count in changes)):
            self.add("subscription_quantities", subscription_id=subscription, starting_at=when, quantity=count)
        return self

    def seat(self, seat: str, start: str = "2026-01-01", end: str | None = None, subscription: str = "sub") -> Book:
        return self.add(
            "subscription_seats", subscription_id=subscription, seat_id=seat, starting_at=at(start),
            ending_before=at(end) if end else None,
        )  # fmt: skip

    def credit(self, unit_amount: Any = 30, start: str = "2026-01-01", end: str | None = None, *,
               proration: str = "FIRST_AND_LAST", frequency: str | None = None, duration: int = 1, quantity: Any = 1,
               invoice: Any = None, credit: str = "rc", **terms: Any) -> Book:  # fmt: skip
        """A recurring credit; with an `invoice` amount a commit."""
        defaults: dict[str, Any] = {
            "balance_type": "PREPAID" if invoice else "CREDIT", "access_type": "SPEND", "price_lane": "LIST",
            "unit": "USD", "pool": "c", "customer_id": "of c", "contract_id": "c", "invoice_contract_id": "c",
            "product_id": "fee", "name": "Recurring", "priority": 100, "cost": invoice or 0, "is_rollover": False,
            "selector": 0, "value_specifier_count": 0, "contract_count": 1, "balance_position": 0,
        }  # fmt: skip
        return self.add(
            "recurring_balances", commit_id=credit, recurring_id=credit, unit_amount=unit_amount,
            access_quantity=quantity, invoice_unit_amount=invoice, invoice_quantity=1 if invoice else None,
            starting_at=at(start), ending_before=at(end) if end else None, duration_periods=duration,
            prorate_first="FIRST" in proration, prorate_last="LAST" in proration, **steps(frequency),
            **(defaults | terms),
        )  # fmt: skip

    def rate(self, price: Any = 20, start: str = "2020-01-01", end: str | None = None, *, frequency: str = "MONTHLY",
             entitled: bool = True, **terms: Any) -> Book:  # fmt: skip
        rate_id = f"card/seats/{frequency}/{start}"
        self.add("prices", price_id=rate_id, rate_type="FLAT", price=price)
        return self.add(
            "charge_rates", rate_id=rate_id, rate_card_id="card", product_id="seats", pricing_group_values="{}",
            starting_at=at(start), ending_before=at(end) if end else None, entitled=entitled, price_id=rate_id,
            **steps(frequency), **terms,
        )  # fmt: skip

    def override(self, kind: str | None, multiplier: Any = None, *, price: Any = None, start: str = "2020-01-01",
                 end: str | None = None, frequency: str | None = None, ranges: Iterable[tuple[Any, Any, Any]] = (),
                 target: dict[str, Any] | None = None, **terms: Any) -> Book:  # fmt: skip
        """`ranges` are (lower, upper, multiplier) of a TIERED override."""
        position = len(self.rows["overrides"])
        name = f"c/overrides/{position}"
        if price is not None:
            self.add("prices", price_id=name, rate_type="FLAT", price=price)
        defaults = {"lane": "LIST", "is_commit_specific": False}
        self.add(
            "overrides", override_id=name, contract_id="c", override_position=position, starting_at=at(start),
            ending_before=at(end) if end else None, override_type=kind, multiplier=multiplier,
            price_id=name if price is not None else None, **(defaults | terms),
        )  # fmt: skip
        for level, (lower, upper, factor) in enumerate(ranges, start=1):
            self.add("override_tiers", override_id=name, range_level=level, range_lower=lower, range_upper=upper,
                     multiplier=factor)  # fmt: skip
        everywhere = {
            "product_id": "seats", "pricing_group_values": "{}", "presentation_group_values": "{}",
            "billing_frequency": frequency,
        }  # fmt: skip
        reached = everywhere | (target or {})
        return self.add("override_targets", override_id=name, contract_id="c", specifier=0, **reached)

    def frames(self) -> Any:
        return SimpleNamespace(
            **{name: pl.LazyFrame(self.rows[name], schema=schema) for name, schema in SCHEMAS.items()}
        )

    def spans(self, since: str, horizon: str) -> pl.LazyFrame:
        """Every contract's charges of since to horizon, both included."""
        names = [row["contract_id"] for row in self.rows["contracts"]]
        rows = {"contract_id": names, "since": [at(since)] * len(names), "horizon": [at(horizon)] * len(names)}
        return pl.LazyFrame(rows, schema={"contract_id": TEXT, "since": TIMESTAMP, "horizon": TIMESTAMP})

    def periods(self, since: str, until: str) -> pl.LazyFrame:
        """Every billing period that ends in (since, until], and the invoice that it is on."""
        periods = billing_periods(self.frames().contracts, at("2020-01-01"), at(until) + timedelta(days=800))
        ends = pl.col("period_end")
        found = on_invoices(periods.filter(ends > at(since), ends <= at(until)))
        return found.with_columns(regeneration=pl.lit(0, dtype=pl.Int64))

    def headers(self, since: str, until: str) -> pl.LazyFrame:
        """The usage invoices of `periods`."""
        return usage_invoices(self.periods(since, until), self.frames().customers, timedelta(hours=24))

    def usage(self, since: str, until: str) -> pl.LazyFrame:
        """The open periods with their invoices: all that end in (since, until]."""
        return invoices_of_periods(self.periods(since, until), self.headers(since, until))

    def placed(self, charges: pl.LazyFrame, usage: pl.LazyFrame | None = None, taken: Any = ()) -> Placed:
        frames = self.frames()
        schema = {"contract_id": TEXT, "charged_at": TIMESTAMP, "regeneration": COUNT}
        usage = usage if usage is not None else self.usage("2020-01-01", "2027-01-01")
        exists = pl.LazyFrame([*taken], schema=schema, orient="row")
        return place(charges, usage, exists, frames.contracts, frames.customers)


def read(lines: pl.LazyFrame, *columns: str, by: Iterable[str] | None = None) -> list[tuple[Any, ...]]:
    """Rows in order, numbers as text without trailing zeros."""
    order = list(by or columns)
    return [tuple(plain(value) for value in row) for row in lines.sort(order).select(columns).collect().rows()]
