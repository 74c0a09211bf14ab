"""Every line of usage of every scenario can be traced: its hours and its events come to what it states."""

from __future__ import annotations

import polars as pl
import pytest

from billing_assets.cli import queries
from billing_assets.pipeline.tracing import LINE, SPAN
from billing_assets.runs.explained import marks_of, owned
from billing_assets.runs.tracing import Recorded, traced
from billing_assets.storage.lake import Lake
from billing_assets_tests.scenarios.running import SCENARIOS, Close

MARKS = ("catalog_version", "events_through", "ledger_through", "computed_as_of")
TIMELINES = sorted({one.closes for one in SCENARIOS})


@pytest.mark.parametrize("closes", TIMELINES, ids=" ".join)
def test_usage_is_what_its_hours_and_events_come_to(closes: tuple[str, ...], books_of: Close) -> None:
    lake = books_of(closes).books.lake
    invoices = lake.collect(queries.all_invoices(lake))
    # Invoices of the same watermarks are computed together, as the close that made them did.
    for together in invoices.partition_by(MARKS):
        lines = owned(queries.lines_of(lake, together["invoice_id"].to_list())).filter(pl.col("line_type") == "usage")
        if not lines.is_empty():
            _assert_traced(lake, lines, together.row(0, named=True))


def _assert_traced(lake: Lake, lines: pl.DataFrame, invoice: dict[str, object]) -> None:
    marks = marks_of(lake, invoice)
    found = traced(lake, Recorded.of(lake, marks.catalog_version), lines.select(*SPAN), marks)
    quantity = pl.col("quantity").sum()
    stated = lines.group_by(LINE).agg(quantity, pl.col("list_amount").sum(), pl.col("event_count").first())
    hours = found["hours"].group_by(LINE).agg(of_hours=quantity)
    whole = found["whole"].group_by(LINE).agg(of_whole=quantity, of_amounts=pl.col("amount").sum())
    adds = pl.col("adds")
    events = found["events"].group_by(list(SPAN)).agg(events=pl.len(), adds=adds.sum(), is_one=adds.is_not_null().all())
    together = (
        stated.join(hours, on=LINE, how="left", nulls_equal=True)
        .join(whole, on=LINE, how="left", nulls_equal=True)
        .join(found["spans"].drop("event_count"), on=list(SPAN), how="left")
        .join(events, on=list(SPAN), how="left")
        .with_columns(pl.col("of_hours", "events", "adds").fill_null(0))
    )
    differs = pl.any_horizontal(
        pl.col("quantity") != pl.col("of_whole"),
        (pl.col("quantity") != pl.col("of_hours")),
        pl.col("list_amount") != pl.col("of_amounts"),
        pl.col("event_count") != pl.col("events"),
        pl.col("is_one") & (pl.col("adds") != pl.col("measured")),
        pl.col("of_whole").is_null(),
    )
    assert together.filter(differs).to_dicts() == []
