"""Prepaid commits, balance by balance: a liability where more was invoiced than drawn, else a contract asset."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.accounts import COMMIT_PURCHASE, CONTRACT_ASSET, LIABILITY
from billing_assets.bookkeeping.vouchers import signed
from billing_assets.columns import DECIMAL
from billing_assets.money import zero

_ORDER = ("balance_id", "currency", "month", "at", "rank", "voucher_id", "line_item_id", "ledger_entry_id")
_EVENT = (*_ORDER, "raises")


def positions(lines: pl.LazyFrame, released: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (event, account): `amount` of an entry, debits positive, on the liability and on the contract asset.

    What is invoiced for a balance raises its position, what its movements release lowers it, and what rolls in raises
    the new balance's by what it lowers the old one's. A position above 0 is a liability, below 0 a contract asset; so
    neither account is ever on its wrong side. lines: of vouchers (`lines_of_vouchers`); released: `releases` with
    `currency`.
    """
    return (
        pl.concat([purchased(lines), moved(released)])
        .sort(_ORDER)
        .with_columns(after=pl.col("raises").cum_sum().cast(DECIMAL).over("balance_id", "currency"))
        .with_columns(before=pl.col("after") - pl.col("raises"))
        .pipe(_on_both)
        .filter(pl.col("amount") != zero())
    )


def purchased(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Lines that charge a balance."""
    return lines.filter(pl.col("line_type") == COMMIT_PURCHASE, "in_total").select(
        "balance_id", "currency", "month", "at", pl.lit(0, dtype=pl.Int8).alias("rank"), "voucher_id", "line_item_id",
        pl.lit(None, dtype=pl.String).alias("ledger_entry_id"),
        raises=signed(pl.col("amount"), pl.col("sign")),
    )  # fmt: skip


def moved(released: pl.LazyFrame) -> pl.LazyFrame:
    """Movements that release what was paid, and rollovers that bring it."""
    rolls_in = pl.col("entry_type") == "ROLLOVER_IN"
    raises = pl.when(rolls_in).then(pl.col("cost").fill_null(zero())).otherwise(zero()) - pl.col("release")
    return (
        released.with_columns(
            raises=raises, ledger_entry_id="entry_id", line_item_id=pl.lit(None, dtype=pl.String)
        )
        .filter(pl.col("raises") != zero())
        .select(_EVENT)
    )  # fmt: skip


def _on_both(events: pl.LazyFrame) -> pl.LazyFrame:
    liability = pl.max_horizontal("before", zero()) - pl.max_horizontal("after", zero())
    asset = pl.min_horizontal("before", zero()) - pl.min_horizontal("after", zero())
    columns = ("balance_id", "voucher_id", "line_item_id", "ledger_entry_id")
    return pl.concat(
        events.select(*columns, account=pl.lit(account), amount=amount)
        for account, amount in ((LIABILITY, liability), (CONTRACT_ASSET, asset))
    )
