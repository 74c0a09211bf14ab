"""From rated usage to every line of the open invoices before commits and credits: the order of charges, composed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from billing_assets import charges, rating
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.catalog.products import CompositeProduct
from billing_assets.charges.lines import CHARGE_KEY
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.commitments import Lanes
from billing_assets.invoicing.headers import invoices_of_periods, usage_invoices
from billing_assets.invoicing.lines import of_periods
from billing_assets.invoicing.placement import place
from billing_assets.periods import close_month
from billing_assets.pipeline.drawing import Hold, has_balances, has_prices_of_commits, has_thresholds
from billing_assets.rating.lines import as_rated_lines

OF_CHARGES = (
    "invoice_id",
    "subscription_id",
    "scheduled_charge_id",
    "balance_id",
    "charge_number",
    "service_start",
    "service_end",
)
"""What a charge has beside the columns of a rated line."""

BILLED: dict[str, pl.DataType] = {
    **dict.fromkeys(CHARGE_KEY[:-2], pl.String()),
    "starting_at": TIMESTAMP,
    "tier_level": pl.Int64(),
    "amount": DECIMAL,
    "billed": pl.UInt32(),
}
"""Grain (CHARGE_KEY, amount): how many such charges, but for fees of subscriptions, invoices that are final have."""


@dataclass(frozen=True, slots=True)
class Features:
    """Which terms a book has at all: what it does not have costs no plan."""

    discounts: int
    charges: bool
    composites: bool
    minimum_spend: bool
    pricing_units: bool
    balances: bool
    prices_of_commits: bool
    thresholds: bool

    @classmethod
    def of(cls, catalog: Catalog) -> Features:
        contracts = catalog.contracts
        return cls(
            discounts=max((len(contract.discounts) for contract in contracts), default=0),
            charges=has_charges(catalog),
            composites=any(isinstance(product, CompositeProduct) for product in catalog.products),
            minimum_spend=any(contract.minimum_spend is not None for contract in contracts),
            pricing_units=bool(catalog.pricing_units),
            balances=has_balances(catalog),
            prices_of_commits=has_prices_of_commits(catalog),
            thresholds=has_thresholds(catalog),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What charging reads of the catalog and of the books.

    periods: every period that has started, with `is_open` and `is_billed`. billed: BILLED. fees: FEE. taken: the
    SCHEDULED invoices that exist: contract_id, charged_at, regeneration. month: as of `Inputs`.
    """

    catalog: Catalog
    frames: CatalogFrames
    periods: pl.LazyFrame
    billed: pl.LazyFrame
    fees: pl.LazyFrame
    taken: pl.LazyFrame
    month: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Charged:
    """lines: of every open invoice that is computed, by invoice_id, each with a line_key. headers: of these.
    rated_lines: those of usage. of_periods: the invoice of every billed period (`invoices_of_periods`). lanes: prices
    that balances pay for lines instead of the list price, if any do.

    unpriced: invoices with a charge that has no price, which holds them; grain invoice_id. unrated: composites of which
    a part has no price, as `rating.unrated` has them. scheduled: headers of the open SCHEDULED invoices of all months.
    subscribed: as of `OpenCharges`. corrections: headers of CORRECTION invoices for late usage.
    """

    rated_lines: pl.LazyFrame
    lines: pl.LazyFrame
    headers: pl.LazyFrame
    of_periods: pl.LazyFrame
    unpriced: pl.LazyFrame
    unrated: pl.LazyFrame | None
    lanes: Lanes | None
    scheduled: pl.LazyFrame | None
    subscribed: pl.LazyFrame | None
    corrections: pl.LazyFrame | None = None


