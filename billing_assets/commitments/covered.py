"""Lines as an invoice shows them: covered parts, remainders, and the lines that apply a balance to them.

A covered line becomes its parts, each at the price that its balance paid, and a remainder, if any; what balances paid
is taken off by one negative line per invoice, segment and product (docs/semantics.md, What a draw covers; cases 10, 19,
39, 45 and 74).
"""

from __future__ import annotations

import polars as pl

from billing_assets.commitments.drawdown import Lanes, in_columns, ranked
from billing_assets.commitments.parts import discounts_of_part, discounts_of_rest
from billing_assets.money import decimal, zero

APPLICATION = "applied_commit_or_credit"

_OF_INVOICE = (
    "invoice_id", "customer_id", "contract_id", "currency", "minor_digits", "period_start", "period_end",
    "product_type", "tags", "rate_card_id",
)  # fmt: skip
"""What an application line has in common with the lines that it pays for."""


def covered_lines(
    lines: pl.LazyFrame, draws: pl.LazyFrame, access: pl.LazyFrame, lanes: Lanes | None = None
) -> pl.LazyFrame:
    """`lines` after `draws` (DRAW), with `in_total`, balance_id and segment_id.

    lines: every line of the drawn invoices by line_key, also those that nothing can draw on. A discount line has
    `atom_key`, the line_key of the line that it is taken off; it changes where a balance has prices of its own.
    """
    shown = [rest(rediscounted(lines, draws, lanes), draws), parts(lines, draws, access, lanes)]
    in_total = [part.with_columns(in_total=pl.lit(value=True)) for part in shown]
    return pl.concat([*in_total, applications(lines, draws, access)], how="diagonal_relaxed")


def rest(lines: pl.LazyFrame, draws: pl.LazyFrame) -> pl.LazyFrame:
    """Lines that nothing draws on, and remainders; a line that is covered whole has none."""
    drawn = draws.group_by("line_key").agg(pl.col("covered_quantity", "released").sum(), pl.col("closes").any())
    split = pl.col("closes").is_not_null()
    return (
        lines.join(drawn, on="line_key", how="left")
        .filter(~pl.col("closes").fill_null(value=False))
        .with_columns(
            quantity=pl.when(split).then(pl.col("quantity") - pl.col("covered_quantity")).otherwise("quantity"),
            amount=pl.when(split).then(pl.col("amount") - pl.col("released")).otherwise("amount"),
        )
        .with_columns(list_amount=pl.when(split).then("amount").otherwise("list_amount"))
        .drop("covered_quantity", "released", "closes")
    )


def parts(lines: pl.LazyFrame, draws: pl.LazyFrame, access: pl.LazyFrame, lanes: Lanes | None) -> pl.LazyFrame:
    """Covered parts. Grain (line_key, segment_id); the rate and override of the commit's own price where it has one.
    list_rate_id, list_override_id: those of the line that it is a part of (`invoicing.lines.list_line_item_id`)."""
    terms = access.select("segment_id", "balance_id")
    described = lines.drop("balance_id", "segment_id", "price_lane", strict=False)
    covered = described.join(priced_parts(draws, lanes), on="line_key").join(terms, on="segment_id")
    own = pl.col("price_lane") == "COMMIT"
    return covered.with_columns(
        quantity="covered_quantity",
        amount="covered_amount",
        unit_price="covered_unit_price",
        list_amount="released",
        is_part=pl.lit(value=True),
        list_rate_id="rate_id",
        list_override_id="override_id",
        rate_id=pl.when(own).then("own_rate_id").otherwise("rate_id"),
        override_id=pl.when(own).then("own_override_id").otherwise("override_id"),
    ).drop("covered_quantity", "covered_amount", "covered_unit_price", "released", "own_rate_id", "own_override_id")


def priced_parts(draws: pl.LazyFrame, lanes: Lanes | None) -> pl.LazyFrame:
    columns = (
        "line_key", "segment_id", "price_lane", "covered_quantity", "covered_amount", "covered_unit_price", "released",
        "own_rate_id", "own_override_id",
    )  # fmt: skip
    if lanes is None:
        absent = pl.lit(None, dtype=pl.String)
        return draws.with_columns(own_rate_id=absent, own_override_id=absent).select(columns)
    sources = lanes.prices.select("line_key", "commit_id", own_rate_id="rate_id", own_override_id="override_id")
    return draws.join(sources, on=["line_key", "commit_id"], how="left").select(columns)


