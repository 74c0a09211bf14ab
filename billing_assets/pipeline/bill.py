"""An invoice is a pure function of (events, catalog, actions, now): this is the function, for everybody who bills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from billing_assets import metering, rating
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.invoicing.drafts import HoldPolicy, draft_invoices
from billing_assets.invoicing.lines import line_items
from billing_assets.metering.attribution import Terms
from billing_assets.pipeline import charging
from billing_assets.pipeline.charging import charged

Hold = Callable[[pl.LazyFrame], pl.LazyFrame]
"""Compute a frame once and give it back to be read many times. What is held is chosen here; where it is held is not."""

EventsAt = Callable[[pl.LazyFrame], pl.LazyFrame]
"""The events of some places, given as (customer_ref, usage_date): with them only the files that have any are read."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one computation depends on. Frames hold the rows up to the computation's watermarks, and no others.

    periods: every billing period that has started, with PERIOD columns of its contract, `close_month`, `is_billed` (to
    be computed now) and `events_through` (not null where it is final). month: the close month that is computed; None:
    every open period. states and values reach back to the start of the first billed period and of the month.
    past: what levels of time-weighted metrics come to before that (`metering.history`); empty without such metrics.
    events: read only where something is listed as unbilled, or counts against a tolerance. billed_charges, scheduled:
    charges that final invoices have, and the SCHEDULED invoices that exist (`charging.Terms`).
    """

    catalog: Catalog
    frames: CatalogFrames
    periods: pl.LazyFrame
    states: pl.LazyFrame
    values: pl.LazyFrame
    past: pl.LazyFrame
    events: EventsAt
    billed_charges: pl.LazyFrame
    scheduled: pl.LazyFrame
    sealed_months: tuple[str, ...]
    month: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that follows from Inputs. rated_lines are before commits and credits; invoices are drafts.

    unrated holds invoices; unbilled lists what is not billed; equation is accepted = billed + listed by metric and day.
    """

    rated_lines: pl.LazyFrame
    unrated: pl.LazyFrame
    invoices: pl.LazyFrame
    line_items: pl.LazyFrame
    usage: pl.LazyFrame
    unbilled: pl.LazyFrame
    equation: pl.LazyFrame

    def frames(self) -> Mapping[str, pl.LazyFrame]:
        """All of them by name, to be collected in one execution."""
        return {name: getattr(self, name) for name in self.__slots__}


def bill(given: Inputs, hold: Hold) -> Bill:
    """Compute the open periods of `given` as of its `now`.

    Frames that several outputs need are held, so that the whole stays a chain of plans of moderate size.
    """
    metrics, frames = given.catalog.billable_metrics, given.frames
    attributed = attribution(given, hold)
    billed = given.periods.filter("is_billed")

    groups = hold(pl.concat([metering.usage_groups(attributed), rating.standing_groups(billed, frames)]).unique())
    segments = hold(rating.segments(groups, billed, frames, cuts(given, groups, billed, hold)))
    cumulatives = metering.cumulatives(attributed, segments, terms_of(given.catalog), frames.product_versions)
    quantified = hold(rating.quantify(hold(cumulatives), frames))
    limits = hold(rating.limits(groups, billed, frames))
    found = charged(charging_terms(given), hold(rating.rate(quantified, frames)), limits, hold)
    unrated = rating.unrated(quantified)
    unrated = hold(unrated if found.unrated is None else pl.concat([unrated, found.unrated]))

    items = hold(line_items(found.lines, found.headers))
    failed = hold(metering.failed_slices(attributed.candidates, billed))
    near = given.events(failed.select("customer_ref", "usage_date").unique())
    exceptions = hold(metering.exceptions_by_period(failed, near, metrics, given.now))
    drafts = hold(
        draft_invoices(
            found.headers, items, unrated, exceptions, found.unpriced, given.sealed_months, hold_policy(given.catalog)
        )
    )

    outcome = hold(metering.disposed(attributed.candidates, attributed.usage, quantified))
    listed = hold(metering.listed(outcome, given.month))
    sampled = hold(given.events(listed.select("customer_ref", "usage_date").unique()))
    return Bill(
        rated_lines=found.rated_lines,
        unrated=unrated,
        invoices=drafts,
        line_items=items.join(drafts.select("invoice_id"), on="invoice_id", how="semi"),
        usage=metering.daily_usage(attributed, metrics),
        unbilled=metering.with_samples(listed, sampled, metrics, given.now),
        equation=metering.equation(outcome, given.states, metrics, given.now),
    )


def attribution(given: Inputs, hold: Hold) -> metering.Attribution:
    """Whose usage it is, held."""
    terms = terms_of(given.catalog)
    found = metering.attribute(
        given.states, given.values, given.past, terms, given.frames, given.periods, given.now, hold
    )
    found = replace(
        found, usage=hold(found.usage), values=hold(found.values), opening_levels=hold(found.opening_levels)
    )
    if not terms.has_queries:
        return found
    return replace(found, events=hold(given.events(metering.queried_places(found))))


def cuts(given: Inputs, groups: pl.LazyFrame, billed: pl.LazyFrame, hold: Hold) -> pl.LazyFrame | None:
    """GROUP and `at`: where the dates of a term cut a group's usage; None where no term does."""
    if not any(contract.discounts for contract in given.catalog.contracts):
        return None
    return hold(rating.discount_cuts(groups, billed, given.frames).unique())


def charging_terms(given: Inputs) -> charging.Terms:
    return charging.Terms(
        catalog=given.catalog,
        frames=given.frames,
        periods=given.periods,
        billed=given.billed_charges,
        taken=given.scheduled,
        month=given.month,
        now=given.now,
    )


def terms_of(catalog: Catalog) -> Terms:
    filtered = any(contract.usage_filter for contract in catalog.contracts)
    return Terms(catalog.billable_metrics, catalog.products, filtered)


def hold_policy(catalog: Catalog) -> HoldPolicy:
    settings = catalog.settings
    return HoldPolicy(settings.hold_negative_total, settings.hold_total_over)
