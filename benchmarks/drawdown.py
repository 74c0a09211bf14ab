"""Pricing and drawdown: contracts with 2 to 4 balances and 5 lines each, in a process of its own per size.

    python -m benchmarks.drawdown [--contracts 10000 100000 1000000] [--runs 3]

balances  who may draw what, from the catalog
price     segments, quantities and priced lines of usage
charge    limits, purchases of commits, and the invoices that all of it is on
draw      what balances pay of lines, and the lines as invoices show them
entries   the rows of the ledger of a batch that makes all of it final

These are the functions that a close calls, on frames in memory; what metering finds is given. The cost of a contract at
the largest size is to be that at the smallest.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from benchmarks import contracts as company
from benchmarks.measuring import Watch, in_turns, machine, measured, median, peak, table
from billing_assets import rating
from billing_assets.pipeline import Hold, Inputs, month_after
from billing_assets.pipeline.bill import headers_of, settle
from billing_assets.pipeline.charging import charge_spans, charged
from billing_assets.pipeline.drawing import Balances, balances_of
from billing_assets.pipeline.usage import Priced, charging_terms, cuts

STAGES = ("balances", "price", "charge", "draw", "entries")


def run(contracts: int, hold: Hold = company.held) -> None:
    """One measurement, in this process."""
    watch = Watch()
    given = company.inputs(company.catalog(), contracts)
    terms, frames, billed = charging_terms(given), given.frames, hold(given.periods.filter("is_billed"))
    with watch.stage("balances"):
        balances = balances_of(frames, hold(charge_spans(terms)), hold)
    usage = priced(given, billed, balances, watch, hold)
    with watch.stage("charge"):
        found = charged(terms, usage, balances.found, hold)
    with watch.stage("draw"):
        settled = settle(given, balances, found, hold, counted)
        headers = hold(headers_of(found, settled, given))
    with watch.stage("entries"):
        entries = hold(settled.entries(headers, month_after(company.SINCE), company.MONTH, ()))
    watch.report(found=sums(settled.drawn.draws, entries), lines=counted(found.lines.select(pl.len())))


def priced(given: Inputs, billed: pl.LazyFrame, balances: Balances, watch: Watch, hold: Hold) -> Priced:
    """What `usage.priced` returns; the cumulatives, which metering would find, are not measured."""
    frames, groups = given.frames, hold(company.groups_of(billed))
    with watch.stage("price"):
        at = cuts(given, groups, billed, balances, None)
        segments = hold(rating.segments(groups, billed, frames, None if at is None else hold(at.unique())))
    metered = hold(company.metered(segments))
    del segments
    with watch.stage("price"):
        quantified = hold(rating.quantify(metered, frames))
        usage = hold(rating.rate(quantified, frames))
        return Priced(quantified, usage, hold(rating.limits(groups, billed, frames)), None)


def counted(frame: pl.LazyFrame) -> int:
    return int(frame.collect().item())


def sums(draws: pl.LazyFrame, entries: pl.LazyFrame) -> dict[str, Any]:
    """What every run of a size has to find, whatever computes it."""
    paid = draws.select(draws=pl.len(), paid=pl.col("paid").sum(), parts=pl.col("covered_quantity").sum())
    rows = entries.select(entries=pl.len(), moved=pl.col("amount").sum(), hashes=pl.col("entry_id").min())
    return {name: str(value) for frame in (paid, rows) for name, value in frame.collect().row(0, named=True).items()}


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
    print(f"{machine()}\n{options.runs} runs each, medians\n\n{report(found)}")


def report(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """CPU seconds per stage, and per contract beside the smallest size. Raises SystemExit where runs differ."""
    header = ("contracts", *(f"{stage} CPU s" for stage in STAGES), "all CPU s", "all s", "CPU us a contract", "ratio",
              "peak GiB")  # fmt: skip
    rows, least = [], None
    for size, runs in found.items():
        if any(run["found"] != runs[0]["found"] for run in runs):
            raise SystemExit(f"runs of {size} contracts differ: {[run['found'] for run in runs]}")
        cpu = [median(runs, stage, "cpu") for stage in STAGES]
        seconds = sum(median(runs, stage) for stage in STAGES)
        each = sum(cpu) / int(size) * 1e6
        least = least or each
        figures = (*(f"{one:.2f}" for one in (*cpu, sum(cpu), seconds)), f"{each:.1f}", f"{each / least:.2f}")
        rows.append((f"{int(size):,}", *figures, f"{peak(runs):.2f}"))
    return table(header, rows)


if __name__ == "__main__":
    main()
