"""Headers and lines to draft invoices: sums, the content hash, and the reasons to hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.identity import digest
from billing_assets.invoicing.consolidation import OF_PERIODS, USAGE
from billing_assets.invoicing.headers import exceeds
from billing_assets.invoicing.lines import sums
from billing_assets.money import zero

SUMS = ("subtotal", "discounts", "credits_applied", "postpaid_applied", "late_usage", "rounding", "total")

NOT_HELD = "[]"
VOIDED, SEALED, MANUAL = "VOIDED", "SEALED_MONTH", "MANUAL"
LIFTED = (MANUAL, "METRIC_EXCEPTIONS", "NEGATIVE_TOTAL", "TOTAL_OVER_LIMIT")
"""Reasons that a person may judge to be none: a release lifts them. The others are cleared otherwise."""

HASHED_LINE = (
    "line_item_id", "line_type", "product_id", "name", "quantity", "unit_price", "amount", "amount_unit", "in_total",
    "starting_at", "ending_before", "pricing_group_values", "presentation_group_values", "tier_level", "rate_id",
    "override_id",
)  # fmt: skip
HASHED_INVOICE = (
    "invoice_id", "invoice_type", "customer_id", "payer_customer_id", "contract_id", "currency", "period_start",
    "period_end", "invoice_date", "issued_at", "due_at", "total", "bill_to",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HoldPolicy:
    """The settings that hold an invoice by its amount; None and False are off."""

    negative_total: bool = False
    total_over: Decimal | None = None


def draft_invoices(
    headers: pl.LazyFrame,
    items: pl.LazyFrame,
    unrated: pl.LazyFrame,
    exceptions: pl.LazyFrame,
    unpriced: pl.LazyFrame,
    sealed_months: tuple[str, ...],
    policy: HoldPolicy,
    voided: pl.LazyFrame | None = None,
    decided: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """One row per header that becomes an invoice, as of now, with its hold reasons.

    `headers` has segment_id, what a TRUEUP charges the rest of. Grain invoice_id: `unrated`, those with unrated usage;
    `exceptions`, with `exception_count`; and `unpriced`, those with a charge without a price, which are held like those
    with unrated usage. An invoice over nothing exists with total 0 unless its contract skips zero invoices (case 76).
    voided: void invoices without a replacement, by VOID; the draft of the same period or instant would replace it.
    decided: what people decided of invoices, by DECIDED.
    """
    voided = pl.LazyFrame(schema=VOID) if voided is None else voided
    decided = pl.LazyFrame(schema=DECIDED) if decided is None else decided
    contents = line_contents(items)
    held = pl.concat([unrated.select("invoice_id"), unpriced.select("invoice_id")]).unique()
    return (
        headers.join(sums(items), on="invoice_id", how="left")
        .with_columns(pl.col(SUMS).fill_null(zero()), pl.col("line_count").fill_null(0))
        .join(contents, on="invoice_id", how="left")
        .join(held.with_columns(unrated=pl.lit(value=True)), on="invoice_id", how="left")
        .join(exceptions.select("invoice_id", "exception_count"), on="invoice_id", how="left")
        .join(decided, on="invoice_id", how="left")
        .with_columns(stands_for=stands_for())
        .join(
            voided.select("contract_id", "stands_for", "replaces_invoice_id"),
            on=["contract_id", "stands_for"],
            how="left",
        )
        .filter(~is_skipped() | pl.col("replaces_invoice_id").is_not_null())
        .with_columns(
            status=pl.lit("DRAFT"),
            content_hash=content_hash(),
            hold_reasons=hold_reasons(sealed_months, policy),
        )
        .drop("line_text", "unrated", "exception_count", "stands_for", "decision")
    )


DECIDED = {"invoice_id": pl.String(), "decision": pl.String()}
"""Of an invoice: the last decision, `hold` or `release`."""
VOID: dict[str, pl.DataType] = dict.fromkeys(("contract_id", "stands_for", "replaces_invoice_id"), pl.String())


def stands_for() -> pl.Expr:
    """Of one contract: the period, the instant or the segment of a commit of which there is one invoice at a time that
    is not void."""
    of_period = pl.col("invoice_type").is_in(OF_PERIODS)
    kind = pl.when(of_period).then(pl.lit(USAGE)).otherwise("invoice_type")
    at = pl.coalesce("period_start", "issued_at").dt.timestamp("us").cast(pl.String)
    what = pl.when(pl.col("invoice_type") == "TRUEUP").then("segment_id").otherwise(at)
    return pl.concat_str([kind, what], separator=" ")


def with_predecessors(drafts: pl.LazyFrame, found: pl.LazyFrame) -> pl.LazyFrame:
    """`drafts` with `waits`, and PREDECESSOR_HELD among the reasons of those behind a held invoice of their pool.

    `found` has invoice_id, predecessor_held, waits.
    """
    reasons, reason = pl.col("hold_reasons"), "PREDECESSOR_HELD"
    alone, added = pl.lit(f'["{reason}"]'), reasons.str.replace("]", f',"{reason}"]', literal=True)
    held = pl.col("predecessor_held").fill_null(value=False)
    more = pl.when(~held).then(reasons).when(reasons == NOT_HELD).then(alone).otherwise(added)
    return (
        drafts.join(found, on="invoice_id", how="left")
        .with_columns(pl.col("waits").fill_null(value=False), hold_reasons=more)
        .drop("predecessor_held")
    )


def is_skipped() -> pl.Expr:
    """Whether it is of a period, and its contract wants none over nothing. Neither what balances pay to 0, since their
    DEDUCTION names the invoice, nor a total that unbilled usage holds at 0, nor what a person holds, is nothing."""
    return (
        pl.col("skip_zero_invoices")
        & pl.col("invoice_type").is_in(OF_PERIODS)
        & pl.all_horizontal(pl.col("total", "credits_applied", "postpaid_applied") == zero())
        & pl.col("unrated").is_null()
        & pl.col("decision").ne_missing(pl.lit("hold"))
        & ~exceeds(pl.col("exception_count"), pl.col("metric_exception_tolerance"))
    )


def line_contents(items: pl.LazyFrame) -> pl.LazyFrame:
    """One row per invoice: `line_text`, what its lines say, in the order of their numbers."""
    return items.group_by("invoice_id").agg(line_text=_row_text(HASHED_LINE).sort_by("line_number").str.join("\n"))


def content_hash() -> pl.Expr:
    """BLAKE3 over what an invoice says, header and lines; numbers and watermarks are not part of it."""
    return digest(pl.concat_str([_row_text(HASHED_INVOICE), pl.col("line_text").fill_null("")], separator="\n"))


def hold_reasons(sealed_months: tuple[str, ...], policy: HoldPolicy) -> pl.Expr:
    """The reasons as a JSON array, NOT_HELD where the invoice may be finalized (docs/semantics.md, Holds)."""
    over = pl.lit(policy.total_over, dtype=DECIMAL)
    is_released = pl.col("decision").eq_missing(pl.lit("release"))
    rules = {
        "UNRATED_USAGE": pl.col("unrated").fill_null(value=False),
        "METRIC_EXCEPTIONS": exceeds(pl.col("exception_count"), pl.col("metric_exception_tolerance")),
        "NEGATIVE_TOTAL": (pl.col("total") < zero()) & pl.lit(policy.negative_total),
        "TOTAL_OVER_LIMIT": exceeds(pl.col("total"), over),
        "SEALED_MONTH": pl.col("close_month").is_in(sealed_months) & pl.col("replaces_invoice_id").is_null(),
        "VOIDED": pl.col("replaces_invoice_id").is_not_null(),
        MANUAL: pl.col("decision").eq_missing(pl.lit("hold")),
    }
    rules |= {name: rules[name] & ~is_released for name in LIFTED}
    found = pl.concat_list([pl.when(rule).then(pl.lit(f'"{name}"')) for name, rule in rules.items()]).list.drop_nulls()
    return pl.concat_str([pl.lit("["), found.list.join(","), pl.lit("]")])


def _row_text(columns: tuple[str, ...]) -> pl.Expr:
    """One row as text: decimals plainly, instants in microseconds, absent values apart from empty ones."""
    return pl.concat_str([pl.col(name).cast(pl.String).fill_null("\x00") for name in columns], separator="\x1f")
