"""Lines of an invoice: their order, numbers and ids, and the line that carries the rounding of the total."""

from __future__ import annotations

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.identity import stable_id
from billing_assets.money import decimal, to_minor_unit, zero

SECTIONS: tuple[tuple[str, ...], ...] = (
    ("usage", "subscription", "composite", "maximum_adjustment", "minimum_adjustment"),
    ("scheduled", "commit_purchase", "trueup"),
    ("discount",),
    ("pricing_unit_conversion",),
    ("applied_commit_or_credit",),
    ("late_usage",),
    ("rounding",),
)
"""The order in which a reader meets the lines: what was used, product by product, then what changes the total."""

IDENTITY = (
    "invoice_id",
    "contract_id",
    "line_type",
    "product_id",
    "pricing_group_values",
    "presentation_group_values",
    "rate_id",
    "override_id",
    "tier_level",
    "tier_lower",
    "is_fee",
    "starting_at",
    "discount_id",
    "subscription_id",
    "scheduled_charge_id",
    "balance_id",
    "segment_id",
    "charge_number",
)
"""The business key of a line; a recomputation finds the same line under it."""

OF_SOME: dict[str, pl.DataType] = {
    **dict.fromkeys(("discount_id", "subscription_id", "scheduled_charge_id", "balance_id", "segment_id"), pl.String()),
    "amount_unit": pl.String(),
    "charge_number": pl.Int64(),
    **dict.fromkeys(("service_start", "service_end"), TIMESTAMP),
    **dict.fromkeys(("corrects_invoice_id", "corrects_line_item_id"), pl.String()),
    "in_total": pl.Boolean(),
    "is_part": pl.Boolean(),
    **dict.fromkeys(("list_rate_id", "list_override_id"), pl.String()),
}
"""Columns that only charges of some kinds have."""

APPLICATIONS = ("applied_commit_or_credit",)
OUTSIDE_SUBTOTAL = (*APPLICATIONS, "rounding")


def of_periods(lines: pl.LazyFrame, invoices: pl.LazyFrame) -> pl.LazyFrame:
    """`lines` of billing periods with the invoice_id of the invoice that their period is on (`invoices_of_periods`)."""
    keys = invoices.select("contract_id", "period_start", "invoice_id")
    return lines.join(keys, on=["contract_id", "period_start"], how="inner")


def line_items(lines: pl.LazyFrame, headers: pl.LazyFrame) -> pl.LazyFrame:
    """The numbered lines of every header, the rounding line included.

    `lines` has the charges of the headers, each with its invoice_id; the result has one row per line of an invoice and
    adds up to the invoice's total exactly.
    """
    payers = headers.select("invoice_id", "close_month", payer_id="contract_id", payer_customer="customer_id")
    has_parts = "is_part" in lines.collect_schema().names()
    charged = lines.pipe(_complete).join(payers, on="invoice_id", how="inner")
    rounded = rounding_lines(charged, headers)
    return (
        pl.concat([charged, rounded], how="diagonal")
        .with_columns(line_item_id=line_item_id())
        .with_columns(list_line_item_id=list_line_item_id() if has_parts else "line_item_id")
        .pipe(_numbered)
        .with_columns(
            service_period_start=pl.coalesce("service_start", "period_start"),
            service_period_end=pl.coalesce("service_end", "period_end"),
            origin_customer_id="customer_id",
            origin_contract_id="contract_id",
            # On a consolidated invoice a line is of who pays, and its origin is whose usage it is.
            customer_id=pl.coalesce("payer_customer", "customer_id"),
            contract_id=pl.coalesce("payer_id", "contract_id"),
        )
        .drop("payer_customer", "payer_id", "is_part", "list_rate_id", "list_override_id")
    )


def _complete(lines: pl.LazyFrame) -> pl.LazyFrame:
    """`lines` with what only some charges have; a line that does not say counts in the total."""
    present = lines.collect_schema().names()
    absent = {name: dtype for name, dtype in OF_SOME.items() if name not in present}
    return lines.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items()).with_columns(
        pl.col("in_total").fill_null(value=True), pl.coalesce("amount_unit", "currency").alias("amount_unit")
    )