def charged(
    given: Terms,
    usage: Usage,
    found: pl.LazyFrame | None,
    hold: Hold,
) -> Charged:
    """`usage` of the billed periods; `found`, the recurrences of recurring commits: None where there are none."""
    has, frames = Features.of(given.catalog), given.frames
    billed = given.periods.filter("is_billed")
    headers = hold(usage_invoices(billed, frames.customers, given.catalog.settings.grace_period))
    invoices = hold(invoices_of_periods(billed, headers))

    of_usage = rated_usage(billed, usage, frames, has, hold)
    rated, lanes, used = of_usage.lines, of_usage.lanes, of_usage.used
    parts, unpriced, unrated = [of_periods(rated, invoices)], _NO_INVOICES, None
    scheduled = subscribed = None
    if has.charges:
        placed = placed_charges(given, found, hold)
        scheduled, subscribed = placed.scheduled, placed.subscribed
        until = scheduled if given.month is None else scheduled.filter(drawn_with_month(given.month))
        headers = hold(pl.concat([headers, until], how="diagonal_relaxed"))
        mine = placed.charges.join(headers.select("invoice_id"), on="invoice_id", how="semi")
        mine = hold(as_rated_lines(mine, OF_CHARGES))
        priced = mine.filter(pl.col("amount").is_not_null())
        unpriced = mine.filter(pl.col("amount").is_null()).select("invoice_id").unique()
        of_charges = rating.discount(priced, billed, frames, used, has.discounts, hold)
        parts.append(hold(_together(of_charges)))
        used = of_charges.used
    if has.composites:
        quantified = hold(rating.composite_quantities(rated, billed, frames))
        unrated = hold(rating.unrated(quantified))
        parts.append(of_periods(composite_lines(quantified, billed, frames, used, has.discounts, hold), invoices))
    lines = hold(pl.concat(parts, how="diagonal_relaxed")) if len(parts) > 1 else parts[0]
    if has.minimum_spend:
        shortfalls = of_periods(rating.minimum_spend(lines, billed, frames), invoices)
        lines = pl.concat([lines, shortfalls], how="diagonal_relaxed")
    return Charged(rated, hold(keyed(lines)), headers, invoices, unpriced, unrated, lanes, scheduled, subscribed)


class Usage(Protocol):
    """Lines of usage before discounts, as `usage.Priced` has them."""

    @property
    def usage(self) -> pl.LazyFrame:
        """What `rating.rate` returns."""

    @property
    def limits(self) -> pl.LazyFrame:
        """What `rating.limits` returns."""

    @property
    def bands(self) -> pl.LazyFrame | None:
        """Prices of commits (`rating.lane_bands`); None where there are none."""


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """lines: of usage, with line_key, their discounts and adjustments. lanes: as of `Charged`. used: what of fixed
    discounts is used up."""

    lines: pl.LazyFrame
    lanes: Lanes | None
    used: pl.LazyFrame


def rated_usage(billed: pl.LazyFrame, given: Usage, frames: CatalogFrames, has: Features, hold: Hold) -> RatedUsage:
    """The lines of usage of the `billed` periods, net of what discounts and maximums take off."""
    usage = hold(given.usage.with_row_index("line_key").with_columns(pl.col("line_key").cast(pl.Int64)))
    found = rating.discount(usage, billed, frames, rating.nothing_used(), has.discounts, hold)
    bands, lanes = given.bands, None
    if bands is not None:
        lanes = lanes_of(usage, bands, found.discounts, frames, has.discounts, hold)
    return RatedUsage(hold(rating.adjust(hold(_together(found)), given.limits, frames)), lanes, found.used)


def keyed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """`lines`, those of usage by the line_key that they have, all others by numbers after them."""
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    return lines.with_columns(line_key=pl.coalesce("line_key", row + (pl.col("line_key").max() + 1).fill_null(0)))


