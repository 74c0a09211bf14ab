"""What an invoice and some of its lines were computed from: all that an explanation states, as frames to be printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.pipeline.traced_terms import limits_of, overrides_of, steps_of
from billing_assets.pipeline.tracing import SPAN
from billing_assets.runs.explained_carries import Carried, carried_of
from billing_assets.runs.invoiced import moved_from
from billing_assets.runs.late_usage import carried
from billing_assets.runs.periods import closed_periods
from billing_assets.runs.recomputing import as_of_batch
from billing_assets.runs.tracing import Recorded, periods_of, traced
from billing_assets.storage.lake import Lake

Frames = Mapping[str, pl.DataFrame]
ADJUSTMENTS = ("minimum_adjustment", "maximum_adjustment")
LATE = "late_usage"

ENTRY_ORDER = ("GRANT", "SEAT_ADJUSTMENT", "ROLLOVER_IN", "MANUAL", "VOID_REVERSAL", "DEDUCTION")
"""What of one batch moves a balance before what closes it: TRUEUP, ROLLOVER_OUT, EXPIRATION."""


@dataclass(frozen=True, slots=True)
class Late:
    """Late lines of the closed periods of one batch: its catalog, the trace of these periods with the events that their
    invoices had seen, and with those that this one has. lines: LINE, amount, what was carried before, and the number of
    the invoice that is corrected. seen_through: the last batch that had been billed."""

    recorded: Recorded
    before: Frames
    after: Frames
    lines: pl.DataFrame
    seen_through: int


@dataclass(frozen=True, slots=True)
class Explained:
    """Of the lines of an invoice that were asked for. usage: the frames of `pipeline.tracing.Traced`; None where no
    line is usage. overrides: `overrides_of`. ledger: entries of the segments that the invoice draws on, in the order
    in which they move the balance, with `before` and `after`. limits, steps: `limits_of`, `steps_of`. late: what came
    late; carried: what people had carried."""

    recorded: Recorded
    usage: Frames | None
    late: tuple[Late, ...]
    carried: Carried
    overrides: pl.DataFrame
    ledger: pl.DataFrame
    limits: pl.DataFrame
    steps: pl.DataFrame


def explained(lake: Lake, invoice: Mapping[str, Any], lines: pl.DataFrame) -> Explained:
    """`lines` are those of `invoice` that are to be explained, final or draft, as `line_items` has them."""
    marks = marks_of(lake, invoice)
    recorded = Recorded.of(lake, marks.catalog_version)
    own = owned(lines)
    usage = own.filter(pl.col("line_type") == "usage")
    late = own.filter(pl.col("line_type") == LATE)
    decided = carried_of(lake, late, recorded, marks)
    late = late.join(decided.lines, on="line_item_id", how="anti")
    return Explained(
        recorded=recorded,
        usage=None if usage.is_empty() else traced(lake, recorded, usage.select(*SPAN), marks),
        late=tuple(late_of(lake, late, recorded, marks)),
        carried=decided,
        overrides=lake.collect(overrides_of(own.lazy(), recorded.frames)),
        ledger=ledger_of(lake, invoice, lines),
        limits=limits(lake, own.filter(pl.col("line_type").is_in(ADJUSTMENTS)), recorded, marks),
        steps=lake.collect(steps_of(own.filter(pl.col("subscription_id").is_not_null()).lazy(), recorded.frames)),
    )


def marks_of(lake: Lake, invoice: Mapping[str, Any]) -> Watermarks:
    """The watermarks of an invoice. A draft has seen all of the books."""
    through = invoice["ledger_through"]
    return Watermarks(
        events_through=invoice["events_through"],
        ledger_through=lake.committed("books") if through is None else through,
        actions_through=invoice["actions_through"] or 0,
        catalog_version=invoice["catalog_version"],
        computed_as_of=invoice["computed_as_of"],
        engine_version=invoice["engine_version"],
    )


def owned(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with the contract and period whose usage they are, and whether they are a fee beside what is counted."""
    return lines.with_columns(
        contract_id="origin_contract_id", period_start="service_period_start", is_fee=pl.col("event_count").is_null()
    )


