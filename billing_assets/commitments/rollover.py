"""Rollover: what a renewal takes over of the old contract's balances (docs/semantics.md, Rollover; case 48)."""

from __future__ import annotations

import polars as pl

from billing_assets.commitments.access import BALANCE
from billing_assets.commitments.ledger import Batch, as_entries, entry_id
from billing_assets.money import proportion, zero
from billing_assets.periods import close_month

ROLLOVER: dict[str, pl.DataType] = {**BALANCE, "from_segment_id": pl.String(), "from_contract_id": pl.String()}


def rollovers(access: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment_id: the balance that a RENEWAL makes of each segment active at the old contract's end.

    `contracts`: contract_id, pool, starting_at, ending_before, follows_contract_id, transition_type. `amount` is the
    most that can roll over. The balance has the old one's terms, is drawn first, and ends with the new contract; it
    does not roll over again. To be added to `access`; what it holds is what the ledger gave it (`openings`).
    """
    terms = contracts.select("contract_id", "pool", starts="starting_at", ends="ending_before")
    renewals = (
        contracts.filter(pl.col("transition_type") == "RENEWAL")
        .select(new="contract_id", contract_id="follows_contract_id")
        .join(terms, left_on="new", right_on="contract_id")
        .join(contracts.select("contract_id", old_end="ending_before"), on="contract_id")
        .with_columns(old_end=pl.coalesce("old_end", "starts"))
    )
    active = (pl.col("starting_at") < pl.col("old_end")) & (
        pl.col("ending_before").is_null() | (pl.col("ending_before") >= pl.col("old_end"))
    )
    balance_id = pl.concat_str(["segment_id", "new"], separator="@")
    # What was paid for the segments of a balance together is spread over them.
    cost = proportion(pl.col("amount"), pl.col("amount").sum().over("balance_id"), pl.col("cost"))
    return (
        access.drop("pool")
        .with_columns(cost=cost)
        .filter(pl.col("rollover_fraction") > zero(), pl.col("balance_type") != "POSTPAID")
        .join(renewals, on="contract_id")
        .filter(active)
        .with_columns(
            from_segment_id="segment_id",
            from_contract_id="contract_id",
            balance_id=balance_id,
            commit_id=balance_id,
            segment_id=pl.concat_str([balance_id, pl.lit("/1")]),
            contract_id="new",
            invoice_contract_id="new",
            contract_count=pl.lit(1, dtype=pl.Int64),
            amount=pl.col("amount") * pl.col("rollover_fraction"),
            cost=pl.col("cost") * pl.col("rollover_fraction"),
            rollover_fraction=pl.lit(None),
            is_rollover=pl.lit(value=True),
            starting_at="starts",
            ending_before="ends",
            drawn_after="old_end",
        )
        .select(pl.col(name).cast(dtype) for name, dtype in ROLLOVER.items())
    )


def rolled(opened: pl.LazyFrame, draws: pl.LazyFrame, lines: pl.LazyFrame, rolling: pl.LazyFrame) -> pl.LazyFrame:
    """Grain segment_id of `rolling` (ROLLOVER) that the ledger does not have yet: `rolls`, with from_segment_id.

    min(what remains, the fraction of the original amount); what remains is what the invoices up to the old contract's
    last one leave, whether they are final or not. opened: `openings`.
    """
    until = rolling.select("from_segment_id", "drawn_after")
    taken = (
        draws.select("line_key", "drawn", from_segment_id="segment_id")
        .join(until, on="from_segment_id")
        .join(lines.select("line_key", "dated_at"), on="line_key")
        .filter(pl.col("dated_at") <= pl.col("drawn_after"))
        .group_by("from_segment_id")
        .agg(pl.col("drawn").sum())
    )
    has = opened.select(from_segment_id="segment_id", has="available")
    fresh = opened.filter(pl.col("movements") == 0).select("segment_id")
    rolls = pl.min_horizontal(pl.col("has") - pl.col("drawn").fill_null(zero()), "amount")
    return (
        rolling.join(fresh, on="segment_id", how="semi")
        .join(has, on="from_segment_id")
        .join(taken, on="from_segment_id", how="left")
        .select("segment_id", "from_segment_id", "from_contract_id", rolls=rolls)
        .filter(pl.col("rolls") > zero())
    )


def after_rollover(opened: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    """`opened` with what rolls over moved from the old segments' `available` to the new ones'."""
    gained = amounts.select("segment_id", gained="rolls")
    lost = amounts.select(segment_id="from_segment_id", lost="rolls")
    change = pl.col("gained").fill_null(zero()) - pl.col("lost").fill_null(zero())
    return (
        opened.join(gained, on="segment_id", how="left")
        .join(lost, on="segment_id", how="left")
        .with_columns(available=pl.col("available") + change)
        .drop("gained", "lost")
    )


def rollover_entries(
    opened: pl.LazyFrame, amounts: pl.LazyFrame, rolling: pl.LazyFrame, ended: pl.LazyFrame, batch: Batch
) -> pl.LazyFrame:
    """ROLLOVER_OUT and ROLLOVER_IN at the old contract's end, once its last invoice is final.

    amounts: `rolled`. ended: contract_id of contracts that are over and have no open invoice after the batch.
    """
    ready = amounts.join(ended.select(from_contract_id="contract_id"), on="from_contract_id", how="semi").join(
        rolling.select("segment_id", at="drawn_after"), on="segment_id"
    )
    described = opened.drop("amount", "cost", "close_month", strict=False)
    out = (
        ready.select("rolls", "at", into="segment_id", segment_id="from_segment_id")
        .join(described, on="segment_id")
        .with_columns(
            entry_type=pl.lit("ROLLOVER_OUT"),
            entry_id=entry_id("ROLLOVER_OUT", pl.col("into")),
            amount=-pl.col("rolls"),
            effective_at="at",
            close_month=close_month(pl.col("at")),
        )
    )
    into = (
        ready.select("rolls", "at", "segment_id", "from_segment_id")
        .join(described, on="segment_id")
        .with_columns(
            entry_type=pl.lit("ROLLOVER_IN"),
            entry_id=entry_id("ROLLOVER_IN", pl.col("from_segment_id")),
            amount="rolls",
            effective_at="at",
            close_month=pl.col("at").dt.strftime("%Y-%m"),
        )
    )
    return pl.concat([as_entries(out, batch), as_entries(into, batch)])
