"""From an amount to its rate, its hours and its events: over the sample company, as people and programs read it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets.cli import queries
from billing_assets.cli.explain_line import Check, Explanation, explain_line, formula
from billing_assets.cli.figures import money
from billing_assets.cli.output import records
from billing_assets.runs.explained import explained
from billing_assets_tests.cli.process import ROOT, billing, billing_json
from billing_assets_tests.conftest import ClosedSample


def explanations(sample: ClosedSample, customer: str, **changes: Any) -> list[Explanation]:
    """Of the November invoice of a customer; `changes` falsify its lines."""
    lake = sample.lake
    of_customer = queries.all_invoices(lake).filter(
        pl.col("customer_id") == customer, pl.col("close_month") == "2023-11", pl.col("invoice_type") != "SCHEDULED"
    )
    invoice = records(lake.collect(of_customer.sort("period_start")))[0]
    frame = queries.lines_of(lake, [invoice["invoice_id"]])
    lines = [{**one, **changes} for one in records(frame)]
    found = explained(lake, invoice, frame)
    return [explain_line(one, lines, found) for one in lines]


@pytest.mark.parametrize(
    ("customer", "shows"),
    [
        ("delphi", {"usage", "subscription", "applied_commit_or_credit"}),
        ("granite", {"usage", "minimum_adjustment"}),
    ],
)
def test_every_figure_agrees_with_the_events_behind_it(
    closed_sample: ClosedSample, customer: str, shows: set[str]
) -> None:
    made = explanations(closed_sample, customer)
    assert shows <= {one.line["line_type"] for one in made}
    usage = [one for one in made if one.line["line_type"] == "usage"]
    assert all(one.checks for one in usage)
    assert [check for one in made for check in one.checks if not check.holds] == []
    assert sum(one.events.height for one in usage if one.events is not None) > 0


def test_an_application_says_the_balance_before_and_after(closed_sample: ClosedSample) -> None:
    made = explanations(closed_sample, "clover")
    applied = next(one for one in made if one.line["line_type"] == "applied_commit_or_credit")
    segment = next(text for label, text in applied.facts if label == "segment")
    ledger = closed_sample.lake.collect(closed_sample.lake.scan("ledger_entries"))
    entries = ledger.filter(pl.col("segment_id") == applied.line["segment_id"])
    drawn = entries.filter(pl.col("invoice_id") == applied.line["invoice_id"], pl.col("entry_type") == "DEDUCTION")
    granted = entries.filter(pl.col("entry_type") == "GRANT")["amount"].sum()
    assert drawn.height == 1
    assert f"DEDUCTION {money(drawn['amount'][0], 'USD')} USD by this invoice" in segment
    assert f"balance {money(granted, 'USD')} before" in segment
    assert "balance" in applied.terms


def test_a_line_that_its_events_do_not_come_to_is_found(closed_sample: ClosedSample) -> None:
    made = explanations(closed_sample, "elm", quantity=Decimal(1))
    assert not any(one.holds for one in made if one.line["line_type"] == "usage")


def test_json_has_all_hours_and_events(closed_sample: ClosedSample) -> None:
    found = billing_json(ROOT, "explain", "HI-2023-000014", "--line", "1", "--lake", str(closed_sample.root))
    (line,) = found["lines"]
    assert sum(Decimal(one["adds"]) for one in line["events"]) == Decimal(234922)
    assert sum(Decimal(one["quantity"]) for one in line["hours"]) == Decimal(line["line"]["quantity"])
    assert len(line["events"]) == line["line"]["event_count"]
    assert {"source_file", "source_line", "ingest_batch"} <= set(line["events"][0])
    assert all(one["holds"] for one in line["checks"])
    assert line["terms"]["rate"]["content"]["price"] == "0.03"


def test_the_page_is_what_the_readme_shows(closed_sample: ClosedSample) -> None:
    """Every line that README shows is a line of it, in its order."""
    ran = billing(ROOT, "explain", "HI-2023-000053", "--line", "4", "--limit", "1", "--lake", str(closed_sample.root))
    assert ran.returncode == 0
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(4\. Output tokens.*?)```", readme, flags=re.DOTALL)
    printed = iter(ran.stdout.splitlines())
    assert [line for line in shown.splitlines() if line not in printed] == []
    assert ran.stdout.endswith("3 figures compared with the events behind them; all agree\n")


def test_an_unknown_line_is_said(closed_sample: ClosedSample) -> None:
    ran = billing(ROOT, "explain", "HI-2023-000014", "--line", "99", "--lake", str(closed_sample.root))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "no line '99'" in ran.stderr


def test_a_formula_says_where_it_is_a_share() -> None:
    line = {"quantity": Decimal(3), "unit": "seats", "unit_price": Decimal("0.5"), "amount_unit": "USD"}
    assert formula({**line, "amount": Decimal("1.5")}) == "3 seats x 0.5 USD = 1.50 USD"
    assert "its share of a line that was split" in formula({**line, "amount": Decimal(1)})


def test_a_check_compares_what_is_stated_with_what_is_found() -> None:
    assert Check("events", 3, 3).holds
    assert not Check("events", 3, 2).holds
