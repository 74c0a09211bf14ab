"""An invoice is a pure function of (events, catalog, actions, now): this is the function, for everybody who bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from billing_assets import metering
from billing_assets.catalog import Catalog
from billing_assets.columns import TIMESTAMP
from billing_assets.invoicing.drafts import NOT_HELD, HoldPolicy, draft_invoices, with_predecessors
from billing_assets.invoicing.headers import invoices_of_periods, usage_invoices
from billing_assets.invoicing.lines import line_items
from billing_assets.pipeline import charging
from billing_assets.pipeline.charging import Charged, Features
from billing_assets.pipeline.drawing import Balances, Count, Drawing, Hold, Settled
from billing_assets.pipeline.given import Inputs
from billing_assets.pipeline.late import placed_late
from billing_assets.pipeline.list_prices import at_list_prices
from billing_assets.pipeline.thresholds import with_purchases
from billing_assets.schemas import TABLES

OF_PERIOD = (
    *("contract_id", "customer_id", "period_start", "period_end", "full_start", "full_end"),
    "close_month",
)
"""What a billed period is known by."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that follows from Inputs. rated_lines are before commits and credits; invoices are drafts.

    of_periods is every billed period with its dates and the invoice that it is on, skipped ones too; late the closed
    periods of which late usage is billed with these invoices (`late.Placed`).
    unrated holds invoices; unbilled lists what is not billed; equation is accepted = billed + listed by metric and day.
    settled: what the ledger is written from; None in a book without commits and credits.
    """

    rated_lines: pl.LazyFrame
    unrated: pl.LazyFrame
    invoices: pl.LazyFrame
    line_items: pl.LazyFrame
    of_periods: pl.LazyFrame
    late: pl.LazyFrame
    usage: pl.LazyFrame
    unbilled: pl.LazyFrame
    equation: pl.LazyFrame
    settled: Settled | None

    def frames(self) -> Mapping[str, pl.LazyFrame]:
        """All frames by name, to be collected in one execution."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "settled"}


def bill(given: Inputs, hold: Hold, count: Count) -> Bill:
    """Compute the open periods of `given` as of its `now`. `count` gives the number in a frame.

    Frames that several outputs need are held, so that the whole stays a chain of plans of moderate size.
    """
    given = with_purchases(given, hold, count)
    metrics = given.catalog.billable_metrics
    billed = given.periods.filter("is_billed")
    priced = at_list_prices(given, hold)
    attributed, quantified, unrated, balances = priced.attributed, priced.quantified, priced.unrated, priced.balances
    late = placed_late(given, priced.charged, hold)
    found = late.charged
    settled = None if balances is None else settle(given, balances, found, hold, count)

    items = hold(line_items(shown_lines(found, settled, given), headers_of(found, settled, given)))
    failed = hold(metering.failed_slices(attributed.candidates, billed))
    near = given.events(failed.select("customer_ref", "usage_date").unique())
    exceptions = hold(metering.exceptions_by_period(failed, near, metrics, given.now))
    headers = headers_of(found, settled, given)
    drafts = draft_invoices(
        headers,
        items,
        on_invoices(unrated, found).unique(),
        on_invoices(exceptions, found, "exception_count").group_by("invoice_id").agg(pl.col("exception_count").sum()),
        found.unpriced,
        given.sealed_months,
        hold_policy(given.catalog),
        given.voided,
        given.decided,
    )
    drafts = hold(in_their_pools(hold(drafts), settled, found, unrated, given))
    if settled is not None:
        # What is skipped is over when it would be issued; to drafts, which are as if all were final, at once.
        is_over = pl.lit(given.month is None) | (pl.col("issued_at") <= pl.lit(given.now, dtype=TIMESTAMP))
        settled = settled.without(headers.filter(is_over).join(drafts, on="invoice_id", how="anti"))

    outcome = hold(metering.disposed(attributed.candidates, attributed.usage, quantified))
    listed = hold(metering.listed(outcome, given.month))
    sampled = hold(given.events(listed.select("customer_ref", "usage_date").unique()))
    return Bill(
        rated_lines=found.rated_lines,
        unrated=unrated,
        invoices=drafts,
        line_items=items.join(drafts.select("invoice_id"), on="invoice_id", how="semi"),
        late=late.periods,
        of_periods=billed.select(OF_PERIOD).join(
            found.of_periods.select("contract_id", "period_start", "invoice_id", "issued_at"),
            on=["contract_id", "period_start"],
        ),
        usage=metering.daily_usage(attributed, metrics) if metrics else TABLES["usage"].empty(),
        unbilled=metering.with_samples(listed, sampled, metrics, given.now),
        equation=metering.equation(outcome, given.states, metrics, given.now),
        settled=settled,
    )


