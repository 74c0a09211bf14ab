"""Discounts: what a contract takes off its usage, subscription and composite lines (docs/semantics.md, Discounts).

Percentages in catalog order, each of what the former left; then fixed amounts in catalog order, each taken off the
lines in their order until it is used up. A contract's discounts have one fixed order, so that what must be walked is
the place of a discount in its contract: the first discount of every contract, then the second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.line_order import order_of_lines
from billing_assets.money import ONE, decimal, or_zero, zero
from billing_assets.periods import hours_between
from billing_assets.rating.grain import GROUP
from billing_assets.rating.lines import RATED_LINE, as_rated_lines
from billing_assets.rating.terms import DiscountTerms

DISCOUNTED_TYPES = ("usage", "subscription", "composite")

ALLOWANCE = ("contract_id", "period_start", "discount_id")
"""A fixed discount is one amount per USAGE invoice, which is one per contract and period."""

USED: dict[str, pl.DataType] = {
    "contract_id": pl.String(),
    "period_start": TIMESTAMP,
    "discount_id": pl.String(),
    "used": DECIMAL,
}


OFFER = ("discount_id", "name", "fraction", "allowance", "invoice")

Hold = Callable[[pl.LazyFrame], pl.LazyFrame]
"""Compute a frame once and give it back to be read many times."""


@dataclass(frozen=True, slots=True)
class Discounted:
    """lines: as given, with `net` less their discounts. discounts: RATED_LINE of line_type discount, one per (discount,
    line) that it takes from. used: grain ALLOWANCE, what of the fixed discounts is used up so far."""

    lines: pl.LazyFrame
    discounts: pl.LazyFrame
    used: pl.LazyFrame


def nothing_used() -> pl.LazyFrame:
    """`used` before the first line of an invoice."""
    return pl.LazyFrame(schema=USED)


def discount_cuts(groups: pl.LazyFrame, periods: pl.LazyFrame, frames: DiscountTerms) -> pl.LazyFrame:
    """GROUP and `at`: where a discount of the group's product begins or ends inside its period."""
    spans = periods.select("contract_id", "period_start", "period_end")
    bounds = pl.concat(
        [frames.discounts.select("contract_id", "discount_id", at=at) for at in ("starting_at", "ending_before")]
    )
    inside = (
        bounds.join(spans, on="contract_id")
        .filter(pl.col("period_start") < pl.col("at"), pl.col("at") < pl.col("period_end"))
        .join(frames.discount_targets, on="discount_id")
        .select("contract_id", "period_start", "product_id", "at")
        .unique()
    )
    return groups.select(GROUP).join(inside, on=["contract_id", "period_start", "product_id"])


