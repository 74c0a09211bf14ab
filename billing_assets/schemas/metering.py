"""Tables between events and priced lines: hourly states, daily usage, and what was not billed."""

from __future__ import annotations

import polars as pl

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, required

DISPOSITIONS = (
    "not_entitled",
    "unrated",
    "no_contract",
    "no_product",
    "excluded_by_usage_filter",
    "metric_exception",
    "unattributed",
    "waived",
    "no_metric",
    "late_usage",
)


class MeasureRows(Table):
    """What states and values share. Grain: (measure_id, customer_ref, group_values, window_start, ingest_batch)."""

    usage_date: pl.Date = required("UTC date of the window")
    measure_id: str = required("Stable hash of what is measured: filters, key and group key")
    group_key: str = required("Names of the group key as a JSON array, sorted")
    group_values: str = required("Values of the group key as canonical JSON; {} without a group key")
    customer_ref: str = required("Customer reference as sent")
    window_start: Timestamp = required("Start of the hour")


class UsageStates(MeasureRows):
    """Hourly states that merge. Grain: (measure_id, customer_ref, group_values, window_start, ingest_batch)."""

    event_count: int = required("Matching events")
    exception_count: int = required("Matching events without a usable value")
    sum: Decimal12 = optional("Sum of the values; null without a usable one")
    min: Decimal12 = optional("Smallest value")
    max: Decimal12 = optional("Largest value")
    last_value: Decimal12 = optional("Value of the event with the greatest (timestamp, transaction_id)")
    last_at: Timestamp = optional("Timestamp of that event")
    last_transaction_id: str = optional("transaction_id of that event")
    held_seconds: Decimal12 = optional("Sum of value x whole seconds from its event to the end of the hour")
    held_micros: Decimal12 = optional("Sum of value x the microseconds that these seconds leave")
    ingest_batch: int = required("Ingest batch of the events")


class UsageValues(MeasureRows):
    """Distinct values for UNIQUE, readings for TIME_WEIGHTED_LATEST. Grain: measure's, value, at, transaction_id."""

    value: str = required("Canonical text of a value seen in the hour; the number of a reading")
    at: Timestamp = optional("Timestamp of a reading")
    transaction_id: str = optional("transaction_id of a reading")
    ingest_batch: int = required("Ingest batch of the events")


class MeteredSlices(Table):
    """What is metered; a triple that is not here is still to do. Grain: (usage_date, ingest_batch, measure_id)."""

    usage_date: pl.Date = required("UTC date of the events")
    ingest_batch: int = required("Ingest batch of the events")
    measure_id: str = required("Measure whose states of that day and batch are complete")


class Usage(Table):
    """Daily usage for analysts; rows of different group keys describe the same events.

    Grain: (billable_metric_id, contract_id, period_start, group_key, group_values, usage_date).
    """

    month: str = required("close_month of the billing period, so that usage stands beside its invoice")
    billable_metric_id: str = required("Metric")
    customer_id: str = required("Customer, aliases resolved")
    contract_id: str = required("Contract that the usage counts for")
    period_start: Timestamp = required("Start of the contract's billing period")
    group_key: str = required("Names of the group key as a JSON array")
    group_values: str = required("Values of the group key as canonical JSON")
    usage_date: pl.Date = required("UTC date")
    quantity: Decimal12 = required("The day's increment of the period-to-date value, before conversion and rounding")
    cumulative: Decimal12 = required("Period-to-date value at the end of the day")
    event_count: int = required("Events of the day")


class UnbilledUsage(Table):
    """Usage that is on no invoice, and why. Grain: (disposition, metric, reference, group, day, contract, product)."""

    month: str = required("close_month of the contract's period; without one, the month of the usage date")
    disposition: str = required("Why it is not billed", one_of=DISPOSITIONS)
    billable_metric_id: str = optional("Metric that the events match; null for no_metric")
    customer_ref: str = required("Customer reference as sent")
    group_values: str = required("Values of the measure's group key as canonical JSON")
    usage_date: pl.Date = required("UTC date of the usage")
    event_count: int = required("Events")
    quantity: Decimal12 = optional("Their quantity where the aggregation adds up")
    first_transaction_id: str = optional("A first event to look at")
    last_transaction_id: str = optional("A last event to look at")
    reason: str = optional("Detail of the disposition: no_rate, beyond_last_tier, ...")
    product_id: str = optional("Product that it would have been billed as")
    contract_id: str = optional("Contract that it would have counted for")
    period_start: Timestamp = optional("Start of that contract's billing period")
    customer_id: str = optional("Customer, where the reference is known")
