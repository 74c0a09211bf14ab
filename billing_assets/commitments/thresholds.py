"""Thresholds: the next commit that usage buys, from what hours of usage have drawn (docs/semantics.md, Thresholds)."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.commitments.access import BALANCE
from billing_assets.commitments.reach import Reach, meeting
from billing_assets.money import decimal, or_zero, zero

PURCHASE: dict[str, pl.DataType] = {"commit_id": pl.String(), "bought_at": TIMESTAMP, "amount": DECIMAL}
"""One purchase: the commit that its threshold buys, the hour, and what is granted, in the threshold's unit.
A threshold may buy several times in one hour."""

SPEND, RECHARGE = "SPEND", "BALANCE"
"""Kinds of thresholds: of uncovered usage, and of a balance."""


def purchased_segments(purchases: pl.LazyFrame, thresholds: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (commit, hour): the access segment of `purchases`, with the terms of `thresholds`.

    It runs from the hour to the end of the contract, or a year where that has none (case 0.23).
    """
    ends = contracts.select(invoice_contract_id="contract_id", contract_end="ending_before")
    hour = pl.col("bought_at")
    return (
        purchases.group_by("commit_id", "bought_at")
        .agg(pl.col("amount").sum())
        .join(thresholds, on="commit_id")
        .join(ends, on="invoice_contract_id")
        .with_columns(
            balance_id="commit_id",
            segment_id=pl.concat_str("commit_id", pl.lit("/"), hour.dt.strftime("%Y-%m-%dT%HZ")),
            starting_at=hour,
            ending_before=pl.coalesce("contract_end", hour.dt.offset_by("1y")),
            # Of a balance of several segments, the cost is that of all of them.
            cost=(pl.col("amount") * pl.col("fiat_per_unit") * pl.col("payment_fraction")).sum().over("commit_id"),
        )
    )


def purchase_charges(purchases: pl.LazyFrame, thresholds: pl.LazyFrame) -> pl.LazyFrame:
    """Grain purchase: its charge, as `commit_charges` has those of invoice schedules; in the order of `purchases`.

    Money is charged as one of its price, custom units by their number; the list price is that before the discount.
    """
    terms = thresholds.select(
        "commit_id", "product_id", "name", "in_units", "fiat_per_unit", "payment_fraction",
        contract_id="invoice_contract_id",
    )  # fmt: skip
    priced = purchases.with_row_index("position").join(terms, on="commit_id")
    return (
        priced.with_columns(
            pl.col("position").cast(pl.Int64),
            balance_id="commit_id",
            charged_at="bought_at",
            quantity=pl.when("in_units").then("amount").otherwise(decimal(1)),
            list_unit_price=pl.when("in_units").then("fiat_per_unit").otherwise("amount"),
        )
        .with_columns(
            unit_price=pl.col("list_unit_price") * pl.col("payment_fraction"),
            list_amount=pl.col("quantity") * pl.col("list_unit_price"),
        )
        .with_columns(amount=pl.col("quantity") * pl.col("unit_price"))
    )


def as_if_bought(thresholds: pl.LazyFrame, contracts: pl.LazyFrame) -> pl.LazyFrame:
    """BALANCE rows of what thresholds may buy, open from their contract's start: which lines such a commit reaches."""
    starts = contracts.select("starting_at", invoice_contract_id="contract_id")
    filled = thresholds.join(starts, on="invoice_contract_id").with_columns(
        balance_id="commit_id", segment_id="commit_id", amount="threshold"
    )
    present = filled.collect_schema().names()
    return filled.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name) for name, dtype in BALANCE.items()
    )


