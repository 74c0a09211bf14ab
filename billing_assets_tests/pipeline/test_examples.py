"""Figures that public documentation works out, through the whole pipeline, in the same close as the vectors."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets_tests.pipeline import examples
from billing_assets_tests.pipeline.closing import Closed


def expected(name: str) -> Any:
    return examples.EXAMPLES[name]["expected"]


def usage_lines(closed: Closed, name: str) -> list[dict[str, Any]]:
    """January's usage lines, as on the invoice."""
    found = closed.lines(contract_id=name, line_type="usage")
    return [line for line in found if line["service_period_start"].month == 1]


def amounts(closed: Closed, name: str) -> list[Decimal]:
    return [line["amount"] for line in usage_lines(closed, name)]


def test_every_example_is_here_or_a_scenario_or_waits_for_a_later_feature() -> None:
    here = (case.name for case in examples.cases())
    assert sorted([*here, *examples.SCENARIOS, *examples.LATER]) == sorted(examples.EXAMPLES)


@pytest.mark.parametrize("name", ["latest_increments", "latest_usage_endpoint_none_window"])
def test_daily_usage_of_latest(closed_vectors: Closed, name: str) -> None:
    usage = closed_vectors.usage.filter(contract_id=name).sort("usage_date")
    to_date = usage["cumulative"].to_list()
    if name == "latest_increments":
        assert usage["quantity"].to_list() == expected(name)["increments"]
        assert to_date == expected(name)["usage_endpoint_daily"]
    else:
        assert to_date[-1] == expected(name)["value"]


@pytest.mark.parametrize("name", ["latest_rate_change_up", "latest_rate_change_down"])
def test_increments_are_priced_by_the_rate_in_force(closed_vectors: Closed, name: str) -> None:
    assert amounts(closed_vectors, name) == expected(name)["charges"]
    assert sum(amounts(closed_vectors, name)) == expected(name)["total"]


def test_a_price_change_after_the_usage(closed_vectors: Closed) -> None:
    name = "sql_hour_granularity"
    assert amounts(closed_vectors, name) == [expected(name)["total"], 0]
    usage = closed_vectors.usage.filter(contract_id=name).sort("usage_date")
    assert usage["usage_date"].to_list() == [date(2026, 1, day) for day in (1, 2, 3)]
    assert (usage["quantity"] * 10).to_list() == expected(name)["daily_totals"]


def test_tiers(closed_vectors: Closed) -> None:
    assert amounts(closed_vectors, "tier_total_12_uses") == expected("tier_total_12_uses")["lines"]
    lines = usage_lines(closed_vectors, "tier_bounds")
    bounds = [(line["tier_lower"], line["tier_upper"], line["unit_price"], line["quantity"]) for line in lines]
    assert bounds == [(None, 5, 0, 5), (5, 10, 1, 5), (10, None, Decimal("1.5"), 2)]


def test_one_line_per_org_region_and_product(closed_vectors: Closed) -> None:
    """The one cell without usage has no line."""
    name = "dimensional_presentation_grid"
    found = {
        (line["presentation_group_values"], line["pricing_group_values"], line["name"]): line["quantity"]
        for line in usage_lines(closed_vectors, name)
    }
    units = {
        (f'{{"org":"{org}"}}', f'{{"region":"{region}"}}', "p1" if metric == "SUM" else "p2"): row[index]
        for org, row in examples.given(name)["units"].items()
        for index, (metric, region) in enumerate(examples.CELLS)
    }
    assert found == {cell: quantity for cell, quantity in units.items() if quantity}


def test_the_multiplier_of_a_contract(closed_vectors: Closed) -> None:
    name = "commit_specific_vs_contract_multiplier"
    prices = {line["name"]: line["unit_price"] for line in usage_lines(closed_vectors, name)}
    assert prices == {what: Decimal(str(price)) for what, price in expected(name)["after"].items()}


def test_an_override_by_ranges(closed_vectors: Closed) -> None:
    """20 % off the first ten, 30 % off the next ten; beyond the last range the list price holds."""
    lines = usage_lines(closed_vectors, "override_tiered")
    priced = [(line["quantity"], line["unit_price"]) for line in lines]
    assert sorted(priced) == [(5, 1), (10, Decimal("0.7")), (10, Decimal("0.8"))]


def test_periods_follow_a_custom_anchor(closed_vectors: Closed) -> None:
    """The example's September 2024 is December 2025 here."""
    periods = closed_vectors.invoices.filter(contract_id="custom_anchor").sort("period_start")
    found = [(start.date(), end.date()) for start, end in periods.select("period_start", "period_end").iter_rows()]
    assert found[:2] == [(date(2025, 12, 15), date(2026, 1, 10)), (date(2026, 1, 10), date(2026, 2, 10))]


def test_quantities_are_converted_and_rounded(closed_vectors: Closed) -> None:
    [converted] = usage_lines(closed_vectors, "conversion_mb_gb")
    assert (converted["quantity"], converted["unit"]) == (expected("conversion_mb_gb")["quantity_gb"], "GB")
    name = "proration_rounding_negative_places"
    [rounded] = usage_lines(closed_vectors, name)
    assert rounded["quantity"] == expected(name)["rounded"]


def test_the_sums_are_in_the_books(closed_vectors: Closed) -> None:
    """Each customer's invoices are final but those of the running month."""
    open_months = closed_vectors.invoices.filter(pl.col("status") == "DRAFT")["close_month"].unique().to_list()
    assert open_months == ["2026-03"]