def lanes_of(
    usage: pl.LazyFrame,
    bands: pl.LazyFrame,
    discounts: pl.LazyFrame,
    frames: CatalogFrames,
    depth: int,
    hold: Hold,
) -> Lanes:
    """What balances with prices of their own must know of the lines of `usage`: those prices, and the discounts."""
    prices = hold(rating.lane_prices(usage, bands))
    if not depth:
        none = pl.LazyFrame(schema={**_LANE_DISCOUNT, "discount_type": pl.String(), "value": DECIMAL})
        return Lanes(prices, none, 0)
    terms = frames.discounts.select("discount_id", "discount_type", "value", "discount_position")
    taken = discounts.select("line_key", "discount_id", taken=-pl.col("amount")).join(terms, on="discount_id")
    return Lanes(prices, hold(taken.join(prices.select("line_key").unique(), on="line_key", how="semi")), depth)


_LANE_DISCOUNT: dict[str, pl.DataType] = {
    "line_key": pl.Int64(),
    "discount_id": pl.String(),
    "taken": DECIMAL,
    "discount_position": pl.Int64(),
}


def converted(lines: pl.LazyFrame, frames: CatalogFrames) -> pl.LazyFrame:
    """`lines`, of which those in pricing units are in no total, and the lines that convert them to the currency."""
    in_currency = pl.col("amount_unit") == pl.col("currency")
    conversions = rating.conversion_lines(lines, frames.pricing_unit_conversions)
    counted = pl.col("in_total").fill_null(value=True) if "in_total" in lines.collect_schema() else True
    shown = lines.with_columns(in_total=in_currency & counted)
    return pl.concat([shown, conversions.with_columns(in_total=pl.lit(value=True))], how="diagonal_relaxed")


_NO_INVOICES = pl.LazyFrame(schema={"invoice_id": pl.String()})


def _together(found: rating.Discounted) -> pl.LazyFrame:
    """Lines and the discounts on them, which name the line that they are taken off."""
    taken = found.discounts.rename({"line_key": "atom_key"}, strict=False)
    return pl.concat([found.lines, taken], how="diagonal_relaxed")


def until_month(month: str) -> pl.Expr:
    return pl.col("close_month") <= pl.lit(month)


def drawn_with_month(month: str) -> pl.Expr:
    """SCHEDULED invoices until the month, and those of the instant at which it ends: they are of the next month, but
    draw before the usage that ends there (docs/semantics.md, Pools)."""
    return close_month(pl.col("charged_at")) <= pl.lit(month)


def composite_lines(
    quantified: pl.LazyFrame, billed: pl.LazyFrame, frames: CatalogFrames, used: pl.LazyFrame, depth: int, hold: Hold
) -> pl.LazyFrame:
    """Composites of the billed periods with their discounts and limits."""
    found = rating.discount(hold(rating.composites(quantified, frames)), billed, frames, used, depth)
    return hold(rating.adjust(hold(_together(found)), rating.composite_limits(quantified, frames), frames))


@dataclass(frozen=True, slots=True)
class OpenCharges:
    """charges, scheduled: as of `Placed`. subscribed: what of subscriptions has begun and is on no final invoice, by
    contract_id and starting_at, with the invoice_id of the open one that charges it, null for one of later."""

    charges: pl.LazyFrame
    scheduled: pl.LazyFrame
    subscribed: pl.LazyFrame


def placed_charges(given: Terms, recurring: pl.LazyFrame | None, hold: Hold) -> OpenCharges:
    """Every charge that no final invoice has, on its invoice: of subscriptions, schedules and purchases of commits, up
    to the horizon. `recurring`: the recurrences of recurring commits."""
    frames = given.frames
    spans = hold(charge_spans(given))
    periods = hold(charges.subscription_periods(frames, spans, given.fees))
    prices = hold(rating.subscription_prices(periods, frames.charge_rates, frames))
    found = pl.concat(
        [
            charges.subscription_lines(periods, prices, frames, given.fees),
            charges.unrated_subscriptions(periods, prices, frames, given.fees),
            charges.scheduled_lines(frames, spans),
            *(() if recurring is None else (charges.purchase_lines(frames, recurring, spans),)),
        ]
    )
    still_open = given.periods.filter("is_open")
    headers = usage_invoices(still_open, frames.customers, given.catalog.settings.grace_period)
    usage = hold(invoices_of_periods(still_open, hold(headers)))
    placed = place(hold(not_billed(found, given.billed)), usage, given.taken, frames.contracts, frames.customers)
    mine, later = hold(placed.charges), charges.charged_later(periods, frames, given.fees, given.now)
    now_charged = mine.filter(pl.col("line_type") == "subscription").select("contract_id", "starting_at", "invoice_id")
    subscribed = pl.concat([now_charged, later.with_columns(invoice_id=pl.lit(None, dtype=pl.String))])
    return OpenCharges(mine, hold(placed.scheduled), hold(subscribed))


