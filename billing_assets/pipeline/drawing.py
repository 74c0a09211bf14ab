"""Commits and credits of a book: who may draw what, what open invoices draw, and what they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from billing_assets import charges, commitments
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.commitments import Lanes
from billing_assets.invoicing.headers import trueup_invoices
from billing_assets.line_order import order_of_lines
from billing_assets.money import decimal

Hold = Callable[[pl.LazyFrame], pl.LazyFrame]
Count = Callable[[pl.LazyFrame], int]
"""The one number of a frame: how many rounds a loop over ranks takes."""


@dataclass(frozen=True, slots=True)
class Balances:
    """What follows from the catalog alone, up to the horizon.

    found: recurrences of recurring commits and credits. access: BALANCE. rolling: ROLLOVER. shares: (commit_id,
    contract_id) that may draw. by_contract: access per contract that may draw it.
    """

    found: pl.LazyFrame
    access: pl.LazyFrame
    rolling: pl.LazyFrame
    shares: pl.LazyFrame
    by_contract: pl.LazyFrame

    def bounds(self) -> pl.LazyFrame:
        """`at`: where an access segment begins or ends."""
        return pl.concat([self.access.select(at=name) for name in ("starting_at", "ending_before")]).unique()


def balances_of(frames: CatalogFrames, spans: pl.LazyFrame, hold: Hold) -> Balances:
    """`spans` as of `charging.charge_spans`."""
    found = hold(charges.recurrences(frames, spans))
    segments = hold(
        commitments.as_balances(
            frames.access_segments, charges.recurring_access(found), charges.seat_access(found, frames)
        )
    )
    rolling = hold(commitments.rollovers(segments, frames.contracts))
    access = hold(commitments.as_balances(segments, rolling))
    shares = hold(pl.concat([frames.balance_contracts, rolling.select("commit_id", "contract_id")]).unique())
    by_contract = hold(access.drop("contract_id").join(shares, on="commit_id"))
    return Balances(found, access, rolling, shares, by_contract)


def has_balances(catalog: Catalog) -> bool:
    """Whether anything can be drawn in a book."""
    of_contracts = any(
        one.commits or one.credits or one.recurring_commits or one.recurring_credits for one in catalog.contracts
    )
    of_customers = any(customer.commits or customer.credits for customer in catalog.customers)
    return of_contracts or of_customers or has_thresholds(catalog)


def has_thresholds(catalog: Catalog) -> bool:
    """Whether usage may buy commits."""
    return any(one.spend_threshold or one.prepaid_balance_threshold for one in catalog.contracts)


def has_prices_of_commits(catalog: Catalog) -> bool:
    """Whether a balance may pay another price than the list price."""
    rated = any(rate.commit_rate is not None for card in catalog.rate_cards for rate in card.rates)
    return rated or any(
        override.is_commit_specific for contract in catalog.contracts for override in contract.overrides
    )


@dataclass(frozen=True, slots=True)
class Books:
    """What the books say: ledger, ENTRY rows of earlier batches; final_usage: USAGE invoices that are not void
    (contract_id, period_start, issued_at); purchases: PURCHASE rows of thresholds, on invoices that are not void."""

    ledger: pl.LazyFrame
    final_usage: pl.LazyFrame
    purchases: pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Drawn:
    """lines: as invoices show them, true-ups included. trueups: headers of true-up invoices, with what they charge.

    placed: the open invoices of the computation in the order of their pools. The rest is what the ledger is written
    from: drawing lines, opened balances, draws, and what rolls over.
    """

    lines: pl.LazyFrame
    trueups: pl.LazyFrame
    placed: pl.LazyFrame
    drawing: pl.LazyFrame
    opened: pl.LazyFrame
    draws: pl.LazyFrame
    rolls: pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Drawing:
    """One computation of draws: of `frames` and `balances`, on what the `books` say, as of `now`."""

    frames: CatalogFrames
    balances: Balances
    books: Books
    now: datetime
    hold: Hold
    count: Count

    def draw(self, lines: pl.LazyFrame, headers: pl.LazyFrame, open_usage: pl.LazyFrame, lanes: Lanes | None) -> Drawn:
        """`lines` with line_key, of the invoices `headers`; open_usage: the invoice of every open period."""
        hold = self.hold
        placed = hold(commitments.in_pool_order(self.in_pools(headers)))
        drawing = hold(drawing_lines(lines, placed))
        opened = hold(commitments.order(commitments.openings(self.balances.access, self.books.ledger)))
        settled = commitments.settle(drawing, opened, self.terms, self.count, hold, lanes)
        draws = hold(settled.draws)
        missing = hold(self.trueups(opened, draws, open_usage))
        shown = commitments.covered_lines(lines, draws, self.balances.access, lanes)
        return Drawn(
            lines=hold(pl.concat([shown, commitments.trueup_lines(missing)], how="diagonal_relaxed")),
            trueups=missing,
            placed=placed,
            drawing=drawing,
            opened=opened,
            draws=draws,
            rolls=hold(settled.rolls),
        )

    @property
    def terms(self) -> commitments.Terms:
        return commitments.Terms(self.frames.selectors, self.balances.shares, self.balances.rolling)

    def in_pools(self, headers: pl.LazyFrame) -> pl.LazyFrame:
        """`headers` of pools that have a balance, with the date by which they draw: period's end, or invoice date."""
        with_balance = self.balances.access.select("pool").unique()
        of_period = pl.when(pl.col("invoice_type") != "CORRECTION").then("period_end")
        dated = headers.with_columns(dated_at=pl.coalesce(of_period, "issued_at"))
        return dated.join(with_balance, on="pool", how="semi")

    def trueups(self, opened: pl.LazyFrame, draws: pl.LazyFrame, open_usage: pl.LazyFrame) -> pl.LazyFrame:
        """TRUEUP invoices of all commits that miss something, with issued_at and what a header says."""
        frames, issued = self.frames, ["contract_id", "period_start", "issued_at"]
        # As headers have them: the dates and the policy for late usage are other columns of an invoice.
        contracts = frames.contracts.drop("starting_at", "ending_before", "late_usage")
        terms, ledger = frames.trueup_terms, self.books.ledger
        found = self.hold(commitments.trueups(opened, draws, terms, contracts, ledger, self.now))
        usage = pl.concat([open_usage.select(issued), self.books.final_usage.select(issued)])
        return trueup_invoices(commitments.issued(found, usage, self.balances.shares), frames.customers)

    def waiting(
        self, drawn: Drawn, invoices: pl.LazyFrame, of_periods: pl.LazyFrame, unrated: pl.LazyFrame
    ) -> pl.LazyFrame:
        """Grain invoice_id: `predecessor_held` and `waits` (`commitments.predecessors`).

        invoices: the drafts, with is_held and is_due. of_periods: the invoice of each billed period. Unrated usage
        draws as soon as it has a price.
        """
        hold, held = self.hold, invoices.select("invoice_id", "is_held", "is_due")
        placed = hold(drawn.placed.join(held, on="invoice_id"))
        pools = hold(commitments.crowded(placed))
        crowd = hold(placed.join(pools, on="pool", how="semi"))
        periods = hold(of_periods.select("invoice_id", "contract_id", "period_start"))
        unpriced = unrated_lines(unrated, crowd.drop("contract_id", "period_start").join(periods, on="invoice_id"))
        lines = hold(pl.concat([with_amount(drawn.drawing), unpriced], how="diagonal"))
        mine = hold(lines.join(pools, on="pool", how="semi"))
        found = commitments.reach(mine, drawn.opened, self.frames.selectors, self.balances.shares, hold)
        carrying = [crowd.select("invoice_id", "contract_id"), periods.select("invoice_id", "contract_id")]
        contracts = pl.concat(carrying).unique().join(crowd.select("invoice_id", "dated_at"), on="invoice_id")
        used = hold(commitments.uses(found, mine, contracts, self.balances.rolling))
        places = self.count(crowd.select((pl.col("invoice_place").max() + 1).fill_null(0)))
        return commitments.predecessors(crowd, used, places, hold)


