"""Closed periods computed again as their own batch computed them, but for one thing: events, references, or terms."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import polars as pl

from billing_assets.catalog import Catalog, resolve
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.money import zero
from billing_assets.pipeline.late import CHARGED_ANYWAY, DESCRIBED, LATE, PERIOD, Recomputed, recompute
from billing_assets.runs.catalogs import needed
from billing_assets.runs.inputs import counting, holding, inputs
from billing_assets.runs.invoiced import moved_from
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

NOT_AT_LIST = (*CHARGED_ANYWAY, LATE, "trueup", "applied_commit_or_credit", "pricing_unit_conversion", "rounding")
"""Types of lines that are no part of a period at list prices."""


@dataclass(frozen=True, slots=True)
class OfBatch:
    """Periods that one batch of the books closed: what it computed them from, and their rows of `started_periods`.
    books_through: the last batch of the books by which it is told what was billed of a reference that moved since."""

    lake: Lake
    batch_no: int
    then: Watermarks
    catalog: Catalog
    periods: pl.DataFrame
    books_through: int

    @classmethod
    def of(cls, lake: Lake, batch_no: int, wanted: pl.DataFrame, closed: pl.DataFrame, books_through: int) -> Self:
        """The `wanted` ones of the `closed` periods, with all that the batch closed of the same customers, since
        composites may look at every contract of a customer, and with those that are on their invoices.

        Raises InvariantBreach where the catalog of the batch is not recorded.
        """
        then = as_of_batch(lake, batch_no)
        catalog = needed(lake, then.catalog_version)
        of_batch = closed.filter(pl.col("final_batch_no") == batch_no)
        of_customers = of_batch.join(wanted.select("customer_id").unique(), on="customer_id", how="semi")
        of_invoices = of_batch.join(of_customers, on="final_invoice_id", how="semi")
        return cls(lake, batch_no, then, catalog, pl.concat([of_customers, of_invoices]).unique(PERIOD), books_through)

    def as_billed(self, today: pl.LazyFrame) -> Recomputed:
        """As the batch had it. today: as of `with_events`."""
        return self.with_events(self.then.events_through, today)

    def as_recorded(self, billed: Recomputed) -> Recomputed:
        """`billed` (`as_billed`, without CHARGED_ANYWAY), with the amounts at list prices that the invoices have in the
        books: those of the engine that made them. What differs may be paid by balances in full."""
        held = recorded_at_list(self.lake, self.batch_no, self.periods)
        was = held.select("line_item_id", recorded="amount", recorded_quantity="quantity")
        amount = pl.col("recorded").fill_null(zero())
        known = billed.lines.join(was, on="line_item_id", how="left").with_columns(
            amount=amount,
            net=pl.col("net") + amount - pl.col("amount"),
            quantity=pl.col("recorded_quantity").fill_null(zero()),
        )
        gone = held.join(billed.lines, on="line_item_id", how="anti").with_columns(net="amount")
        lines = pl.concat([known.drop("recorded", "recorded_quantity"), gone], how="diagonal_relaxed")
        return replace(billed, lines=self.lake.collect(lines).lazy())

    def with_events(self, events_through: int, today: pl.LazyFrame) -> Recomputed:
        """With the events up to a batch of ingestion. What came since of a reference that `today` (customer_ref,
        customer_id) has elsewhere is the new customer's, and left out, but for what was billed before."""
        recorded = resolve(self.catalog).customer_aliases
        seen = moved_from(self.lake, recorded, today, self.periods.lazy(), self.books_through)
        return self._computed(self.catalog, events_through, unseen=seen)

    def with_references(self, events_through: int, today: pl.LazyFrame) -> Recomputed:
        """The same, and every reference belongs to who has it `today`."""
        return self._computed(self.catalog, events_through, aliases=today)

    def by(self, catalog: Catalog, events_through: int) -> Recomputed:
        """The same, by another catalog altogether; the periods keep the dates that they were billed with."""
        return self._computed(catalog, events_through, spans=self.periods)

    def _computed(
        self,
        catalog: Catalog,
        events_through: int,
        unseen: pl.LazyFrame | None = None,
        aliases: pl.LazyFrame | None = None,
        spans: pl.DataFrame | None = None,
    ) -> Recomputed:
        marks = replace(self.then, events_through=events_through)
        given = inputs(
            self.lake,
            catalog,
            self.then.computed_as_of,
            marks=marks,
            only=self.periods.select(PERIOD),
            unseen=unseen,
            aliases=aliases,
            spans=spans,
        )
        return recompute(given, holding(self.lake), counting(self.lake))


def recorded_at_list(lake: Lake, batch_no: int, periods: pl.DataFrame) -> pl.LazyFrame:
    """Grain line_item_id: the lines of `periods` on the invoices of a batch as they are in the books, what balances
    cover put together again, with invoice_id, period_start and what is recorded of a rated line."""
    on_invoice = ["invoice_id", "contract_id"]
    keys = periods.lazy().select(*PERIOD, invoice_id="final_invoice_id")
    keys = keys.with_columns(is_alone=pl.len().over(on_invoice) == 1)
    # A discount of a fee is dated as its fee; where an invoice has several periods of a contract, its date tells.
    is_of_period = pl.col("is_alone") | (pl.col("service_period_start") == pl.col("period_start"))
    described = [name for name in DESCRIBED if name in TABLES["line_items"].columns and name != "list_amount"]
    return (
        lake.scan("line_items", pl.col("batch_no") == batch_no)
        .filter(~pl.col("line_type").is_in(NOT_AT_LIST))
        .with_columns(
            contract_id="origin_contract_id",
            customer_id="origin_customer_id",
            line_item_id=pl.coalesce("list_line_item_id", "line_item_id"),
        )
        .join(keys, on=on_invoice)
        .filter(is_of_period)
        .group_by("line_item_id")
        .agg(
            pl.col("invoice_id", "period_start", *described).first(),
            pl.col("quantity").sum(),
            amount=pl.col("list_amount").sum(),
        )
        .with_columns(list_amount="amount")
    )


def as_of_batch(lake: Lake, batch_no: int) -> Watermarks:
    """What a batch of the books computed from, as its intent says."""
    rows = lake.scan("batches", pl.col("sequence") == "books", pl.col("batch_no") == batch_no).filter(
        pl.col("state") == "INTENT"
    )
    intent = json.loads(lake.collect(rows.sort("attempt"))["intent"].to_list()[-1])
    return Watermarks(
        events_through=intent["events_through"],
        ledger_through=intent["ledger_through"],
        actions_through=intent["actions_through"],
        catalog_version=intent["catalog_version"],
        computed_as_of=datetime.fromisoformat(intent["now"]),
        engine_version=intent["engine_version"],
    )
