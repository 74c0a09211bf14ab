"""Which tables there are, and what storage must know of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.schemas import dimensions, history, ingestion, invoicing, ledger, metering, rating
from billing_assets.schemas.fields import Table

_DTYPES: tuple[pl.DataType, ...] = (pl.String(), pl.Int64(), pl.Boolean(), pl.Date(), TIMESTAMP, DECIMAL)


@dataclass(frozen=True)
class Column:
    """One column of a table: its dtype, whether null is allowed, and its comment."""

    name: str
    dtype: pl.DataType
    nullable: bool
    comment: str


@dataclass(frozen=True)
class Numbering:
    """The column that carries the batch number of a row, and the sequence that the number is of."""

    sequence: str
    column: str


@dataclass(frozen=True)
class TableSpec:
    """A table of the lake. `sort_keys` identify a row, so that sorting by them is a total order."""

    name: str
    model: type[Table]
    sort_keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    append_only: bool = False
    numbering: Numbering | None = None

    @cached_property
    def description(self) -> str:
        """The model's docstring on one line; it names the grain."""
        return " ".join((self.model.__doc__ or "").split())

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns that the table always has, in the order in which they are written."""
        return MappingProxyType({column.name: column for column in self._columns(regex=False)})

    @cached_property
    def open_columns(self) -> tuple[Column, ...]:
        """Families of columns that a table may have besides, named by a regular expression."""
        return tuple(self._columns(regex=True))

    def _columns(self, *, regex: bool) -> Iterator[Column]:
        for name, column in self.model.to_schema().columns.items():
            if column.regex == regex:
                yield Column(name, _dtype(column.dtype), column.nullable, column.description or "")

    @cached_property
    def comments(self) -> Mapping[str, str]:
        return MappingProxyType({name: column.comment for name, column in self.columns.items()})

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({name: column.dtype for name, column in self.columns.items()})

    def column(self, name: str) -> Column | None:
        """The column of that name, a promoted one included; None if the table cannot have it."""
        if name in self.columns:
            return self.columns[name]
        family = next((each for each in self.open_columns if re.fullmatch(each.name, name)), None)
        return Column(name, family.dtype, family.nullable, family.comment) if family else None

    def empty(self) -> pl.LazyFrame:
        """The typed frame without rows."""
        return pl.LazyFrame(schema=self.schema)

    def complete(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """`frame` with every nullable column that it lacks as null, in the order of the table.

        Columns that the table does not know stay at the end, so that validation names them.
        """
        names = frame.collect_schema().names()
        absent = [column for column in self.columns.values() if column.nullable and column.name not in names]
        known = [name for name in self.columns if name in names or self.columns[name].nullable]
        return frame.with_columns(pl.lit(None, dtype=column.dtype).alias(column.name) for column in absent).select(
            *known, *(name for name in names if name not in self.columns)
        )

    def project(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The table's columns of a wider working frame, nullable ones that it lacks as null; others are left behind."""
        complete = self.complete(frame)
        return complete.select(name for name in complete.collect_schema().names() if self.column(name))


def _dtype(pandera_dtype: object) -> pl.DataType:
    """The Polars instance of a Pandera dtype; the tables use these six, and no other."""
    found = getattr(pandera_dtype, "type", None)
    return next(dtype for dtype in _DTYPES if dtype == found)


_INGEST = Numbering("ingest", "ingest_batch")
_BOOKS = Numbering("books", "batch_no")
_HOUR = ("usage_date", "measure_id", "customer_ref", "group_values", "window_start", "ingest_batch")
_ROW = ("arrival_date", "source_file", "source_line", "ingest_batch")
_MONTH = ("close_month",)