def drawing_lines(lines: pl.LazyFrame, placed: pl.LazyFrame) -> pl.LazyFrame:
    """DRAWING_LINE: the lines that a balance may pay, in the order of the pool's invoices and of their lines."""
    return (
        lines.filter(pl.col("line_type").is_in(commitments.DRAWABLE_TYPES))
        .join(placed.select("invoice_id", "pool", "invoice_place", "dated_at"), on="invoice_id")
        .sort("pool", "invoice_place", *order_of_lines(), nulls_last=False)
        .with_columns(draw_order=pl.int_range(pl.len(), dtype=pl.Int64))
        .select(pl.col(name).cast(dtype) for name, dtype in commitments.DRAWING_LINE.items())
    )


def with_amount(drawing: pl.LazyFrame) -> pl.LazyFrame:
    return drawing.filter(pl.col("amount") != decimal(0))


def unrated_lines(unrated: pl.LazyFrame, placed: pl.LazyFrame) -> pl.LazyFrame:
    """One line per span of unrated usage, of any amount: it draws once it is priced."""
    one = decimal(1).cast(DECIMAL)
    invoices = placed.select("invoice_id", "contract_id", "period_start", "pool", "dated_at", amount_unit="currency")
    return (
        unrated.join(invoices, on=["contract_id", "period_start"])
        .with_row_index("row")
        .select(
            "pool", "invoice_id", "contract_id", "product_id", "pricing_group_values", "presentation_group_values",
            "amount_unit", "dated_at",
            line_key=-1 - pl.col("row").cast(pl.Int64), draw_order=pl.col("row").cast(pl.Int64),
            line_type=pl.lit("usage"), is_fee=pl.lit(value=False), quantity=one, unit_price=one, amount=one, net=one,
            incurred_from="starting_at", incurred_to="ending_before", caps_lanes=pl.lit(value=False),
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settled:
    """All that the ledger is written from. open_invoices: USAGE and SCHEDULED invoices of every month that are open:
    invoice_id, contract_id, invoice_type, period_start, dated_at."""

    drawing: Drawing
    drawn: Drawn
    open_invoices: pl.LazyFrame

    def without(self, skipped: pl.LazyFrame) -> Settled:
        """The same where the invoices `skipped` (invoice_id) never become any: nothing waits for them."""
        rest = self.open_invoices.join(skipped.select("invoice_id"), on="invoice_id", how="anti")
        return replace(self, open_invoices=self.drawing.hold(rest))

    def left_open(self, final: pl.LazyFrame) -> pl.LazyFrame:
        """What is open once the invoices `final` (invoice_id) are not any more."""
        return self.open_invoices.join(final.select("invoice_id"), on="invoice_id", how="anti")

    def ready(self, final: pl.LazyFrame) -> pl.LazyFrame:
        """The true-ups that can be final together with `final`: all that could consume is, and they are issued."""
        due = self.drawn.trueups.filter(pl.col("issued_at") <= pl.lit(self.drawing.now, dtype=TIMESTAMP))
        return commitments.ready(due, self.drawing.balances.shares, self.left_open(final))

    def entries(self, final: pl.LazyFrame, until: datetime, month: str, sealed_months: tuple[str, ...]) -> pl.LazyFrame:
        """ENTRY rows of the batch that makes the invoices `final` (invoice_id) final, true-ups among them."""
        hold, drawing, drawn = self.drawing.hold, self.drawing, self.drawn
        left = hold(self.left_open(final))
        made = hold(drawn.placed.join(final.select("invoice_id"), on="invoice_id", how="semi"))
        batch = commitments.Batch(made, left, until, drawing.now, month, sealed_months)
        charged = drawn.trueups.join(final.select("invoice_id"), on="invoice_id", how="semi")
        over = drawing.frames.contracts.filter(pl.col("ending_before") <= pl.lit(drawing.now, dtype=TIMESTAMP))
        ended = over.select("contract_id").join(left.select("contract_id"), on="contract_id", how="anti")
        settled = commitments.Settlement(drawn.draws, drawn.rolls)
        given = commitments.Written(hold(charged), hold(ended))
        return commitments.entries(settled, drawn.drawing, drawn.opened, drawing.terms, given, batch, hold)

    def table(self, pending: pl.LazyFrame) -> pl.LazyFrame:
        """The table `balances`; pending: ENTRY rows that the drafts would write."""
        return commitments.balances(self.drawing.balances.access, self.drawing.books.ledger, pending)


def month_after(at: datetime) -> datetime:
    """The start of the month that follows the one of `at`."""
    return (at.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