def settle(given: Inputs, balances: Balances, found: Charged, hold: Hold, count: Count) -> Settled:
    """What the open invoices draw, and everything that is open."""
    frames = given.frames
    open_periods = given.periods.filter("is_open")
    headers = hold(usage_invoices(open_periods, frames.customers, given.catalog.settings.grace_period))
    usage = hold(invoices_of_periods(open_periods, headers))
    drawing = Drawing(frames, balances, given.books, given.now, hold, count)
    columns = ["invoice_id", "contract_id", "invoice_type", "period_start", "dated_at"]
    open_invoices = [usage]
    if found.corrections is not None:
        # Late lines draw where their usage lies, whatever they are dated.
        open_invoices.append(found.corrections.with_columns(dated_at="issued_at"))
    if found.scheduled is not None:
        open_invoices.append(found.scheduled.with_columns(dated_at="charged_at"))
    if found.subscribed is not None:
        # A subscription draws at its start, however late it is charged (case 11): what it may draw on stays open.
        begins = {"period_start": "starting_at", "dated_at": "starting_at"}
        open_invoices.append(found.subscribed.with_columns(**begins, invoice_type=pl.lit("USAGE")))
    drawn = drawing.draw(found.lines, found.headers, usage, found.lanes)
    return Settled(drawing, drawn, hold(pl.concat([frame.select(columns) for frame in open_invoices])))


def shown_lines(found: Charged, settled: Settled | None, given: Inputs) -> pl.LazyFrame:
    """The lines as invoices show them: what is covered, what is left, and pricing units in money."""
    lines = found.lines if settled is None else settled.drawn.lines
    return charging.converted(lines, given.frames) if Features.of(given.catalog).pricing_units else lines


def headers_of(found: Charged, settled: Settled | None, given: Inputs) -> pl.LazyFrame:
    """All invoices that are computed, true-ups included."""
    if settled is None:
        return found.headers.with_columns(segment_id=pl.lit(None, dtype=pl.String))
    trueups = settled.drawn.trueups
    mine = trueups if given.month is None else trueups.filter(charging.until_month(given.month))
    return pl.concat([found.headers, mine], how="diagonal_relaxed")


def on_invoices(frame: pl.LazyFrame, found: Charged, *columns: str) -> pl.LazyFrame:
    """`frame`, keyed by billing period, as rows of invoice_id and `columns`."""
    keys = found.of_periods.select("contract_id", "period_start", "invoice_id")
    return frame.join(keys, on=["contract_id", "period_start"]).select("invoice_id", *columns)


def in_their_pools(
    drafts: pl.LazyFrame, settled: Settled | None, charged: Charged, unrated: pl.LazyFrame, given: Inputs
) -> pl.LazyFrame:
    """`drafts` with `pool` and `waits`, and held where their predecessors are; without balances there are no pools."""
    if settled is None:
        return drafts.with_columns(pool=pl.lit(None, dtype=pl.String), waits=pl.lit(value=False))
    is_due = pl.col("issued_at") <= pl.lit(given.now, dtype=TIMESTAMP)
    # What stands for a void invoice draws first, and lets others pass: to them its predecessor is VOID (case 16).
    is_void = pl.col("replaces_invoice_id").is_not_null()
    stuck = drafts.with_columns(is_held=(pl.col("hold_reasons") != NOT_HELD) & ~is_void, is_due=is_due | is_void)
    found = settled.drawing.waiting(settled.drawn, stuck, charged.of_periods, unrated)
    pools = [frame.select("invoice_id", "pool") for frame in (settled.drawn.placed, settled.drawn.trueups)]
    named = drafts.drop("pool", strict=False).join(pl.concat(pools), on="invoice_id", how="left")
    return with_predecessors(named, found)


def hold_policy(catalog: Catalog) -> HoldPolicy:
    settings = catalog.settings
    return HoldPolicy(settings.hold_negative_total, settings.hold_total_over)
