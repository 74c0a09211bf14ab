"""Every line of usage can be traced: its hours and its events come to what it states.

By default of one timeline, which others close too. `python -m billing_assets_tests.scenarios.test_explained` closes and
traces every scenario.
"""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from billing_assets.cli import queries
from billing_assets.cli.explain_event import fates_of
from billing_assets.cli.explain_line import Explanation, explain_line
from billing_assets.cli.output import records
from billing_assets.pipeline.tracing import LINE, SPAN
from billing_assets.runs.explained import explained, marks_of, owned
from billing_assets.runs.told_events import received, told
from billing_assets.runs.tracing import Recorded, traced
from billing_assets.storage.lake import Lake
from billing_assets_tests.scenarios.running import SCENARIOS, Close, at, close_all

MARKS = ("catalog_version", "events_through", "ledger_through", "computed_as_of")
LATE = ("2026-02-03", "2026-03-03")


@pytest.mark.long
@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_usage_is_what_its_hours_and_events_come_to(closes: tuple[str, ...], books_of: Close) -> None:
    _assert_all_traced(books_of(closes).books.lake)


@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_late_lines_are_what_the_events_since_change(closes: tuple[str, ...], books_of: Close) -> None:
    made = _explained(books_of(closes).books.lake, "late-volume-falls-to-a-cheaper-tier:u")
    late = [one for one in made if one.line["line_type"] == "late_usage"]
    since = [(one.line["amount"], list(one.events["transaction_id"])) for one in late if one.events is not None]
    own = "late-volume-falls-to-a-cheaper-tier:1"
    assert since == [(Decimal(-40), [own]), (Decimal(36), [own])]
    assert all(one.checks and one.holds for one in late)


@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
def test_late_lines_cite_the_price_of_their_own_period(closes: tuple[str, ...], books_of: Close) -> None:
    made = _explained(books_of(closes).books.lake, "late-by-the-price-then:u")
    (late,) = [one for one in made if one.line["line_type"] == "late_usage"]
    assert late.terms["rate"].content["price"] == "2"


@pytest.mark.parametrize("closes", [LATE], ids=" ".join)
@pytest.mark.parametrize(
    ("event", "disposition", "lines"),
    [("late-volume-falls-to-a-cheaper-tier:1", "billed", [-40, 36]), ("late-only-reported:1", "late_usage", [])],
)
def test_late_events_are_told(
    closes: tuple[str, ...], event: str, disposition: str, lines: list[int], books_of: Close
) -> None:
    lake = books_of(closes).books.lake
    (fate,) = fates_of(told(lake, received(lake, event).accepted, at(closes[-1])))
    assert (fate.metric, fate.disposition) == ("units", disposition)
    assert [part.line["amount"] for part in fate.parts] == lines


def _explained(lake: Lake, customer: str) -> list[Explanation]:
    """The last invoice of a customer that is final."""
    final = lake.collect(lake.scan("invoices", pl.col("customer_id") == customer)).sort("issued_at")
    frame = queries.lines_of(lake, [final["invoice_id"][-1]])
    lines = records(frame)
    found = explained(lake, final.row(-1, named=True), frame)
    return [explain_line(one, lines, found) for one in lines]


def _assert_all_traced(lake: Lake) -> None:
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


def main() -> None:
    for closes in sorted({one.closes for one in SCENARIOS}):
        with tempfile.TemporaryDirectory() as root:
            ran = close_all(Path(root), [one for one in SCENARIOS if one.closes == closes])
            _assert_all_traced(ran.books.lake)
        print(f"traced: {' '.join(closes)}", flush=True)


if __name__ == "__main__":
    main()
