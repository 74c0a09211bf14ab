"""Six months of a company that is never left alone: usage comes late, invoices are voided and issued again, prices and
references are edited after the close, and some of it is carried.

In the end every customer has been billed what one undisturbed computation over all events by the last catalog gives,
but for what `invoice_variances` lists. `python -m billing_assets_tests.properties.histories COUNT` runs many.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets.errors import UsageError
from billing_assets.runs import carry, checks, reissue
from billing_assets.runs.lifecycle import Decision
from billing_assets_tests.pipeline.closing import Books, Obj

MONTHS = 6
CUSTOMERS = ("a", "b", "c", "d")
POLICIES = ("CARRY_FORWARD", "CARRY_FORWARD", "CORRECTION", "REPORT_ONLY")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def month_start(number: int) -> datetime:
    return FIRST.replace(year=2024 + number // 12, month=number % 12 + 1)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Terms:
    """What is edited: prices, who has the wandering reference, and an override."""

    flat: int = 2
    tier: int = 3
    owner: str = "a"
    override: int | None = None

    def catalog(self) -> Obj:
        since = "2024-01-01"
        rates = [
            {"product_id": "flat", "starting_at": since, "rate_type": "FLAT", "price": str(self.flat)},
            {
                "product_id": "tiered", "starting_at": since, "rate_type": "TIERED",
                "tiers": [{"size": "20", "price": str(self.tier)}, {"price": "1", "flat_fee": "5"}],
            },
            {
                "product_id": "peak", "starting_at": since, "rate_type": "VOLUME",
                "tiers": [{"size": "6", "price": "4"}, {"price": "2"}],
            },
        ]  # fmt: skip
        contracts: list[dict[str, Any]] = [
            {"id": name, "customer_id": name, "rate_card_id": "card", "starting_at": since, "late_usage": policy}
            for name, policy in zip(CUSTOMERS, POLICIES, strict=True)
        ]
        contracts[1] |= {"usage_statement_schedule": {"frequency": "QUARTERLY"}}
        contracts[0] |= {
            "discounts": [{"id": "off", "name": "off", "type": "PERCENTAGE", "value": "0.1", "starting_at": since}]
        }
        if self.override is not None:
            target = {"override_specifiers": [{"product_id": "flat"}]}
            price = {"overwrite_rate": {"rate_type": "FLAT", "price": str(self.override)}}
            contracts[2] |= {"overrides": [{"id": "o", "starting_at": since, "type": "OVERWRITE", **target, **price}]}
        return {
            "settings": {
                "starting_at": since, "currency": "USD", "backdating_window": "none", "late_usage_window": "1000d"
            },
            "billable_metrics": [
                {
                    "id": kind.lower(), "aggregation_type": kind, "aggregation_key": "v",
                    "event_type_filter": {"in_values": [kind[0].lower()]},
                }
                for kind in ("SUM", "MAX")
            ],
            "products": [
                {"id": "flat", "name": "flat", "type": "USAGE", "billable_metric_id": "sum"},
                {"id": "tiered", "name": "tiered", "type": "USAGE", "billable_metric_id": "sum"},
                {"id": "peak", "name": "peak", "type": "USAGE", "billable_metric_id": "max"},
            ],
            "rate_cards": [{"id": "card", "rates": rates}],
            "customers": [
                {"id": name, "name": name} | ({"ingest_aliases": ["moving"]} if name == self.owner else {})
                for name in CUSTOMERS
            ],
            "contracts": contracts,
        }  # fmt: skip


@dataclass
class History:
    """One company; what happened to it is drawn from `seed`."""

    root: Path
    seed: int
    terms: Terms = field(default_factory=Terms)
    rows: list[Obj] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.choices = random.Random(self.seed)
        self.books = Books.open(self.root / "lived", self.terms.catalog())

    def run(self) -> None:
        """Month after month, and two quiet ones at the end, in which everything late is billed."""
        for number in range(MONTHS):
            self.receive(number)
            self.edit()
            closing = month_start(number + 1) + timedelta(days=2, hours=self.choices.randrange(12))
            self.books.close(closing)
            if number:
                self.decide(closing + timedelta(days=3))
        for number in (MONTHS, MONTHS + 3):
            self.books.close(month_start(number + 1) + timedelta(days=4))

    def receive(self, number: int) -> None:
        """The usage of a month, and some that is late: of any month before."""
        late = [self.choices.randrange(number) for _ in range(self.choices.randrange(4))] if number else []
        rows = [self.event(month) for month in [number] * 12 + late]
        self.happened["late events"] += len(late)
        self.rows += rows
        self.books.receive({f"{number}.jsonl": rows}, month_start(number + 1) + timedelta(days=1))

    def event(self, number: int) -> Obj:
        at = month_start(number) + timedelta(hours=self.choices.randrange(27 * 24))
        return {
            "transaction_id": f"t{len(self.rows)}-{self.choices.randrange(10**9)}",
            "customer_id": self.choices.choice([*CUSTOMERS, "moving"]),
            "event_type": self.choices.choice(["s", "s", "m"]),
            "timestamp": iso(at),
            "properties": {"v": self.choices.randrange(1, 12)},
        }

    def edit(self) -> None:
        """Somebody edits the catalog, of the past as well."""
        match self.choices.randrange(6):
            case 0:
                self.terms.flat = self.choices.randrange(1, 6)
            case 1:
                self.terms.tier = self.choices.randrange(1, 6)
            case 2:
                self.terms.owner = self.choices.choice(CUSTOMERS)
            case 3:
                self.terms.override = self.choices.choice([None, 1, 7])
            case _:
                return
        self.happened["edits"] += 1
        self.books = self.books.with_catalog(self.terms.catalog())

    def decide(self, now: datetime) -> None:
        """Void and reissue an invoice, or carry one; what cannot be is refused, and left."""
        final = self.books.lake.scan("invoices").filter(status="FINALIZED").sort("invoice_number").collect().to_dicts()
        chosen = self.choices.choice(final)
        decision, lake, catalog = Decision("for a test", "tester", now), self.books.lake, self.books.catalog
        kind = self.choices.choice(["reissue", "carry", "nothing"])
        try:
            if kind == "reissue":
                reissue.void(lake, catalog, chosen, decision)
                [void] = lake.scan("invoices").filter(invoice_id=chosen["invoice_id"]).collect().to_dicts()
                reissue.regenerate(lake, catalog, void, decision)
            elif kind == "carry":
                carry.to_carry(lake, catalog, chosen, decision)
                carry.carry(lake, catalog, chosen, decision)
        except UsageError:
            kind = f"{kind} refused"
        self.happened[kind] += 1

    def undisturbed(self) -> Books:
        """All events in one batch, by the last catalog, closed once."""
        books = Books.open(self.root / "undisturbed", self.terms.catalog())
        now = month_start(MONTHS + 4) + timedelta(days=4)
        books.receive({"all.jsonl": self.rows}, now)
        books.close(now)
        return books

    def outstanding(self) -> dict[str, Decimal]:
        """Customer: what `invoice_variances` lists as not billed."""
        lake = self.books.lake
        invoices = lake.scan("invoices").select("invoice_id", "customer_id")
        sums = lake.scan("invoice_variances").join(invoices, on="invoice_id").group_by("customer_id")
        return dict(sums.agg(pl.col("outstanding").sum()).collect().iter_rows())

    def failing_checks(self) -> list[str]:
        return [one.invariant.name for one in checks.check_lake(self.books.lake) if one.discrepancies.height]


def billed(books: Books) -> dict[str, Decimal]:
    """Customer: what stands on invoices and drafts, before rounding. Late usage on drafts is listed as outstanding."""
    sums: dict[str, Decimal] = {}
    for invoices, items in (("invoices", "line_items"), ("draft_invoices", "draft_line_items")):
        standing = books.lake.scan(invoices).filter(pl.col("status") != "VOID").select("invoice_id")
        lines = books.lake.scan(items).filter(pl.col("in_total"), pl.col("line_type") != "rounding")
        if invoices == "draft_invoices":
            lines = lines.filter(pl.col("line_type") != "late_usage")
        found = lines.join(standing, on="invoice_id", how="semi").group_by("customer_id").agg(pl.col("amount").sum())
        for customer, amount in found.collect().iter_rows():
            sums[customer] = sums.get(customer, Decimal()) + amount
    return sums


def differences(history: History) -> Iterator[str]:
    """Customers for whom billed + outstanding is not what the undisturbed computation gives."""
    lived, expected, open_ones = billed(history.books), billed(history.undisturbed()), history.outstanding()
    for customer in CUSTOMERS:
        found = lived.get(customer, Decimal()) + open_ones.get(customer, Decimal())
        if found != expected.get(customer, Decimal()):
            yield f"seed {history.seed}, {customer}: {found}, expected {expected.get(customer)}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("count", type=int, nargs="?", default=20)
    arguments.add_argument("--first", type=int, default=0)
    asked = arguments.parse_args()
    happened: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(asked.first, asked.first + asked.count):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as root:
            history = History(Path(root), seed)
            history.run()
            found = [*differences(history), *history.failing_checks()]
        happened += history.happened
        wrong += found
        print(f"{seed}: {dict(history.happened)} {time.monotonic() - began:.0f} s {found or 'equal'}", flush=True)
    print(f"{asked.count} histories of {MONTHS} months: {dict(happened)}; {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