def watched_lines(found: Reach, lines: pl.LazyFrame, thresholds: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (threshold, line of its contract that its commit may pay): commit_id, line_key, hour, dated_at, net.

    `found` is the reach of `as_if_bought` over `lines`.
    """
    owners = thresholds.select("commit_id", contract_id="invoice_contract_id")
    return (
        meeting(found, found.lines, found.balances)
        .select("line", "balance")
        .join(found.lines.select("line", "line_key"), on="line")
        .join(found.balances.select("balance", commit_id="segment_id"), on="balance")
        .join(lines.select("line_key", "contract_id", "dated_at", "net", hour="incurred_from"), on="line_key")
        .join(owners, on=["commit_id", "contract_id"], how="semi")
        .select("commit_id", "line_key", "hour", "dated_at", "net")
    )


def spend_purchases(
    watched: pl.LazyFrame, draws: pl.LazyFrame, thresholds: pl.LazyFrame, since: pl.LazyFrame, now: datetime
) -> pl.LazyFrame:
    """Grain spend threshold that is reached: its next PURCHASE, at the first hour at which it is.

    The uncovered usage of a billing period is counted from `since` (commit_id, bought_at of its last purchase) on. An
    hour that alone is worth several thresholds buys as many times.
    """
    uncovered = (
        watched.join(draws.group_by("line_key").agg(pl.col("paid").sum()), on="line_key", how="left")
        .group_by("commit_id", "dated_at", "hour")
        .agg(uncovered=(pl.col("net") - or_zero("paid")).sum())
    )
    at_once = pl.col("uncovered") - pl.col("uncovered") % pl.col("threshold")
    return (
        uncovered.join(thresholds.filter(pl.col("kind") == SPEND), on="commit_id")
        .join(since, on="commit_id", how="left")
        .filter(pl.col("bought_at").is_null() | (pl.col("hour") >= pl.col("bought_at")))
        .sort("commit_id", "dated_at", "hour")
        .with_columns(so_far=pl.col("uncovered").cum_sum().over("commit_id", "dated_at"))
        .filter(pl.col("so_far") >= pl.col("threshold"), pl.col("hour") <= pl.lit(now, dtype=TIMESTAMP))
        .group_by("commit_id")
        .agg(pl.col("hour", "uncovered", "threshold").min_by("hour"))
        .select("commit_id", bought_at="hour", amount=pl.max_horizontal("threshold", at_once))
    )


def recharges(
    watched: pl.LazyFrame,
    draws: pl.LazyFrame,
    lines: pl.LazyFrame,
    opened: pl.LazyFrame,
    shares: pl.LazyFrame,
    thresholds: pl.LazyFrame,
    since: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    """Grain balance threshold that is reached: its next PURCHASE, of what its balance lacks at the end of that hour.

    The balance is what is left, in the threshold's unit, of what its contract may draw and the threshold counts
    (`shares`), and whose access is open. `opened` as `openings`, the balances with what open invoices may draw; `since`
    as of `spend_purchases`, which has the start of the contract's first open period too (`open_from`).
    """
    terms = thresholds.filter(pl.col("kind") == RECHARGE)
    counted = (
        terms.select("commit_id", "unit", contract_id="invoice_contract_id")
        .join(shares.rename({"commit_id": "shared"}), on="contract_id")
        .join(
            opened.select("segment_id", "unit", "available", "starting_at", "ending_before", shared="commit_id"),
            on=["shared", "unit"],
        )
        .select("commit_id", "segment_id", "available", "starting_at", "ending_before")
    )
    drawn = draws.select("line_key", "segment_id", "drawn").join(
        lines.select("line_key", hour="incurred_from"), on="line_key"
    )
    totals = drawn.group_by("segment_id").agg(pl.col("drawn").sum())
    left = pl.col("available") - or_zero("drawn")
    moves = [
        counted.select("commit_id", hour="starting_at", move="available"),
        counted.filter(pl.col("ending_before").is_not_null())
        .join(totals, on="segment_id", how="left")
        .select("commit_id", hour="ending_before", move=-left),
        counted.join(drawn, on="segment_id").select("commit_id", "hour", move=-pl.col("drawn")),
        # Usage that draws nothing looks at the balance too.
        watched.filter(pl.col("net") != zero()).select("commit_id", "hour", move=zero()),
    ]
    hour, last = pl.col("hour"), pl.max_horizontal("bought_at", "open_from")
    return (
        pl.concat(moves)
        .group_by("commit_id", "hour")
        .agg(pl.col("move").sum())
        .sort("commit_id", "hour")
        .with_columns(balance=pl.col("move").cum_sum().over("commit_id"))
        .join(terms, on="commit_id")
        .join(since, on="commit_id")
        .filter(pl.col("balance") <= pl.col("threshold"), hour >= last, hour <= pl.lit(now, dtype=TIMESTAMP))
        .filter(pl.col("open_until").is_null() | (hour < pl.col("open_until")))
        .group_by("commit_id")
        .agg(pl.col("hour", "balance", "recharge_to").min_by("hour"))
        .select("commit_id", bought_at="hour", amount=pl.col("recharge_to") - pl.col("balance"))
    )
