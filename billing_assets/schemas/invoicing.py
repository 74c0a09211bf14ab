"""Invoices and their lines, final (append-only) and as drafts (overwritten whole), and what happened to them."""

from __future__ import annotations

import polars as pl

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, required

INVOICE_TYPES = ("USAGE", "SCHEDULED", "TRUEUP", "USAGE_CONSOLIDATED", "CORRECTION")
LINE_TYPES = (
    "usage",
    "subscription",
    "composite",
    "scheduled",
    "commit_purchase",
    "applied_commit_or_credit",
    "trueup",
    "minimum_adjustment",
    "maximum_adjustment",
    "discount",
    "pricing_unit_conversion",
    "late_usage",
    "rounding",
)
INVOICE_EVENTS = ("FINALIZED", "VOIDED", "REGENERATED", "HELD", "RELEASED", "WAIVED")


class Invoices(Table):
    """Finalized invoices. Grain: one row per invoice_id. Nothing changes but a void's own columns."""

    close_month: str = required("Month that the invoice belongs to, as 2026-10")
    invoice_id: str = required("Stable hash of contract, type, period or date, regeneration")
    invoice_number: str = required("Consecutive number of its series, as printed")
    number_series: str = required("Series of the number: issuing entity, format, year")
    number_sequence: int = required("Position in the series, from 1, without gaps")
    invoice_type: str = required("Kind of invoice", one_of=INVOICE_TYPES)
    status: str = required("FINALIZED or VOID", one_of=("FINALIZED", "VOID"))
    customer_id: str = required("Customer whose usage it is")
    payer_customer_id: str = required("Customer who pays")
    contract_id: str = optional("Contract; null on a consolidated invoice")
    currency: str = required("ISO 4217 code of all amounts")
    period_start: Timestamp = optional("Start of the billing period; null without one")
    period_end: Timestamp = optional("End of the billing period, exclusive; null without one")
    invoice_date: pl.Date = required("Date of period_end, or of the charge")
    subtotal: Decimal12 = required("All lines in the total but applications and rounding")
    discounts: Decimal12 = required("Part of the subtotal: discount lines")
    credits_applied: Decimal12 = required("Prepaid commits and credits applied, at most 0")
    postpaid_applied: Decimal12 = required("Postpaid commits applied; not in the total")
    late_usage: Decimal12 = required("Part of the subtotal: late usage of finalized periods")
    rounding: Decimal12 = required("What rounding to the minor unit adds")
    total: Decimal12 = required("subtotal + credits_applied + rounding, in the currency's minor unit")
    issued_at: Timestamp = required("End of the period plus grace, however late the run")
    due_at: Timestamp = optional("issued_at plus net payment terms")
    finalized_at: Timestamp = required("The finalizing run's now")
    voided_at: Timestamp = optional("When it was voided")
    void_reason: str = optional("Why it was voided")
    replaces_invoice_id: str = optional("Voided invoice that this one replaces")
    replaced_by_invoice_id: str = optional("Invoice that replaces this voided one")
    regeneration: int = required("0, and one more with each regeneration")
    issuing_entity: str = optional("Who issues it")
    bill_to: str = optional("Name, address, tax ids and email as issued, JSON")
    line_count: int = required("Lines of the invoice")
    content_hash: str = required("Hash of the invoice and its lines, history columns left out")
    events_through: int = required("Watermark: last ingest batch seen")
    ledger_through: int = optional("Watermark: last books batch whose ledger rows were seen")
    actions_through: int = optional("Watermark: last action seen")
    catalog_version: str = required("Content hash of the catalog")
    computed_as_of: Timestamp = required("The now of the computation")
    engine_version: str = required("Version of billing_assets")
    batch_no: int = required("Books batch that wrote the row")


class ClosedPeriods(Table):
    """Billing periods that are over for good: billed by an invoice, or skipped over nothing. Grain: (contract_id,
    period_start, batch_no, is_late). What is in here is not billed again, whatever periods the catalog says later; the
    period of an invoice that is void is open again."""

    contract_id: str = required("Contract whose usage it is")
    period_start: Timestamp = required("Start of the period")
    period_end: Timestamp = required("End of the period, exclusive")
    full_start: Timestamp = required("Start of the period before the contract or an earlier invoice cut it")
    full_end: Timestamp = required("End of the period before the contract cut it, exclusive")
    customer_id: str = required("Customer of the contract")
    close_month: str = required("Month that the period belongs to")
    invoice_id: str = optional("Invoice that it is on; null where it was skipped")
    issued_at: Timestamp = required("When its invoice was issued, or would have been")
    events_through: int = required("Last ingest batch that was seen")
    is_late: bool = required("True: not the period itself, but late usage of it, which is billed or changes nothing")
    catalog_version: str = required("Content hash of the catalog")
    batch_no: int = required("Books batch that wrote the row")


class DraftInvoices(Invoices):
    """Invoices as of the last refresh, of all open periods. Grain: one row per invoice_id. Overwritten whole."""

    status: str = required("Always DRAFT", one_of=("DRAFT",))
    invoice_number: str = optional("Null: numbers are given when an invoice is finalized")
    number_series: str = optional("Null on a draft")
    number_sequence: int = optional("Null on a draft")
    issued_at: Timestamp = optional("When it will be issued, where that is known")
    finalized_at: Timestamp = optional("Null on a draft")
    content_hash: str = optional("Hash of the invoice and its lines as drafted")
    batch_no: int = optional("Null on a draft")
    hold_reasons: str = required("Why it cannot be finalized, a JSON array; [] where nothing holds it")