def cached(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.cache()


def discount(
    lines: pl.LazyFrame,
    periods: pl.LazyFrame,
    frames: DiscountTerms,
    used: pl.LazyFrame,
    depth: int,
    hold: Hold = cached,
) -> Discounted:
    """Take the discounts of their contracts off `lines`, of one line type or of several.

    `lines` as RATED_LINE (they may have more columns, which their discount lines have too); those without period_start
    are on no USAGE invoice, and no fixed discount takes from them. `used`: what earlier calls for the same invoices
    left used up, so that usage comes before subscriptions and these before composites. depth: at least as many as a
    contract has discounts; 0: there are none.
    """
    if depth == 0:
        return Discounted(lines, pl.LazyFrame(schema=RATED_LINE), used)
    more = [name for name in lines.collect_schema().names() if name not in RATED_LINE]
    numbered = lines.with_row_index("line").cache()
    offered = hold(offers(numbered, periods, frames, used))
    state = hold(walked(numbered.join(offered.select("line").unique(), on="line", how="semi"), offered, depth))
    made = pl.concat([discount_lines(state, rank) for rank in range(depth)])
    return Discounted(
        lines=numbered.join(state.select("line", "left"), on="line", how="left")
        .with_columns(net=pl.coalesce("left", "net"))
        .drop("line", "left"),
        discounts=as_rated_lines(made, more),
        used=used_up(used, [fixed_taken(state, rank) for rank in range(depth)]),
    )


def places(frames: DiscountTerms) -> pl.LazyFrame:
    """`discounts` with a number, and `rank`: the place in its contract, 0 is taken first; percentages come first."""
    is_fixed = (pl.col("discount_type") == "FIXED").cast(pl.Int8)
    return (
        frames.discounts.sort("contract_id", is_fixed, "discount_position")
        .with_row_index("discount")
        .with_columns(rank=pl.col("discount") - pl.col("discount").min().over("contract_id"))
    )


def offers(lines: pl.LazyFrame, periods: pl.LazyFrame, frames: DiscountTerms, used: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (line, discount that matches it): rank, discount_id, name, `fraction` or `allowance` (what it has left for
    the `invoice`, a number)."""
    at, start, end = pl.col("incurred_from"), pl.col("discount_start"), pl.col("discount_end")
    in_currency = pl.col("amount_unit") == pl.col("currency")
    is_fixed = pl.col("discount_type") == "FIXED"
    ranked = places(frames).cache()
    invoices = periods.with_row_index("invoice").cache()
    targets = frames.discount_targets.join(ranked.select("discount_id", "discount"), on="discount_id")
    return (
        lines.filter(pl.col("line_type").is_in(DISCOUNTED_TYPES))
        .select("line", "contract_id", "period_start", "product_id", "incurred_from", "amount_unit", "currency")
        .join(ranked.rename({"starting_at": "discount_start", "ending_before": "discount_end"}), on="contract_id")
        .filter(at >= start, end.is_null() | (at < end), ~is_fixed | in_currency)
        .join(targets, on=["discount", "product_id"], how="semi")
        .join(invoices.select("contract_id", "period_start", "invoice"), on=["contract_id", "period_start"], how="left")
        .join(allowances(ranked, invoices, used), on=["invoice", "discount"], how="left")
        .with_columns(fraction=pl.when(~is_fixed).then("value"))
        .filter(pl.col("fraction").is_not_null() | pl.col("allowance").is_not_null())
        .select("line", "rank", "discount_id", "name", "fraction", "allowance", "invoice")
    )


def allowances(ranked: pl.LazyFrame, invoices: pl.LazyFrame, used: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (invoice, discount): what a fixed discount still has for the invoice, prorated for a cut period."""
    hours = hours_between(pl.col("period_start"), pl.col("period_end"))
    full = hours_between(pl.col("full_start"), pl.col("full_end"))
    spans = invoices.select("invoice", "contract_id", "period_start", "period_end", "full_start", "full_end")
    return (
        ranked.filter(pl.col("discount_type") == "FIXED")
        .select("discount", "contract_id", "discount_id", "value")
        .join(spans, on="contract_id")
        .join(used, on=ALLOWANCE, how="left")
        .select("invoice", "discount", allowance=pl.col("value") * hours / full - or_zero("used"))
    )


def walked(lines: pl.LazyFrame, offered: pl.LazyFrame, depth: int) -> pl.LazyFrame:
    """`lines` in their order with `left`, and for each place of a discount `offer_<what>_<rank>` and `taken_<rank>`;
    null where the discount of that place does not match."""
    state = lines.sort(order_of_lines(), nulls_last=False).with_columns(left="amount")
    for rank in range(depth):
        place = offered.filter(pl.col("rank") == rank).select(
            "line", *(pl.col(name).alias(f"offer_{name}_{rank}") for name in OFFER)
        )
        state = (
            state.join(place, on="line", how="left", maintain_order="left")
            .with_columns(taken(rank).alias(f"taken_{rank}"))
            .with_columns(left=pl.col("left") - or_zero(f"taken_{rank}"))
        )
    return state


def taken(rank: int) -> pl.Expr:
    """What the discount of `rank` takes off each line, of what the former left; null where it does not match.

    The lines are in their order. A percentage of a negative line gives back; a fixed amount takes from positive ones.
    """
    allowance = pl.col(f"offer_allowance_{rank}")
    matched = allowance.is_not_null()
    wanted = pl.when(matched & (pl.col("left") > zero())).then("left").otherwise(zero())
    before = (wanted.cum_sum() - wanted).over(f"offer_invoice_{rank}")
    fixed = pl.min_horizontal(wanted, pl.max_horizontal(allowance - before, zero()))
    return pl.coalesce(pl.col("left") * pl.col(f"offer_fraction_{rank}"), pl.when(matched).then(fixed))


def discount_lines(state: pl.LazyFrame, rank: int) -> pl.LazyFrame:
    """The lines of one place: what it takes, negative, with the identity of the line that it is taken from."""
    amount = -pl.col(f"taken_{rank}")
    return state.filter(amount != zero()).with_columns(
        line_type=pl.lit("discount"),
        discount_id=pl.col(f"offer_discount_id_{rank}"),
        name=pl.col(f"offer_name_{rank}"),
        quantity=decimal(ONE),
        unit=pl.lit(None, dtype=pl.String),
        unit_price=amount,
        amount=amount,
        list_unit_price=amount,
        list_amount=amount,
        net=zero(),
        event_count=pl.lit(None, dtype=pl.Int64),
    )


def fixed_taken(state: pl.LazyFrame, rank: int) -> pl.LazyFrame:
    """Grain (line, ALLOWANCE) of one place: what a fixed discount takes."""
    return state.filter(pl.col(f"offer_allowance_{rank}").is_not_null()).select(
        "contract_id",
        "period_start",
        discount_id=f"offer_discount_id_{rank}",
        used=f"taken_{rank}",
    )


def used_up(used: pl.LazyFrame, newly: list[pl.LazyFrame]) -> pl.LazyFrame:
    """`used` and what fixed discounts have newly taken."""
    return pl.concat([used.select(*USED), *newly]).group_by(ALLOWANCE).agg(pl.col("used").sum())
