"""An independent reading of docs/semantics.md: event by event, contract by contract, exact fractions, no engine.

`bill(catalog, batches, now)` gives every USAGE invoice of every contract at `now`. Scope: usage billing without
commits, credits, subscriptions, composites, discounts, scheduled charges, SQL and time-weighted metrics.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .exact import MINOR_DIGITS, exact, half_away, plain
from .ingest import Batch, Event, Ingested, duration, ingest, instant
from .metering import Reading, matches, reading
from .rating import Line, keyed, rate_product
from .terms import Obj, Period, card_of, covers, filtered_in, periods, product_ids, segments

# Where one (event, metric) meets several products or contracts, the first of these outcomes is its one disposition.
BEST_FIRST = ("billed", "unrated", "not_entitled", "excluded_by_usage_filter", "no_product", "no_contract")
Disposition = tuple[str | None, str, date]


@dataclass(frozen=True)
class Invoice:
    """One USAGE invoice at `now`; `status` FINALIZED or DRAFT, a held one is a DRAFT that is `due`."""

    contract_id: str
    customer_id: str
    invoice_type: str
    status: str
    due: bool
    hold_reasons: tuple[str, ...]
    currency: str
    period_start: datetime
    period_end: datetime
    close_month: str
    invoice_date: date
    issued_at: datetime | None
    due_at: datetime | None
    subtotal: Decimal
    rounding: Decimal
    total: Decimal
    lines: tuple[Line, ...]


@dataclass
class Result:
    """Invoices by (contract_id, period_start); counts per (metric, disposition, day) with `billed`; ingest counts."""

    invoices: dict[tuple[str, datetime], Invoice] = field(default_factory=dict)
    dispositions: Counter[Disposition] = field(default_factory=Counter)
    ingested: Ingested = field(default_factory=Ingested)

    @property
    def unbilled(self) -> dict[Disposition, int]:
        """What `unbilled_usage` lists: every disposition but billed; section 1 of docs/semantics.md."""
        return {key: count for key, count in self.dispositions.items() if key[1] != "billed"}

    @property
    def finalized(self) -> list[Invoice]:
        """The finalized invoices; case 38."""
        return [one for one in self.invoices.values() if one.status == "FINALIZED"]

    @property
    def held(self) -> list[Invoice]:
        """The invoices that are due and held; section 6 of docs/semantics.md."""
        return [one for one in self.invoices.values() if one.due and one.hold_reasons]


def close_month(period_end: datetime) -> str:
    """The month M with period_end in (start of M, start of M+1]; case 69."""
    return (period_end - timedelta(microseconds=1)).strftime("%Y-%m")


def readings_of(catalog: Obj, events: Iterable[Event]) -> dict[str, list[Reading]]:
    """Every (event, metric that it matches) per customer reference as sent; without a metric: under ""; section 1."""
    found: dict[str, list[Reading]] = defaultdict(list)
    for event in events:
        metrics = [metric for metric in catalog.get("billable_metrics") or [] if matches(metric, event)]
        found[event.customer_ref] += [reading(metric, event) for metric in metrics]
        if not metrics:
            found[""].append(Reading(event, "", None, None))
    return found


class Book:
    """One customer: its contracts, products and readings."""

    def __init__(self, catalog: Obj, customer: Obj, readings: Sequence[Reading]):
        self.catalog, self.customer, self.readings = catalog, customer, readings
        self.metrics = {metric["id"]: metric for metric in catalog.get("billable_metrics") or []}
        self.contracts = [one for one in catalog.get("contracts") or [] if one["customer_id"] == customer["id"]]
        self.cards = {one["id"]: card_of(catalog, one) for one in self.contracts}
        self.products = {one["id"]: self.belonging(one) for one in self.contracts}

    def belonging(self, contract: Obj) -> list[Obj]:
        """The usage products that belong to a contract; case 30."""
        ids = product_ids(contract, self.cards[contract["id"]])
        return [one for one in self.catalog.get("products") or [] if one["type"] == "USAGE" and one["id"] in ids]

    def usage(self, contract: Obj, period: Period) -> list[Reading]:
        """The customer's readings inside a period of a contract and inside its usage filter; section 5, case 0.24."""
        return [
            one
            for one in self.readings
            if period.start <= one.event.at < period.end and filtered_in(contract, one.event.properties, one.event.at)
        ]

    def outcome(self, contract: Obj, product: Obj, period: Period, one: Reading) -> str:
        """What a product does with a reading in its hour: not_entitled, unrated or billed; cases 14 and 30."""
        properties = one.event.properties
        pricing = keyed(product.get("pricing_group_key") or [], properties)
        presentation = keyed(product.get("presentation_group_key") or [], properties)
        parts = segments(contract, self.cards[contract["id"]], product, pricing, presentation, period)
        part = next(part for part in parts if part.start <= one.event.at < part.end)
        return "not_entitled" if not part.entitled else "unrated" if part.price is None else "billed"

    def disposition(self, one: Reading, now: datetime) -> str:
        """The one disposition of an (event, metric) of a known customer; section 1 of docs/semantics.md."""
        if one.exception is not None:
            return "metric_exception"
        outcomes = {"no_contract"}
        for contract in self.contracts:
            if not covers(contract, one.event.at):
                continue
            outcomes.add("no_product")
            period = next(found for found in periods(contract, now) if found.start <= one.event.at < found.end)
            for product in self.products[contract["id"]]:
                if product["billable_metric_id"] != one.metric_id:
                    continue
                if not filtered_in(contract, one.event.properties, one.event.at):
                    outcomes.add("excluded_by_usage_filter")
                else:
                    outcomes.add(self.outcome(contract, product, period, one))
        return min(outcomes, key=BEST_FIRST.index)

    def invoice(self, contract: Obj, period: Period, now: datetime) -> Invoice | None:
        """One period's invoice, or None where a zero invoice is skipped; cases 38, 41, 55, 76."""
        usage, products = self.usage(contract, period), self.products[contract["id"]]
        lines: list[Line] = []
        unrated: list[str] = []
        for product in products:
            mine = [one for one in usage if one.metric_id == product["billable_metric_id"] and one.exception is None]
            metric = self.metrics[product["billable_metric_id"]]
            rated = rate_product(contract, self.cards[contract["id"]], product, metric, period, mine)
            lines += rated.lines
            unrated += rated.unrated
        metric_ids = {product["billable_metric_id"] for product in products}
        failed = {one.event.transaction_id for one in usage if one.exception and one.metric_id in metric_ids}
        return settled(self.catalog, self.cards[contract["id"]], contract, period, lines, unrated, len(failed), now)


