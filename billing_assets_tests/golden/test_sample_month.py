"""The sample month, to the last digit: what `data/expected` says is what a close makes.

The files change only together with their reason: `python -m billing_assets_tests.golden.write LAKE` writes them anew.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from billing_assets_tests.conftest import ClosedSample
from billing_assets_tests.golden.write import EXPECTED, MONTH_FILES, as_written

# Computed by hand, from the catalog and the event files alone (data/expected/README.md).
BY_HAND = {
    "quill": "89.08",
    "fathom": "52.85",
    "hallow": "10.38",
    "sakura": "3390",
    "volta": "83.21",
    "cascade": "14.85",
    "pebble": "13.07",
    "bazaar": "87.25",
    "foundry": "3007.18",
    "marlin": "85.83",
    "parcel": "9.53",
    "lantern": "18.54",
    "idle": "0",
}


@pytest.mark.parametrize("name", MONTH_FILES)
def test_every_row_is_as_expected(closed_sample: ClosedSample, name: str) -> None:
    expected = (EXPECTED / name).read_text(encoding="utf-8").splitlines()
    assert as_written(closed_sample.lake, name).splitlines() == expected


def test_totals_are_those_computed_by_hand(closed_sample: ClosedSample) -> None:
    invoices = closed_sample.lake.scan("invoices").select("customer_id", "total").collect()
    totals = {row["customer_id"]: row["total"] for row in invoices.iter_rows(named=True)}
    assert {name: totals[name] for name in BY_HAND} == {name: Decimal(total) for name, total in BY_HAND.items()}


def test_the_month_as_a_whole(closed_sample: ClosedSample) -> None:
    invoices = closed_sample.lake.scan("invoices")
    sums = invoices.group_by("currency").agg(pl.len(), pl.col("total").sum()).sort("currency").collect()
    assert sums.rows() == [("JPY", 1, Decimal(3390)), ("USD", 54, Decimal("6271.01"))]


def test_the_unrated_customer_is_held_and_the_month_is_not_sealed(closed_sample: ClosedSample) -> None:
    drafts = closed_sample.lake.scan("draft_invoices").filter(pl.col("close_month") == "2023-11").collect()
    assert drafts.select("customer_id", "hold_reasons").rows() == [("nightly", '["UNRATED_USAGE"]')]
    assert closed_sample.lake.scan("month_closes").collect().is_empty()
    assert closed_sample.exit_code == 1
    assert "UNRATED_USAGE" in closed_sample.stdout


def test_every_input_row_is_accounted_for(closed_sample: ClosedSample) -> None:
    files = closed_sample.lake.scan("ingested_files")
    counts = files.select(pl.col("rows", "accepted", "duplicates", "rejected").sum()).collect().row(0)
    assert counts == (54_059, 54_031, 21, 7)


def test_what_is_not_billed_is_listed(closed_sample: ClosedSample) -> None:
    listed = (
        closed_sample.lake.scan("unbilled_usage")
        .filter(pl.col("billable_metric_id").is_null() | (pl.col("billable_metric_id") == "input_tokens"))
        .group_by("disposition")
        .agg(pl.col("event_count").sum())
    )
    assert dict(listed.collect().iter_rows()) == {
        "no_contract": 414,
        "not_entitled": 222,
        "unattributed": 116,
        "unrated": 101,
        "excluded_by_usage_filter": 83,
        "metric_exception": 1,
        "no_metric": 1,
    }