class LineItems(Table):
    """Lines of finalized invoices; those with in_total add up to the invoice's total. Grain: line_item_id."""

    close_month: str = required("close_month of the invoice")
    line_item_id: str = required("Stable hash of the line's business key")
    invoice_id: str = required("Invoice")
    line_number: int = required("Position on the invoice, from 1")
    customer_id: str = required("Customer")
    contract_id: str = required("Contract")
    line_type: str = required("Kind of line", one_of=LINE_TYPES)
    product_id: str = optional("Product; null on lines of the invoice as a whole")
    product_type: str = optional("Type of the product")
    name: str = required("What the line says")
    tags: str = optional("Tags of the product as a JSON array")
    billable_metric_id: str = optional("Metric of a usage line")
    quantity: Decimal12 = optional("Quantity, after conversion and rounding")
    unit: str = optional("Name of the converted unit")
    unit_price: Decimal12 = optional("Effective price of a unit")
    amount: Decimal12 = required("Amount, exact; not rounded to the minor unit")
    amount_unit: str = required("Currency or pricing unit of the amount")
    in_total: bool = required("True where the amount is part of the invoice's total")
    list_unit_price: Decimal12 = optional("Price without any commit")
    list_amount: Decimal12 = optional("Amount at that price")
    starting_at: Timestamp = optional("Start of what the line covers")
    ending_before: Timestamp = optional("End of what the line covers, exclusive")
    service_period_start: Timestamp = optional("Start of the service period")
    service_period_end: Timestamp = optional("End of the service period, exclusive")
    pricing_group_values: str = optional("Pricing group as canonical JSON")
    presentation_group_values: str = optional("Presentation group as canonical JSON")
    tier_level: int = optional("Tier, from 1")
    tier_lower: Decimal12 = optional("Lower bound of the tier, exclusive; null for the first")
    tier_upper: Decimal12 = optional("Upper bound of the tier, inclusive; null where open")
    rate_card_id: str = optional("Rate card")
    rate_id: str = optional("Rate row")
    rate_type: str = optional("Kind of the rate")
    price_lane: str = optional("LIST or COMMIT", one_of=("LIST", "COMMIT"))
    override_id: str = optional("Override that won")
    discount_id: str = optional("Discount of a discount line")
    balance_id: str = optional("Commit or credit of an application line")
    segment_id: str = optional("Access segment of an application line")
    subscription_id: str = optional("Subscription")
    scheduled_charge_id: str = optional("Scheduled charge")
    event_count: int = optional("Events behind a usage line")
    corrects_invoice_id: str = optional("Late usage: invoice that it corrects")
    corrects_line_item_id: str = optional("Late usage: line that it corrects, by that one's list_line_item_id")
    list_line_item_id: str = optional("The line before balances, the same of all its parts; line_item_id of all others")
    origin_customer_id: str = optional("Consolidated: customer of the usage")
    origin_contract_id: str = optional("Consolidated: contract of the usage")
    batch_no: int = required("Books batch that wrote the row")


class DraftLineItems(LineItems):
    """Lines of draft invoices as of the last refresh. Grain: line_item_id. Overwritten whole."""

    batch_no: int = optional("Null on a draft")
    hold_reasons: str = optional("Hold reasons of the invoice, a JSON array")


class InvoiceVariances(Table):
    """What a recomputation of finalized invoices would change. Grain: (invoice_id, line_item_id, cause)."""

    invoice_id: str = required("Finalized invoice")
    line_item_id: str = required("Line of it, by its list_line_item_id, or the line that it lacks")
    cause: str = required("What changed", one_of=("LATE_EVENT", "CATALOG", "ATTRIBUTION", "ENGINE"))
    recomputed: Decimal12 = required("Amount as recomputed")
    finalized: Decimal12 = required("Amount as finalized")
    carried: Decimal12 = required("Already billed by late_usage lines")
    outstanding: Decimal12 = required("recomputed - finalized - carried")
    customer_id: str = optional("Customer whose usage it is")
    contract_id: str = optional("Contract whose usage it is")
    product_id: str = optional("Product")
    name: str = optional("What the line says")
    amount_unit: str = optional("Unit of the amounts: a currency, or a custom pricing unit")


class InvoiceEvents(Table):
    """What happened to invoices. Grain: (invoice_id, event, at)."""

    invoice_id: str = required("Invoice")
    event: str = required("What happened", one_of=INVOICE_EVENTS)
    at: Timestamp = required("When, by the batch's now")
    by: str = optional("Who, or which job")
    reason: str = optional("Why, where a person decided")
    content_hash: str = optional("content_hash of the invoice at that time")
    batch_no: int = required("Books batch that wrote the row")


class MonthCloses(Table):
    """Sealed months. Grain: one row per close_month."""

    close_month: str = required("Month, as 2026-10")
    sealed_at: Timestamp = required("The sealing run's now")
    by: str = optional("Who, or which job")
    control_totals: str = required("JSON: invoices and total per currency, ledger movements, opening, closing")
    unbilled: str = required("JSON: unbilled usage by disposition")
    events_through: int = required("Watermark: last ingest batch seen; later usage of the month is late")
    content_hash: str = required("Hash of the month's invoices and lines")
    batch_no: int = required("Books batch that wrote the row")
