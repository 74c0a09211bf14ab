"""What thresholds buy, found hour by hour before anything is billed (docs/semantics.md, Thresholds).

A purchase is an access segment and a charge. Once these are among the catalog's frames, everything else treats them as
a prepaid commit with an invoice schedule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from billing_assets import commitments
from billing_assets.catalog.balance_columns import ACCESS_SEGMENTS, COMMIT_CHARGES
from billing_assets.commitments import DRAWING_LINE, Lanes
from billing_assets.line_order import order_of_lines
from billing_assets.pipeline import charging
from billing_assets.pipeline.charging import Features
from billing_assets.pipeline.drawing import Balances, Count, Hold, balances_of
from billing_assets.pipeline.usage import attribution, charging_terms, priced
from billing_assets.rating.grain import GROUP

if TYPE_CHECKING:
    from billing_assets.pipeline.given import Inputs


def with_purchases(given: Inputs, hold: Hold, count: Count) -> Inputs:
    """`given` with what its thresholds have bought up to its `now`, that of final invoices included."""
    if not Features.of(given.catalog).thresholds:
        return given
    frames = given.frames
    bought = purchases(watched(given, hold), hold, count)
    segments = commitments.purchased_segments(bought, frames.thresholds, frames.contracts)
    charged = commitments.purchase_charges(bought, frames.thresholds)
    return replace(
        given,
        frames=replace(
            frames,
            access_segments=hold(pl.concat([frames.access_segments, segments.select(*ACCESS_SEGMENTS)])),
            commit_charges=hold(pl.concat([frames.commit_charges, charged.select(*COMMIT_CHARGES)])),
        ),
    )


def watched(given: Inputs, hold: Hold) -> Inputs:
    """`given` for the pools in which something has a threshold: all their open periods, whatever month is billed."""
    pools = given.frames.thresholds.select("pool").unique()
    periods = given.periods.drop("is_billed").join(
        pools.with_columns(has_threshold=pl.lit(value=True)), on="pool", how="left"
    )
    is_watched = pl.col("is_open") & pl.col("has_threshold").fill_null(value=False)
    return replace(given, periods=hold(periods.with_columns(is_billed=is_watched).drop("has_threshold")))


def purchases(given: Inputs, hold: Hold, count: Count) -> pl.LazyFrame:
    """PURCHASE rows, those of final invoices first: each time round the next one of every threshold that is reached."""
    frames, books = given.frames, given.books
    balances = balances_of(frames, hold(charging.charge_spans(charging_terms(given))), hold)
    hours = Hours.of(given, balances, hold)
    bought = hold(books.purchases)
    while True:
        found = hold(hours.reached(bought, hold, count))
        if not count(found.select(pl.len())):
            return bought
        bought = hold(pl.concat([bought, found.select(bought.collect_schema().names())]))


@dataclass(frozen=True, slots=True)
class Hours:
    """The usage of watched periods, hour by hour. lines: DRAWING_LINE in the order of time; watched: the lines that a
    threshold counts; spans: per threshold, `open_from` and `open_until` of its contract."""

    given: Inputs
    balances: Balances
    lines: pl.LazyFrame
    lanes: Lanes | None
    watched: pl.LazyFrame
    spans: pl.LazyFrame

    @classmethod
    def of(cls, given: Inputs, balances: Balances, hold: Hold) -> Hours:
        frames = given.frames
        billed = given.periods.filter("is_billed")
        hours = hold(used_hours(given, billed))
        attributed = attribution(given, hold, pl.concat([hours, balances.bounds()]).unique())
        slices = attributed.usage.select(*GROUP, "window_start", "window_end")
        each = pl.concat([slices.select(*GROUP, at=name) for name in ("window_start", "window_end")]).unique()
        found = priced(given, attributed, balances, hold, hold(each))
        rated = charging.rated_usage(billed, found, frames, Features.of(given.catalog), hold)
        lines = hold(hourly_lines(rated.lines, billed))
        reached = commitments.as_if_bought(frames.thresholds, frames.contracts)
        access = hold(commitments.order(commitments.openings(reached, given.books.ledger.clear())))
        reach = commitments.reach(lines, access, frames.selectors, balances.shares, hold)
        watched = hold(commitments.watched_lines(reach, lines, frames.thresholds))
        return cls(given, balances, lines, rated.lanes, watched, hold(open_spans(given)))

    def reached(self, bought: pl.LazyFrame, hold: Hold, count: Count) -> pl.LazyFrame:
        """The next purchase of every threshold that is reached once what is `bought` is drawn."""
        given, frames = self.given, self.given.frames
        segments = commitments.purchased_segments(bought, frames.thresholds, frames.contracts)
        access = commitments.as_balances(self.balances.access, segments)
        opened = hold(commitments.order(commitments.openings(access, given.books.ledger)))
        terms = commitments.Terms(frames.selectors, self.balances.shares, self.balances.rolling)
        draws = hold(commitments.settle(self.lines, opened, terms, count, hold, self.lanes).draws)
        last = bought.group_by("commit_id").agg(pl.col("bought_at").max())
        since = hold(self.spans.join(last, on="commit_id", how="left"))
        spent = commitments.spend_purchases(self.watched, draws, frames.thresholds, since, given.now)
        counted = self.balances.shares.join(frames.threshold_exclusions, on=["contract_id", "commit_id"], how="anti")
        charged = commitments.recharges(
            self.watched, draws, self.lines, opened, counted, frames.thresholds, since, given.now
        )
        return pl.concat([spent, charged])


def used_hours(given: Inputs, billed: pl.LazyFrame) -> pl.LazyFrame:
    """`at`: starts and ends of the hours in which customers of `billed` periods have usage."""
    mine = given.frames.customer_aliases.join(billed.select("customer_id").unique(), on="customer_id", how="semi")
    states = given.states.join(mine, on="customer_ref", how="semi").select(at="window_start").unique()
    return pl.concat([states, states.select(pl.col("at") + pl.duration(hours=1))]).unique()


def hourly_lines(lines: pl.LazyFrame, billed: pl.LazyFrame) -> pl.LazyFrame:
    """DRAWING_LINE: lines of usage in the order of time, over all periods of a pool."""
    periods = billed.select("contract_id", "period_start", "pool", dated_at="period_end", invoice_id="contract_id")
    return (
        lines.filter(pl.col("line_type") == "usage")
        .join(periods, on=["contract_id", "period_start"])
        .sort("pool", "incurred_from", "dated_at", *order_of_lines(), nulls_last=False)
        .with_columns(draw_order=pl.int_range(pl.len(), dtype=pl.Int64))
        .select(pl.col(name).cast(dtype) for name, dtype in DRAWING_LINE.items())
    )


def open_spans(given: Inputs) -> pl.LazyFrame:
    """Grain threshold: open_from and open_until, the first and the last instant of its contract's open periods."""
    terms = given.frames.thresholds.select("commit_id", contract_id="invoice_contract_id")
    spans = (
        given.periods.filter("is_billed")
        .group_by("contract_id")
        .agg(open_from=pl.col("period_start").min(), open_until=pl.col("period_end").max())
    )
    return terms.join(spans, on="contract_id").drop("contract_id")