def rounding_lines(charged: pl.LazyFrame, headers: pl.LazyFrame) -> pl.LazyFrame:
    """One line per invoice whose exact sum is not in whole minor units: half away from zero (case 55)."""
    exact = charged.filter("in_total").group_by("invoice_id").agg(pl.col("amount").sum())
    difference = to_minor_unit(pl.col("amount"), pl.col("minor_digits")) - pl.col("amount")
    return (
        headers.select(
            "invoice_id",
            "close_month",
            "contract_id",
            "customer_id",
            "currency",
            "minor_digits",
            "period_start",
            "period_end",
        )
        .join(exact, on="invoice_id", how="inner")
        .with_columns(amount=difference)
        .filter(pl.col("amount") != zero())
        .with_columns(
            line_type=pl.lit("rounding"),
            name=pl.lit("Rounding"),
            quantity=decimal(1),
            unit_price=pl.col("amount"),
            list_amount=pl.col("amount"),
            starting_at=pl.col("period_start"),
            ending_before=pl.col("period_end"),
            is_fee=pl.lit(value=False),
            in_total=pl.lit(value=True),
            amount_unit=pl.col("currency"),
        )
    )


def line_item_id() -> pl.Expr:
    """The id of a line: a hash of its business key, of a late line with the line that it corrects."""
    return _hashed([_identity(name) for name in IDENTITY])


def list_line_item_id() -> pl.Expr:
    """The id that a line has before balances: its own, of a covered part that of the line which it is a part of."""
    names = (_AT_LIST.get(name, name) for name in IDENTITY)
    whole = [pl.lit(None, dtype=pl.String) if name is None else _identity(name) for name in names]
    return pl.when(pl.col("is_part")).then(_hashed(whole)).otherwise("line_item_id")


_AT_LIST = {"rate_id": "list_rate_id", "override_id": "list_override_id", "balance_id": None, "segment_id": None}


def _hashed(key: list[pl.Expr]) -> pl.Expr:
    corrected = pl.col("corrects_line_item_id")
    return pl.when(corrected.is_null()).then(stable_id("li", key)).otherwise(stable_id("li", [*key, corrected]))


def _identity(name: str) -> pl.Expr:
    if name == "starting_at":
        return pl.col(name).dt.timestamp("us")
    if name == "rate_id":
        # A conversion has no rate of a product: its price is that of its unit.
        return pl.when(pl.col("line_type") == "pricing_unit_conversion").then("unit").otherwise(name)
    return pl.col(name)


def _rank(position: int) -> pl.Expr:
    """The line type's section (position 0) or its place within the section (position 1)."""
    ranks = {
        line_type: (section, place)[position]
        for section, line_types in enumerate(SECTIONS)
        for place, line_type in enumerate(line_types)
    }
    return pl.col("line_type").replace_strict(ranks, return_dtype=pl.Int8)


def _numbered(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Numbers from 1 within the invoice, by section, product, prices; absent first (case 3), but for products."""
    product = ["name", "product_id", "pricing_group_values"]
    order = [
        "invoice_id",
        _rank(0),
        # What concerns the invoice as a whole comes after its products.
        pl.col("product_id").is_null(),
        "contract_id",
        *product,
        _rank(1),
        "presentation_group_values",
        "starting_at",
        "tier_level",
        "tier_lower",
        "is_fee",
        # What a balance covers of a line, then what is left of it.
        pl.col("segment_id").is_null(),
        "segment_id",
        "line_item_id",
    ]
    return lines.sort(order, nulls_last=False).with_columns(
        line_number=pl.int_range(pl.len(), dtype=pl.Int64).over("invoice_id") + 1
    )


def sums(items: pl.LazyFrame) -> pl.LazyFrame:
    """One row per invoice with lines: the parts of its total (case 41).

    subtotal = all lines in the total but applications and rounding; `discounts` and `late_usage` are parts of it;
    total = subtotal + credits_applied + rounding. Postpaid applications (in_total false) are in none of them.
    """

    def part(condition: pl.Expr) -> pl.Expr:
        return pl.when(condition).then("amount").otherwise(zero()).sum().cast(DECIMAL)

    line_type, in_total = pl.col("line_type"), pl.col("in_total")
    return items.group_by("invoice_id").agg(
        subtotal=part(in_total & ~line_type.is_in(OUTSIDE_SUBTOTAL)),
        discounts=part(in_total & (line_type == "discount")),
        credits_applied=part(in_total & line_type.is_in(APPLICATIONS)),
        postpaid_applied=part(~in_total & line_type.is_in(APPLICATIONS)),
        late_usage=part(in_total & (line_type == "late_usage")),
        rounding=part(line_type == "rounding"),
        total=part(in_total),
        line_count=pl.len().cast(pl.Int64),
    )
