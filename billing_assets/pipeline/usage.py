"""From states to lines of usage at list prices: whose usage it is, how terms cut it, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from billing_assets import metering, rating
from billing_assets.catalog import Catalog
from billing_assets.metering.attribution import Terms
from billing_assets.pipeline import charging
from billing_assets.pipeline.charging import Features
from billing_assets.pipeline.drawing import Balances, Hold
from billing_assets.pipeline.given import Inputs


@dataclass(frozen=True, slots=True)
class Priced:
    """quantified: the segments of the billed groups, as `rating.quantify` returns them. usage: RATED_LINE of usage,
    before discounts and adjustments. limits: minimum and maximum. bands: prices of commits (None: there are none)."""

    quantified: pl.LazyFrame
    usage: pl.LazyFrame
    limits: pl.LazyFrame
    bands: pl.LazyFrame | None


def priced(
    given: Inputs,
    attributed: metering.Attribution,
    balances: Balances | None,
    hold: Hold,
    more: pl.LazyFrame | None = None,
) -> Priced:
    """The usage of the billed periods. `more`: GROUP and `at`, cuts beside those of the terms."""
    frames, billed = given.frames, given.periods.filter("is_billed")
    groups = hold(pl.concat([metering.usage_groups(attributed), rating.standing_groups(billed, frames)]).unique())
    lanes = None
    if balances is not None and Features.of(given.catalog).prices_of_commits:
        lanes = hold(rating.lanes(groups, billed, balances.by_contract, frames))
    found = [one for one in (cuts(given, groups, billed, balances, lanes), more) if one is not None]
    at = hold(pl.concat(found).unique()) if found else None
    segments = hold(rating.segments(groups, billed, frames, at))
    cumulatives = metering.cumulatives(attributed, segments, terms_of(given.catalog), frames.product_versions)
    quantified = hold(rating.quantify(hold(cumulatives), frames))
    usage, bands = hold(rating.rate(quantified, frames)), None
    if lanes is not None:
        bands = hold(rating.lane_bands(lanes, quantified, frames))
        usage = hold(rating.cut_at_lanes(usage, bands))
    return Priced(quantified, usage, hold(rating.limits(groups, billed, frames)), bands)


def attribution(given: Inputs, hold: Hold, bounds: pl.LazyFrame | None) -> metering.Attribution:
    """Whose usage it is, held. `bounds`: `at`, further instants at which usage can be cut."""
    terms = terms_of(given.catalog)
    found = metering.attribute(
        given.states,
        given.values,
        given.past,
        terms,
        given.frames,
        given.periods,
        given.now,
        hold,
        given.invoiced,
        bounds,
    )
    found = replace(
        found, usage=hold(found.usage), values=hold(found.values), opening_levels=hold(found.opening_levels)
    )
    if not terms.has_queries:
        return found
    return replace(found, events=hold(given.events(metering.queried_places(found))))


def cuts(
    given: Inputs,
    groups: pl.LazyFrame,
    billed: pl.LazyFrame,
    balances: Balances | None,
    lanes: pl.LazyFrame | None,
) -> pl.LazyFrame | None:
    """GROUP and `at`: where the dates of a term cut a group's usage; None where no term does."""
    found = []
    if any(contract.discounts for contract in given.catalog.contracts):
        found.append(rating.discount_cuts(groups, billed, given.frames))
    if balances is not None:
        found.append(rating.access_cuts(groups, billed, balances.by_contract, given.frames.selectors))
    if lanes is not None:
        found.append(rating.lane_cuts(lanes))
    return pl.concat(found) if found else None


def charging_terms(given: Inputs) -> charging.Terms:
    return charging.Terms(
        catalog=given.catalog,
        frames=given.frames,
        periods=given.periods,
        billed=given.billed_charges,
        fees=given.fees,
        taken=given.scheduled,
        month=given.month,
        now=given.now,
    )


def terms_of(catalog: Catalog) -> Terms:
    filtered = any(contract.usage_filter for contract in catalog.contracts)
    return Terms(catalog.billable_metrics, catalog.products, filtered)