def charge_spans(given: Terms) -> pl.LazyFrame:
    """Grain contract: `since` the book's start, and `horizon`: now, or the end of its last period that has begun, with
    the rest of that day where a charge of the same day is on the usage invoice."""
    now = pl.lit(given.now, dtype=TIMESTAMP)
    ends = given.periods.filter("is_open").group_by("contract_id").agg(last=pl.col("period_end").max())
    day_end = pl.col("last").dt.truncate("1d") + pl.duration(days=1) - pl.duration(microseconds=1)
    return (
        given.frames.contracts.select("contract_id", "bills_charges_on_usage_invoices")
        .join(ends, on="contract_id", how="left")
        .with_columns(last=pl.when("bills_charges_on_usage_invoices").then(day_end).otherwise("last"))
        .select(
            "contract_id",
            since=pl.lit(given.catalog.settings.starting_at, dtype=TIMESTAMP),
            horizon=pl.max_horizontal(now, "last"),
        )
    )


def not_billed(found: pl.LazyFrame, billed: pl.LazyFrame) -> pl.LazyFrame:
    """Charges that are not final: of one key those whose amount is, then as many as are final under other amounts.

    A final charge that is corrected in the catalog is neither charged again nor given back; one that is put beside it
    is charged, whatever their order in the schedule.
    """
    of_amount, place = [*CHARGE_KEY, "amount"], pl.int_range(pl.len(), dtype=pl.UInt32)
    same = (
        found.group_by(of_amount)
        .agg(pl.len())
        .join(billed, on=of_amount, how="full", coalesce=True, nulls_equal=True)
        .with_columns(pl.col("len", "billed").fill_null(0).cast(pl.Int64))
    )
    others = same.group_by(CHARGE_KEY).agg(
        corrected=pl.max_horizontal(pl.col("billed") - pl.col("len"), pl.lit(0, dtype=pl.Int64)).sum()
    )
    return (
        found.join(billed, on=of_amount, how="left", nulls_equal=True)
        .filter(place.over(of_amount, order_by="charge_number") >= pl.col("billed").fill_null(0))
        .join(others, on=CHARGE_KEY, how="left", nulls_equal=True)
        .filter(place.over(CHARGE_KEY, order_by="charge_number") >= pl.col("corrected").fill_null(0))
        .drop("billed", "corrected")
    )


def open_scheduled(given: Terms, hold: Hold) -> pl.LazyFrame:
    """Grain invoice: close_month and issued_at of the SCHEDULED invoices that are not final, of every month."""
    has = Features.of(given.catalog)
    if not has.charges:
        return pl.LazyFrame(schema={"close_month": pl.String(), "issued_at": TIMESTAMP})
    recurring = hold(charges.recurrences(given.frames, hold(charge_spans(given)))) if has.balances else None
    return placed_charges(given, recurring, hold).scheduled.select("close_month", "issued_at")


def has_charges(catalog: Catalog) -> bool:
    """Whether a book charges anything beside usage."""
    of_contracts = any(
        one.subscriptions or one.scheduled_charges or one.commits or one.recurring_commits for one in catalog.contracts
    )
    return of_contracts or any(customer.commits for customer in catalog.customers) or has_thresholds(catalog)
