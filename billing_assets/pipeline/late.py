"""Late usage: what events that came after an invoice was final change of its lines, and the invoices that carry it.

A final period is computed twice with what its invoice was computed from: with the events that it had seen, and with
those of now. What differs is late (docs/semantics.md, Late usage).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from billing_assets import metering
from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.headers import correction_invoices
from billing_assets.invoicing.lines import line_items
from billing_assets.money import decimal, share, zero
from billing_assets.pipeline.charging import Charged, keyed
from billing_assets.pipeline.drawing import Count, Hold
from billing_assets.pipeline.given import Inputs
from billing_assets.pipeline.list_prices import at_list_prices
from billing_assets.pipeline.thresholds import with_purchases
from billing_assets.rating.lines import RATED_LINE

LATE = "late_usage"
CARRY, CORRECT, REPORT = "CARRY_FORWARD", "CORRECTION", "REPORT_ONLY"
PERIOD = ("contract_id", "period_start")
CHARGED_ANYWAY = ("subscription", "scheduled", "commit_purchase")
_NUMBERS = ("quantity", "amount", "net")
DESCRIBED = tuple(name for name in RATED_LINE if name not in (*_NUMBERS, "period_start", "period_end"))
"""What a late line has of the line that it corrects."""

LATE_PERIOD: dict[str, pl.DataType] = {
    **dict.fromkeys(("contract_id", "customer_id", "close_month", "final_invoice_id", "policy"), pl.String()),
    **dict.fromkeys(("period_start", "period_end", "full_start", "full_end", "final_issued_at"), TIMESTAMP),
    "all_billed": pl.Boolean(),
}
"""Grain PERIOD: closed periods that usage has come into since. policy: what becomes of it; all_billed: none of it is
unrated, an exception, or otherwise what an invoice cannot bill. final_invoice_id: null where the period was skipped."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """lines: of closed periods at list prices, by line_item_id, RATED_LINE columns, and the final invoice_id. listed:
    events that are not billed; grain PERIOD, `events`."""

    lines: pl.LazyFrame
    listed: pl.LazyFrame

    def that_is_carried(self) -> Recomputed:
        """Without charges that come by themselves on the next invoice where the catalog has them anew."""
        return replace(self, lines=self.lines.filter(~pl.col("line_type").is_in(CHARGED_ANYWAY)))


@dataclass(frozen=True, slots=True)
class Late:
    """periods: LATE_PERIOD. lines: what outstanding differences there are, RATED_LINE columns of PERIOD with
    corrects_invoice_id and corrects_line_item_id. corrections: CORRECTION invoices that exist, void ones too:
    contract_id, period_start, regeneration. variances: columns of `invoice_variances`."""

    periods: pl.LazyFrame
    lines: pl.LazyFrame
    corrections: pl.LazyFrame
    variances: pl.LazyFrame

    def uncarried(self, periods: pl.LazyFrame) -> pl.LazyFrame:
        """Grain PERIOD: those whose late lines are on a CORRECTION, since no open one of `periods` carries them."""
        asked = self.periods.filter(pl.col("policy") != REPORT).select(*PERIOD, "policy")
        lines = self.lines.filter(pl.col("amount") != zero()).select(*PERIOD, "currency").unique()
        due = lines.join(asked, on=PERIOD).join(carriers(periods), on=["contract_id", "currency"], how="left")
        return due.filter((pl.col("policy") == CORRECT) | pl.col("carrying").is_null()).select(PERIOD).unique()


def carriers(periods: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (contract_id, currency): `carrying`, the start of the contract's first open period, whose invoice carries
    late usage in the same currency."""
    return periods.filter("is_open").group_by("contract_id", "currency").agg(carrying=pl.col("period_start").min())


def recompute(given: Inputs, hold: Hold, count: Count) -> Recomputed:
    """The billed periods of `given`, as they would be billed, before balances."""
    given = with_purchases(given, hold, count)
    found = at_list_prices(given, hold)
    outcome = metering.disposed(found.attributed.candidates, found.attributed.usage, found.quantified)
    listed = metering.listed(outcome, None).group_by(PERIOD).agg(events=pl.col("event_count").sum())
    items = line_items(found.charged.lines, found.charged.headers).filter(pl.col("line_type") != "rounding")
    lines = items.with_columns(contract_id="origin_contract_id", customer_id="origin_customer_id")
    columns = ("line_item_id", "invoice_id", "period_start", *DESCRIBED, *_NUMBERS)
    return Recomputed(hold(lines.select(columns)), hold(listed))


def differences(before: Recomputed, after: Recomputed) -> pl.LazyFrame:
    """Grain line_item_id: all lines, with `before` and `after`; quantity, amount and net are the difference."""
    signed = [
        frame.with_columns(
            *(pl.col(name) * decimal(sign) for name in _NUMBERS),
            **{column: pl.col("amount"), other: zero()},
        )
        for frame, sign, column, other in ((after.lines, 1, "after", "before"), (before.lines, -1, "before", "after"))
    ]
    together = pl.concat(signed, how="diagonal").group_by("line_item_id", maintain_order=True)
    return together.agg(
        pl.col("invoice_id", "period_start", *DESCRIBED).first(), pl.col(*_NUMBERS, "before", "after").sum()
    )


def with_gone(found: pl.LazyFrame, carried: pl.LazyFrame) -> pl.LazyFrame:
    """`found` (`differences`), and at 0 the lines of `carried` (its columns but the numbers and the currency's) that it
    has no longer: those of a tier that usage has left again, of which all that was carried is to be given back."""
    currency = found.group_by("contract_id").agg(pl.col("currency", "minor_digits").first())
    gone = carried.join(found.select("line_item_id"), on="line_item_id", how="anti").join(currency, on="contract_id")
    zeros = dict.fromkeys((*_NUMBERS, "before", "after"), zero())
    return pl.concat([found, gone.with_columns(**zeros)], how="diagonal_relaxed")


