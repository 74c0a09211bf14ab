"""The ledger at cost: what of a prepaid commit's price each movement of its balance releases, or takes back."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.vouchers import month_of, void_of
from billing_assets.columns import DECIMAL
from billing_assets.identity import stable_id
from billing_assets.money import or_zero, proportion, zero

OPENINGS = ("GRANT", "SEAT_ADJUSTMENT", "ROLLOVER_IN")
_SEGMENT_ORDER = ("segment_id", "month", "at", "rank", "entry_id")


def releases(ledger: pl.LazyFrame, vouchers: pl.LazyFrame, late: pl.LazyFrame) -> pl.LazyFrame:
    """Grain entry_id, of prepaid commits and credits: the ledger with `month`, `at`, `voucher_id`, `kind` (the type, of
    a reversal that of what it reverses), `cost` and `release`.

    A segment of cost c that granted g has released c x used / g, rounded once at the 12th place, after each of its
    movements; a movement releases the difference, so that what is used up is released whole. Everything but an opening
    uses, and a manual entry that adds gives back. A reversal takes back what the reversed movement released. What rolls
    over takes its share of the cost along: the release of the ROLLOVER_OUT is the cost of the ROLLOVER_IN. late:
    `late_rows`.
    """
    prepaid = ledger.filter(pl.col("balance_type") != "POSTPAID").join(late, on="entry_id", how="left")
    dated = in_vouchers(prepaid, vouchers)
    into = dated.filter(pl.col("entry_type") == "ROLLOVER_IN")
    own = dated.join(into, on="segment_id", how="anti").pipe(released)
    moved = own.filter(pl.col("entry_type") == "ROLLOVER_OUT").select(
        out_id="entry_id", moved="release", out_month="month", out_at="at"
    )
    taken = into.select("entry_id", out_id=rolled_out_by()).join(moved, on="out_id").drop("out_id")
    with_cost = (
        dated.join(into, on="segment_id", how="semi")
        .join(taken, on="entry_id", how="left")
        .with_columns(
            cost=pl.coalesce("moved", "cost"), month=pl.coalesce("out_month", "month"), at=pl.coalesce("out_at", "at")
        )
        .drop("moved", "out_month", "out_at")
    )
    return taken_back(pl.concat([own, released(with_cost)]))


def in_vouchers(ledger: pl.LazyFrame, vouchers: pl.LazyFrame) -> pl.LazyFrame:
    """`ledger` with the voucher that each row is booked by, its own where no invoice moved it, and that one's dates."""
    reversed_ = ledger.select(
        reverses_entry_id="entry_id", reversed_type="entry_type", reversed_invoice="invoice_id"
    ).filter(pl.col("reverses_entry_id").is_not_null())
    of_void = pl.col("entry_type") == "VOID_REVERSAL"
    invoice = pl.when(of_void).then("reversed_invoice").otherwise("invoice_id")
    moves_with_invoice = pl.col("kind") == "DEDUCTION"
    voucher = pl.when(of_void).then(void_of(invoice)).otherwise(invoice)
    dates = vouchers.select("voucher_id", of_voucher="month", voucher_at="at", invoice_currency="currency")
    kept = ("entry_id", "entry_type", "balance_id", "balance_type", "segment_id", "customer_id", "contract_id",
            "amount", "cost", "unit", "reverses_entry_id")  # fmt: skip
    return (
        ledger.join(reversed_, on="reverses_entry_id", how="left")
        .with_columns(kind=pl.coalesce("reversed_type", "entry_type"))
        .with_columns(
            voucher_id=pl.when(moves_with_invoice).then(voucher).when(pl.col("entry_type") == "ROLLOVER_IN")
            .then(rolled_out_by()).otherwise("entry_id"),
            invoice_id=pl.when(moves_with_invoice).then(invoice),
        )
        .join(dates, on="voucher_id", how="left")
        .select(
            *kept, "kind", "voucher_id", "invoice_id", "invoice_currency",
            month=pl.coalesce("of_voucher", month_of(pl.col("late_at")), "close_month"),
            at=pl.coalesce("voucher_at", "late_at", "effective_at"),
            rank=pl.col("kind").is_in(OPENINGS).not_().cast(pl.Int8) + (pl.col("kind") == "EXPIRATION").cast(pl.Int8),
        )
    )  # fmt: skip


def released(entries: pl.LazyFrame) -> pl.LazyFrame:
    """`entries` with `release`, by segment; as if reversals were movements like others."""
    opens = pl.col("kind").is_in(OPENINGS)
    so_far = {
        "granted": pl.when(opens).then("amount").otherwise(zero()),
        "used": pl.when(opens).then(zero()).otherwise(-pl.col("amount")),
        "priced": pl.when(opens).then(or_zero("cost")).otherwise(zero()),
    }
    used = pl.max_horizontal("used", zero())
    # Where what replaces a void invoice is booked before the void, more is used for a while than is granted.
    whole, over = pl.min_horizontal("used", "granted"), pl.max_horizontal(pl.col("used") - pl.col("granted"), zero())
    share = proportion(whole, pl.col("granted"), pl.col("priced")) + beyond(over)
    free_or_unused = (pl.col("priced") == zero()) | (used == zero())
    after = pl.when(free_or_unused).then(zero()).when(used == pl.col("granted")).then("priced").otherwise(share)
    return (
        entries.sort(_SEGMENT_ORDER)
        .with_columns(amount.cum_sum().cast(DECIMAL).over("segment_id").alias(name) for name, amount in so_far.items())
        .with_columns(after=after.cast(DECIMAL))
        .with_columns(release=pl.col("after") - pl.col("after").shift(1).over("segment_id").fill_null(zero()))
        .drop("granted", "used", "priced", "after")
    )


def beyond(part: pl.Expr) -> pl.Expr:
    share = part / pl.when(pl.col("granted") > zero()).then("granted") * pl.col("priced")
    return pl.when(part > zero()).then(share).otherwise(zero())


def taken_back(entries: pl.LazyFrame) -> pl.LazyFrame:
    """`entries`, where a reversal releases exactly what it reverses, with the other sign."""
    undone = entries.select(reverses_entry_id="entry_id", undone=-pl.col("release"))
    reverses = entries.join(undone, on="reverses_entry_id", how="left")
    return reverses.with_columns(release=pl.coalesce("undone", "release")).drop("undone")


def rolled_out_by() -> pl.Expr:
    """Id of the ROLLOVER_OUT that a ROLLOVER_IN comes from: its balance is named after the segment and its contract."""
    source = pl.col("balance_id").str.strip_suffix(pl.concat_str(pl.lit("@"), "contract_id"))
    return stable_id("le", [pl.lit("ROLLOVER_OUT"), source, pl.col("segment_id")])
