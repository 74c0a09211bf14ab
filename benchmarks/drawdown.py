"""Drawdown alone: contracts with 2 to 4 balances and 5 lines each, in a process of its own per size.

    python -m benchmarks.drawdown [--contracts 10000 100000 1000000] [--runs 3]

order     the drawdown order of the balances of every pool
reach     who may draw what: lines and balances as numbers
drawdown  what every balance pays of every line
covered   the lines as an invoice shows them

The cost of a contract at the largest size is to be that at the smallest.
"""

from __future__ import annotations

import argparse

import polars as pl

from benchmarks.measuring import Watch, in_turns, machine, measured, median, peak, table
from billing_assets.columns import DECIMAL, NO_GROUP, TIMESTAMP
from billing_assets.commitments.access import BALANCE, DRAWING_LINE
from billing_assets.commitments.drawdown import depth, drawdown
from billing_assets.commitments.order import order
from billing_assets.commitments.reach import reach
from billing_assets.money import decimal, zero

LINES = 5
PRODUCTS = ("input-tokens", "output-tokens", "storage", "seats", "support")
STAGES = ("order", "reach", "drawdown")
RANKS = 4


def run(contracts: int) -> None:
    """One measurement, in this process."""
    watch = Watch()
    lines, access, selectors, shares = (given.collect().lazy() for given in world(contracts))
    with watch.stage("order"):
        ordered = order(access).collect().lazy()
    with watch.stage("reach"):
        found = reach(lines, ordered, selectors, shares, held)
        ranks = depth(found).collect().item()
    with watch.stage("drawdown"):
        draws = drawdown(found, ranks, held).collect()
    watch.report(found=[draws.height, str(draws["paid"].sum()), ranks])


def held(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.collect().lazy()


def world(contracts: int) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
    """Lines, balances, selectors and shares: amounts, dates and terms vary with the contract's number."""
    number = pl.int_range(contracts).alias("number")
    base = pl.LazyFrame().select(number).with_columns(contract_id=pl.format("contract-{}", "number"))
    return _lines(base), _balances(base), _selectors(), _shares(base)


def _lines(base: pl.LazyFrame) -> pl.LazyFrame:
    month = [pl.datetime(2026, number, 1, time_zone="UTC").cast(TIMESTAMP) for number in (1, 2)]
    product = pl.col("place").replace_strict(dict(enumerate(PRODUCTS)), return_dtype=pl.String)
    rows = base.with_columns(place=pl.int_ranges(0, LINES)).explode("place").with_columns(
        line_key=pl.col("number") * LINES + pl.col("place"), product_id=product
    )  # fmt: skip
    return rows.with_columns(
        pool="contract_id", draw_order="line_key", invoice_id="contract_id", line_type=pl.lit("usage"),
        pricing_group_values=pl.lit(NO_GROUP), presentation_group_values=pl.lit(NO_GROUP), is_fee=pl.lit(value=False),
        amount_unit=pl.lit("USD"), quantity=(pl.col("line_key") % 997).cast(DECIMAL) * decimal("1.7"),
        unit_price=(pl.col("place") + 1).cast(DECIMAL) * decimal("0.31"), incurred_from=month[0], incurred_to=month[1],
        dated_at=month[1],
        caps_lanes=pl.lit(value=False),
    ).with_columns(amount=pl.col("quantity") * pl.col("unit_price")).with_columns(net="amount").select(
        pl.col(name).cast(dtype) for name, dtype in DRAWING_LINE.items()
    )  # fmt: skip


def _balances(base: pl.LazyFrame) -> pl.LazyFrame:
    year = [pl.datetime(number, 1, 1, time_zone="UTC").cast(TIMESTAMP) for number in (2026, 2027)]
    place, kinds = pl.col("place"), {0: "PREPAID", 1: "CREDIT", 2: "CREDIT", 3: "POSTPAID"}
    rows = base.with_columns(place=pl.int_ranges(0, 2 + pl.col("number") % 3)).explode("place")
    described = rows.with_columns(
        commit_id=pl.format("{}-{}", "contract_id", "place"), pool="contract_id", access_type=pl.lit("SPEND"),
        balance_type=place.replace_strict(kinds, return_dtype=pl.String), price_lane=pl.lit("LIST"), unit=pl.lit("USD"),
        priority=(100 - place).cast(DECIMAL), cost=pl.when(place == 0).then(decimal(80)).otherwise(zero()),
        amount=(pl.col("number") % 313).cast(DECIMAL), starting_at=year[0], ending_before=year[1],
        is_rollover=pl.lit(value=False), selector=place % 3, contract_count=pl.lit(1),
        value_specifier_count=pl.lit(0), product_count=pl.when(place % 3 > 0).then(3), balance_position="number",
    )  # fmt: skip
    present = described.with_columns(
        balance_id="commit_id", segment_id=pl.format("{}/1", "commit_id"), available="amount"
    )
    missing = [name for name in BALANCE if name not in present.collect_schema().names()]
    return present.with_columns(pl.lit(None).alias(name) for name in missing).select(
        pl.col(name).cast(dtype) for name, dtype in {**BALANCE, "available": DECIMAL}.items()
    )


def _selectors() -> pl.LazyFrame:
    rows = [(number, product) for number in range(3) for product in PRODUCTS[: len(PRODUCTS) - number]]
    return pl.LazyFrame(rows, schema={"selector": pl.Int64(), "product_id": pl.String()}, orient="row").with_columns(
        pricing_group_values=pl.lit(NO_GROUP), presentation_group_values=pl.lit(NO_GROUP), exclude=pl.lit(value=False)
    )


def _shares(base: pl.LazyFrame) -> pl.LazyFrame:
    return base.select("contract_id", commit_id=pl.format("{}-0", "contract_id"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contracts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="measure the first size here and print it as JSON")
    options = parser.parse_args()
    if options.here:
        run(options.contracts[0])
        return
    sizes = [str(size) for size in options.contracts]
    found = in_turns(sizes, options.runs, lambda size: measured("benchmarks.drawdown", "--here", "--contracts", size))
    header = ("contracts", *(f"{stage} s" for stage in STAGES), "all s", "us a contract", "peak GiB")
    rows = []
    for size in sizes:
        seconds = [median(found[size], stage) for stage in STAGES]
        cost = f"{sum(seconds) / int(size) * 1e6:.1f}"
        rows.append(
            (f"{int(size):,}", *(f"{one:.2f}" for one in (*seconds, sum(seconds))), cost, f"{peak(found[size]):.2f}")
        )
    print(f"{machine()}\n{options.runs} runs each, medians\n\n{table(header, rows)}")


if __name__ == "__main__":
    main()