def rounding_line(amount: Fraction, period: Period) -> list[Line]:
    """The line that carries what rounding the total changed; section 6 of docs/semantics.md."""
    if amount == 0:
        return []
    value = plain(amount)
    start, end = period.start, period.end
    return [Line("rounding", None, "Rounding", None, None, None, False, Decimal(1), value, value, start, end)]


def hold_reasons(
    settings: Obj, contract: Obj, total: Fraction, unrated: Sequence[str], exceptions: int
) -> tuple[str, ...]:
    """Why an invoice must not be finalized; section 6 of docs/semantics.md, cases 0.11, 0.13, 30."""
    tolerance, limit = contract.get("metric_exception_tolerance"), settings.get("hold_total_over")
    reasons = {
        "UNRATED_USAGE": bool(unrated),
        "METRIC_EXCEPTIONS": tolerance is not None and exceptions > int(tolerance),
        "NEGATIVE_TOTAL": bool(settings.get("hold_negative_total")) and total < 0,
        "TOTAL_OVER_LIMIT": limit not in (None, "none") and total > exact(limit),
    }
    return tuple(sorted(reason for reason, holds in reasons.items() if holds))


def settled(
    catalog: Obj,
    card: Obj,
    contract: Obj,
    period: Period,
    lines: list[Line],
    unrated: list[str],
    exceptions: int,
    now: datetime,
) -> Invoice | None:
    """Rounding, holds, dates and status of an invoice; cases 0.25, 38, 41, 55, 69, 76."""
    settings = catalog.get("settings") or {}
    subtotal = sum((Fraction(line.amount) for line in lines), Fraction(0))
    total = half_away(subtotal, MINOR_DIGITS.get(card["currency"], 2))
    reasons = hold_reasons(settings, contract, total, unrated, exceptions)
    if contract.get("skip_zero_invoices") and total == 0 and not reasons:
        return None
    grace = duration(settings.get("grace_period") or "24h") or timedelta(0)
    issued = period.end + grace
    final = now >= issued and not reasons
    terms = timedelta(days=int(contract.get("net_payment_terms_days") or 0))
    return Invoice(
        contract["id"], contract["customer_id"], "USAGE", "FINALIZED" if final else "DRAFT", now >= issued, reasons,
        card["currency"], period.start, period.end, close_month(period.end), period.end.date(),
        issued if final else None, issued + terms if final else None,
        plain(subtotal), plain(total - subtotal), plain(total), tuple(lines + rounding_line(total - subtotal, period)),
    )  # fmt: skip


def bill(catalog: Mapping[str, Any], batches: Sequence[Batch], now: datetime) -> Result:
    """Everything of `catalog` and `batches` at `now`; usage counts up to and including `now`; case 38."""
    settings = catalog.get("settings") or {}
    result = Result(ingested=ingest(batches, duration(settings.get("backdating_window", "34d"))))
    usage = readings_of(catalog, [event for event in result.ingested.events if event.at <= now])
    for one in usage.pop("", []):
        result.dispositions[(None, "no_metric", one.event.at.date())] += 1
    for customer in catalog.get("customers") or []:
        refs = [customer["id"], *(customer.get("ingest_aliases") or [])]
        book = Book(catalog, customer, [one for ref in dict.fromkeys(refs) for one in usage.pop(ref, [])])
        for one in book.readings:
            result.dispositions[(one.metric_id, book.disposition(one, now), one.event.at.date())] += 1
        for contract in book.contracts:
            for period in periods(contract, now):
                invoice = book.invoice(contract, period, now)
                if invoice is not None:
                    result.invoices[(invoice.contract_id, invoice.period_start)] = invoice
    for readings in usage.values():
        for one in readings:
            result.dispositions[(one.metric_id, "unattributed", one.event.at.date())] += 1
    return result


__all__ = ["Batch", "Invoice", "Line", "Result", "bill", "instant"]