def late_of(lake: Lake, late: pl.DataFrame, recorded: Recorded, marks: Watermarks) -> list[Late]:
    """By the batch that closed the period, whose catalog and `now` the lines are of."""
    if late.is_empty():
        return []
    closed = closed_periods(lake, marks.ledger_through).select(
        "contract_id", "period_start", "period_end", "billed_through", closing="batch_no"
    )
    at = pl.col("starting_at")
    placed = lake.collect(
        late.lazy()
        .drop("period_start")
        .join(closed, on="contract_id")
        .filter(at >= pl.col("period_start"), at < pl.col("period_end"))
        .join(carried(lake, marks.ledger_through).rename({"amount": "carried"}).drop("quantity"),
              on="corrects_line_item_id", how="left")
        .join(lake.scan("invoices").select(corrects_invoice_id="invoice_id", corrects_number="invoice_number"),
              on="corrects_invoice_id", how="left")
        .with_columns(pl.col("carried").fill_null(0))
    )  # fmt: skip
    return [_late(lake, part, recorded, marks) for part in placed.partition_by("closing", maintain_order=True)]


def _late(lake: Lake, lines: pl.DataFrame, today: Recorded, marks: Watermarks) -> Late:
    then = as_of_batch(lake, lines["closing"][0])
    recorded = Recorded.of(lake, then.catalog_version)
    aliases, periods = recorded.frames.customer_aliases, lines.lazy().select("contract_id", "period_start")
    moved = moved_from(lake, aliases, today.frames.customer_aliases, periods, marks.ledger_through)
    adjusts = pl.col("product_type") != "USAGE"
    of_usage = lines.filter(pl.col("discount_id").is_null(), pl.col("rate_id").is_not_null(), ~adjusts)
    spans = of_usage.select(*SPAN)
    if spans.is_empty():
        return Late(recorded, {}, {}, lines, then.events_through)
    after = replace(then, events_through=marks.events_through)
    return Late(
        recorded=recorded,
        before=traced(lake, recorded, spans, then, moved),
        after=traced(lake, recorded, spans, after, moved),
        lines=lines,
        seen_through=then.events_through,
    )


def ledger_of(lake: Lake, invoice: Mapping[str, Any], lines: pl.DataFrame) -> pl.DataFrame:
    """Entries of the segments that the lines draw on, final ones and those of drafts, with the running balance."""
    segments = lines["segment_id"].drop_nulls().unique()
    chosen = pl.col("segment_id").is_in(segments.to_list())
    final = lake.scan("ledger_entries").filter(chosen)
    pending = (
        lake.scan("pending_ledger_entries").filter(chosen).join(final.select("entry_id"), on="entry_id", how="anti")
    )
    dates = pl.concat(
        [lake.scan(table).select("invoice_id", "period_end", "issued_at") for table in ("invoices", "draft_invoices")]
    ).unique("invoice_id")
    rank = pl.col("entry_type").replace_strict(
        {name: place for place, name in enumerate(ENTRY_ORDER)}, default=len(ENTRY_ORDER), return_dtype=pl.Int64
    )
    amount = pl.col("amount")
    columns = ("segment_id", "balance_id", "entry_type", "amount", "unit", "effective_at", "invoice_id", "batch_no")
    return lake.collect(
        pl.concat([frame.select(*columns, "entry_id") for frame in (final, pending)])
        .join(dates, on="invoice_id", how="left")
        .sort("segment_id", "batch_no", rank, "effective_at", "period_end", "issued_at", "entry_id", nulls_last=True)
        .with_columns(after=amount.cum_sum().over("segment_id"))
        .with_columns(before=pl.col("after") - amount)
        .with_columns(is_own=pl.col("invoice_id") == invoice["invoice_id"])
    )


def limits(lake: Lake, lines: pl.DataFrame, recorded: Recorded, marks: Watermarks) -> pl.DataFrame:
    """The minimum and maximum of the families of adjustment lines; nothing of a contract's minimum spend."""
    families = lines.filter(pl.col("product_id").is_not_null(), pl.col("product_type") == "USAGE")
    if families.is_empty():
        return pl.DataFrame(schema={"contract_id": pl.String(), "period_start": TIMESTAMP, "product_id": pl.String()})
    groups = families.with_columns(presentation_group_values=pl.lit("{}")).lazy()
    customers = families["origin_customer_id"].unique()
    periods, _ = periods_of(lake, recorded, families, customers, customers, marks)
    return lake.collect(limits_of(groups, periods.filter("is_billed").lazy(), recorded.frames))