_SPECS = (
    TableSpec(
        "events",
        ingestion.Events,
        ("event_date", "customer_ref", "timestamp", "transaction_id"),
        ("event_date",),
        numbering=_INGEST,
    ),
    TableSpec("rejected_events", ingestion.RejectedEvents, _ROW, ("arrival_date",), numbering=_INGEST),
    TableSpec("duplicate_events", ingestion.DuplicateEvents, _ROW, ("arrival_date",), numbering=_INGEST),
    TableSpec("ingested_files", ingestion.IngestedFiles, ("source_file", "ingest_batch"), numbering=_INGEST),
    TableSpec("usage_states", metering.UsageStates, _HOUR, ("usage_date",), numbering=_INGEST),
    TableSpec(
        "usage_values",
        metering.UsageValues,
        (*_HOUR, "value", "at", "transaction_id"),
        ("usage_date",),
        numbering=_INGEST,
    ),
    TableSpec(
        "metered_slices",
        metering.MeteredSlices,
        ("usage_date", "ingest_batch", "measure_id"),
        ("usage_date",),
        numbering=_INGEST,
    ),
    TableSpec(
        "usage",
        metering.Usage,
        ("month", "billable_metric_id", "contract_id", "period_start", "group_key", "group_values", "usage_date"),
        ("month",),
    ),
    TableSpec(
        "unbilled_usage",
        metering.UnbilledUsage,
        (
            *("month", "usage_date", "disposition", "billable_metric_id", "customer_ref", "group_values"),
            *("customer_id", "contract_id", "period_start", "product_id", "reason"),
        ),
        ("month",),
    ),
    TableSpec(
        "rated_lines",
        rating.RatedLines,
        (
            *("month", "contract_id", "period_start", "product_id", "pricing_group_values"),
            *(
                "presentation_group_values",
                "starting_at",
                "line_type",
                "tier_level",
                "tier_lower",
                "is_fee",
                "rate_id",
                "override_id",
                "discount_id",
            ),
        ),
        ("month",),
    ),
    TableSpec("invoices", invoicing.Invoices, ("close_month", "invoice_id"), _MONTH, numbering=_BOOKS),
    TableSpec(
        "line_items",
        invoicing.LineItems,
        ("close_month", "invoice_id", "line_number"),
        _MONTH,
        append_only=True,
        numbering=_BOOKS,
    ),
    TableSpec(
        "ledger_entries",
        ledger.LedgerEntries,
        ("close_month", "balance_id", "effective_at", "entry_id"),
        _MONTH,
        append_only=True,
        numbering=_BOOKS,
    ),
    TableSpec(
        "invoice_events",
        invoicing.InvoiceEvents,
        ("invoice_id", "at", "event", "batch_no"),
        append_only=True,
        numbering=_BOOKS,
    ),
    TableSpec(
        "closed_periods",
        invoicing.ClosedPeriods,
        ("close_month", "contract_id", "period_start", "batch_no", "is_late"),
        _MONTH,
        append_only=True,
        numbering=_BOOKS,
    ),
    TableSpec("month_closes", invoicing.MonthCloses, _MONTH, append_only=True, numbering=_BOOKS),
    TableSpec("draft_invoices", invoicing.DraftInvoices, ("close_month", "invoice_id")),
    TableSpec("draft_line_items", invoicing.DraftLineItems, ("close_month", "invoice_id", "line_number")),
    TableSpec(
        "pending_ledger_entries",
        ledger.PendingLedgerEntries,
        ("close_month", "balance_id", "effective_at", "entry_id"),
    ),
    TableSpec("invoice_variances", invoicing.InvoiceVariances, ("invoice_id", "line_item_id", "cause")),
    TableSpec("balances", ledger.Balances, ("balance_id", "segment_id")),
    TableSpec("batches", history.Batches, ("sequence", "batch_no", "attempt", "state"), append_only=True),
    TableSpec("actions", history.Actions, ("action_no",), append_only=True),
    TableSpec("catalog_versions", history.CatalogVersions, ("catalog_version",), append_only=True),
    TableSpec("check_failures", history.CheckFailures, ("at", "check", "batch_no")),
    TableSpec("customers", dimensions.Customers, ("catalog_version", "customer_id")),
    TableSpec("customer_aliases", dimensions.CustomerAliases, ("catalog_version", "customer_ref")),
    TableSpec("products", dimensions.Products, ("catalog_version", "product_id")),
    TableSpec("billable_metrics", dimensions.BillableMetrics, ("catalog_version", "billable_metric_id")),
    TableSpec("rate_cards", dimensions.RateCards, ("catalog_version", "rate_card_id")),
    TableSpec("rates", dimensions.Rates, ("catalog_version", "rate_id")),
    TableSpec("contracts", dimensions.Contracts, ("catalog_version", "contract_id")),
    TableSpec("overrides", dimensions.Overrides, ("catalog_version", "override_id")),
    TableSpec("commits", dimensions.Commits, ("catalog_version", "commit_id")),
    TableSpec("subscriptions", dimensions.Subscriptions, ("catalog_version", "subscription_id")),
)

TABLES: Mapping[str, TableSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""Every table of the lake by its name."""
