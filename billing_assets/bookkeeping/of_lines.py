"""Entries of the lines of invoices: revenue, what lowers it, and the receivable."""

from __future__ import annotations

import polars as pl

from billing_assets.bookkeeping.accounts import (
    APPLICATION,
    COMMIT_DISCOUNTS,
    COMMIT_PURCHASE,
    COMPOSITE,
    CONVERSION,
    CREDITS,
    OF_LINES,
    RECEIVABLE,
    SUBSCRIPTION,
    USAGE,
)
from billing_assets.bookkeeping.vouchers import signed
from billing_assets.columns import DECIMAL
from billing_assets.money import or_zero, proportion, zero

_SOURCE = ("voucher_id", "customer_id", "contract_id", "product_id", "balance_id", "line_item_id")


def lines_of_vouchers(items: pl.LazyFrame, vouchers: pl.LazyFrame) -> pl.LazyFrame:
    """Every line of every voucher: on a void once more, with `sign` -1."""
    columns = ("invoice_id", "voucher_id", "month", "at", "currency", "sign")
    return items.drop("close_month").join(vouchers.select(columns), on="invoice_id")


def receivables(vouchers: pl.LazyFrame) -> pl.LazyFrame:
    """The total of each invoice, as the customer owes it."""
    return vouchers.select(
        "voucher_id", "contract_id", customer_id="payer_customer_id", account=pl.lit(RECEIVABLE),
        amount=signed(pl.col("total"), pl.col("sign")),
    )  # fmt: skip


def charges(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Lines in the total, each on the account of its type; purchases of commits and conversions are others'."""
    elsewhere = (COMMIT_PURCHASE, CONVERSION, APPLICATION)
    return lines.filter("in_total", ~pl.col("line_type").is_in(elsewhere)).select(
        *_SOURCE,
        account=pl.col("line_type").replace_strict(OF_LINES, return_dtype=pl.String),
        amount=-signed(pl.col("amount"), pl.col("sign")),
    )


def applied(lines: pl.LazyFrame, released: pl.LazyFrame) -> pl.LazyFrame:
    """What balances pay. Of money: what they cover beyond what is released of their cost, which lowers revenue. Of
    custom units, which have no price in money: revenue is what is released.

    The release of a movement is spread over its lines in proportion to what they apply, by cumulative rounding.
    """
    keys = ("voucher_id", "segment_id")
    of_segments = (
        released.filter(pl.col("kind") == "DEDUCTION")
        .group_by(keys)
        .agg(pl.col("release").sum().cast(DECIMAL), pl.col("balance_type").first())
    )
    paid = pl.col("paid")
    found = (
        lines.filter(pl.col("line_type") == APPLICATION)
        .with_columns(paid=-pl.col("amount"))
        .join(of_segments, on=keys, how="left")
        .filter(pl.col("in_total") | pl.col("balance_type").is_not_null())
        .sort(*keys, "line_number", "line_item_id")
        .with_columns(so_far=paid.cum_sum().cast(DECIMAL).over(keys), whole=paid.sum().cast(DECIMAL).over(keys))
        .with_columns(released=_share_of_release())
        .with_columns(share=pl.col("released") - pl.col("released").shift(1).over(keys).fill_null(zero()))
    )
    beyond = signed(paid, pl.col("sign")) - pl.col("share")
    is_credit = (pl.col("balance_type") == "CREDIT").fill_null(value=False)
    of_money = pl.when(is_credit).then(pl.lit(CREDITS)).otherwise(pl.lit(COMMIT_DISCOUNTS))
    return found.select(
        *_SOURCE,
        account=pl.when("in_total").then(of_money).otherwise(_of_product()),
        amount=pl.when("in_total").then(beyond).otherwise(-pl.col("share")),
    )


def _share_of_release() -> pl.Expr:
    release, so_far, whole = or_zero("release"), pl.col("so_far"), pl.col("whole")
    share = pl.when(so_far == whole).then(release.abs()).otherwise(proportion(so_far, whole, release.abs()))
    return pl.when(release == zero()).then(zero()).when(release < zero()).then(-share).otherwise(share)


def conversions(lines: pl.LazyFrame, released: pl.LazyFrame) -> pl.LazyFrame:
    """What is left of custom units, in money: revenue of the products that were priced in them.

    A conversion line is spread over its products by the units that each has left, by cumulative rounding; where these
    are not the units of the line, it is on no product.
    """
    keys = ("voucher_id", "unit", "rate_card_id")
    prepaid = released.filter(pl.col("kind") == "DEDUCTION").select("voucher_id", "segment_id").unique()
    unpaid = lines.filter(pl.col("amount_unit") != pl.col("currency")).with_columns(unit="amount_unit")
    of_balances = unpaid.filter(pl.col("line_type") == APPLICATION).join(
        prepaid, on=("voucher_id", "segment_id"), how="semi"
    )
    left = (
        pl.concat([unpaid.filter(pl.col("line_type") != APPLICATION), of_balances])
        .group_by(*keys, part="product_id")
        .agg(units=pl.col("amount").sum().cast(DECIMAL), part_type=pl.col("product_type").first())
        .filter(pl.col("units") != zero())
        .sort(*keys, "part")
        .with_columns(so_far=pl.col("units").cum_sum().cast(DECIMAL).over(keys), all=pl.col("units").sum().over(keys))
        .with_columns(before=pl.col("so_far") - pl.col("units"))
    )
    priced = lines.filter(pl.col("line_type") == CONVERSION)
    price = pl.col("unit_price")
    amount = (pl.col("so_far") * price).cast(DECIMAL) - (pl.col("before") * price).cast(DECIMAL)
    spread = (
        priced.join(left.with_columns(quantity=pl.col("all").cast(DECIMAL)), on=(*keys, "quantity"))
        .with_columns(product_id="part", product_type="part_type")
        .select(*_SOURCE, account=_of_product(), amount=-signed(amount, pl.col("sign")))
    )
    whole = priced.join(spread, on=("voucher_id", "line_item_id"), how="anti")
    return pl.concat(
        [spread, whole.select(*_SOURCE, account=pl.lit(USAGE), amount=-signed(pl.col("amount"), pl.col("sign")))]
    )


def _of_product() -> pl.Expr:
    others = {"SUBSCRIPTION": SUBSCRIPTION, "COMPOSITE": COMPOSITE}
    return pl.col("product_type").replace_strict(others, default=pl.lit(USAGE), return_dtype=pl.String)