def outstanding(found: pl.LazyFrame, carried: pl.LazyFrame) -> pl.LazyFrame:
    """`found` (`differences`) less what late lines have `carried` (corrects_line_item_id, amount, quantity): RATED_LINE
    columns of a late line, with corrects_invoice_id, corrects_line_item_id, before, after and `carried`.

    A line's quantity is the difference where it explains the amount, and else 1. What balances may pay is the same
    part of what is outstanding as of the whole difference.
    """
    taken = carried.select("corrects_line_item_id", carried="amount", carried_quantity="quantity")
    amount = pl.col("amount") - pl.col("carried")
    left = pl.col("quantity") - pl.col("carried_quantity")
    explains = left * pl.col("unit_price") == pl.col("outstanding")
    return (
        found.rename({"line_item_id": "corrects_line_item_id", "invoice_id": "corrects_invoice_id"})
        .join(taken, on="corrects_line_item_id", how="left")
        .with_columns(pl.col("carried", "carried_quantity").fill_null(zero()))
        .filter((pl.col("amount") != zero()) | (pl.col("carried") != zero()))
        .with_columns(outstanding=amount)
        .with_columns(
            quantity=pl.when(explains).then(left).otherwise(decimal(1)),
            unit_price=pl.when(explains).then("unit_price").otherwise("outstanding"),
            net=pl.when(pl.col("carried") == zero())
            .then("net")
            .when(pl.col("amount") == zero())
            .then("outstanding")
            .otherwise(pl.col("net") * share(pl.col("outstanding"), pl.col("amount"))),
            amount="outstanding",
        )
        .with_columns(
            line_type=pl.lit(LATE), list_unit_price="unit_price", list_amount="amount", caps_lanes=pl.lit(value=False)
        )
        .drop("carried_quantity")
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """charged: with the late lines, and the CORRECTION invoices. periods: LATE_PERIOD of which the usage is billed with
    this computation, with the invoice_id that carries it; null where it changes nothing."""

    charged: Charged
    periods: pl.LazyFrame


def placed_late(given: Inputs, found: Charged, hold: Hold) -> Placed:
    """`found` with the late lines that its invoices carry.

    CARRY_FORWARD: on the invoice of the contract's first open period; where it has none any more, or one in another
    currency, and with CORRECTION, on a CORRECTION invoice. What belongs to an invoice that is not computed here is
    left to who computes it.
    """
    late = given.late
    if late is None:
        return Placed(found, pl.LazyFrame(schema={**LATE_PERIOD, "invoice_id": pl.String()}))
    policies = late.periods.select(*PERIOD, "policy").filter(pl.col("policy") != REPORT)
    due = (
        late.lines.filter(pl.col("amount") != zero())
        .join(policies, on=PERIOD)
        .join(carriers(given.periods), on=["contract_id", "currency"], how="left")
        .with_columns(carrying=pl.when(pl.col("policy") == CARRY).then("carrying"))
    )
    usage = found.of_periods.select("contract_id", "invoice_id", "period_end", carrying="period_start")
    carried = due.join(usage, on=["contract_id", "carrying"])
    alone = due.filter(pl.col("carrying").is_null()).drop("carrying")
    if not corrects(given.month, given.now):
        alone = alone.clear()
    frames = given.frames
    headers = hold(correction_invoices(alone, late.corrections, frames.contracts, frames.customers, given.now))
    keys = headers.select("invoice_id", "period_start", payer_contract_id="contract_id")
    payers = frames.contracts.select("contract_id", "payer_contract_id")
    corrected = alone.join(payers, on="contract_id").join(keys, on=["payer_contract_id", "period_start"])
    lines = hold(
        pl.concat(
            [carried.with_columns(corrected_start="period_start", period_start="carrying"),
             corrected.with_columns(corrected_start="period_start")],
            how="diagonal_relaxed",
        )
    )  # fmt: skip
    columns = [name for name in (*RATED_LINE, *CORRECTS, "invoice_id") if name in lines.collect_schema().names()]
    together = pl.concat([found.lines, lines.select(columns)], how="diagonal_relaxed")
    charged = replace(
        found,
        lines=hold(keyed(together)),
        headers=hold(pl.concat([found.headers, headers], how="diagonal_relaxed")),
        corrections=headers,
    )
    return Placed(charged, hold(billed_with(late, due, lines)))


CORRECTS = ("corrects_invoice_id", "corrects_line_item_id")


def billed_with(late: Late, due: pl.LazyFrame, lines: pl.LazyFrame) -> pl.LazyFrame:
    """LATE_PERIOD with invoice_id: those whose late usage is all billed by the `lines` placed, or changes nothing."""
    carriers = lines.group_by("contract_id", period_start="corrected_start").agg(pl.col("invoice_id").first())
    changes = due.select(PERIOD).unique().with_columns(has_lines=pl.lit(value=True))
    return (
        late.periods.filter(pl.col("policy") != REPORT, "all_billed")
        .join(changes, on=PERIOD, how="left")
        .join(carriers, on=PERIOD, how="left")
        .filter(pl.col("has_lines").is_null() | pl.col("invoice_id").is_not_null())
        .drop("has_lines")
    )


def corrects(month: str | None, now: datetime) -> bool:
    """Whether CORRECTION invoices, dated `now`, are computed with `month`: not before the invoices that end by then."""
    return month is None or month >= correcting_month(now)


def correcting_month(now: datetime) -> str:
    """The first month with which they are: the one before that of `now`."""
    return f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"