def applications(lines: pl.LazyFrame, draws: pl.LazyFrame, access: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (invoice_id, contract_id, segment_id, product_id, amount_unit): what balances paid, negative.

    Out of the total where the commit is POSTPAID. What was covered for nothing has no line.
    """
    keys = ["invoice_id", "contract_id", "segment_id", "product_id", "amount_unit"]
    common = [pl.col(name).first() for name in _OF_INVOICE if name not in keys]
    terms = access.select("segment_id", "balance_id", "balance_type", "name", "starting_at", "ending_before")
    amount = -pl.col("paid")
    starts = pl.max_horizontal("starting_at", "period_start")
    return (
        draws.select("line_key", "segment_id", "paid")
        .join(lines.select("line_key", *dict.fromkeys((*keys[:2], *keys[3:], *_OF_INVOICE))), on="line_key")
        .group_by(keys)
        .agg(pl.col("paid").sum(), *common)
        .filter(pl.col("paid") != zero())
        .join(terms, on="segment_id")
        .with_columns(
            line_type=pl.lit(APPLICATION),
            quantity=decimal(1),
            unit_price=amount,
            amount=amount,
            list_amount=amount,
            is_fee=pl.lit(value=False),
            in_total=pl.col("balance_type") != "POSTPAID",
            starting_at=starts,
            # A fee in advance may draw on a segment that starts where the invoice's period ends.
            ending_before=pl.max_horizontal(starts, pl.min_horizontal("ending_before", "period_end")),
        )
        .drop("paid", "balance_type")
    )


def rediscounted(lines: pl.LazyFrame, draws: pl.LazyFrame, lanes: Lanes | None) -> pl.LazyFrame:
    """`lines` with the discount lines of what balances cover at prices of their own computed anew; their list_amount
    stays what list prices had taken."""
    if lanes is None or lanes.depth == 0:
        return lines
    changed = discounts_anew(lines, draws, lanes).select("discount_id", atom_key="line_key", anew=-pl.col("taken"))
    amount = [pl.coalesce("anew", name).alias(name) for name in ("unit_price", "amount")]
    return lines.join(changed, on=["atom_key", "discount_id"], how="left").with_columns(amount).drop("anew")


def discounts_anew(lines: pl.LazyFrame, draws: pl.LazyFrame, lanes: Lanes) -> pl.LazyFrame:
    """Grain (line_key, discount_id) of lines covered at a commit's own price: `taken`, off parts and rest."""
    ranks = range(lanes.depth)
    of_lines = lines.select("line_key", first_quantity="quantity", listed="amount")
    own = draws.filter(pl.col("price_lane") == "COMMIT").join(of_lines, on="line_key")
    columns = in_columns(lanes)
    off_part = discounts_of_part(pl.col("covered_amount"), pl.col("covered_quantity"), lanes.depth)
    by_line = (
        own.join(columns, on="line_key")
        .with_columns(taken.alias(f"part_{rank}") for rank, taken in enumerate(off_part))
        .group_by("line_key")
        .agg(pl.col("released", *(f"part_{rank}" for rank in ranks)).sum(), pl.col("listed").first())
        .join(columns, on="line_key")
        .with_columns(pl.col(f"part_{rank}").alias(f"discount_carried_{rank}") for rank in ranks)
    )
    off_rest = discounts_of_rest(pl.col("listed") - pl.col("released"), lanes.depth)
    both = by_line.with_columns(
        (pl.col(f"part_{rank}") + taken).alias(f"both_{rank}") for rank, taken in enumerate(off_rest)
    )
    taken = [both.select("line_key", rank=pl.lit(rank, dtype=pl.Int64), taken=f"both_{rank}") for rank in ranks]
    named = ranked(lanes.discounts).select("line_key", "rank", "discount_id")
    return pl.concat(taken).join(named, on=["line_key", "rank"])
