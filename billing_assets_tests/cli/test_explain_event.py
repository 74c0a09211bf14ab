"""From a transaction id to what became of it: over the sample company."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from billing_assets.cli.explain_event import fates_of
from billing_assets.runs.told_events import received, told
from billing_assets_tests.cli.process import ROOT, billing, billing_json
from billing_assets_tests.conftest import SAMPLE_NOW, ClosedSample

NOW = datetime.fromisoformat(SAMPLE_NOW)


@pytest.mark.parametrize(
    "disposition",
    ["excluded_by_usage_filter", "metric_exception", "no_contract", "no_metric", "unattributed", "unrated"],
)
def test_what_is_listed_is_told_alike(closed_sample: ClosedSample, disposition: str) -> None:
    lake = closed_sample.lake
    listed = lake.collect(lake.scan("unbilled_usage", pl.col("disposition") == disposition)).row(0, named=True)
    found = told(lake, received(lake, listed["first_transaction_id"]).accepted, NOW)
    fates = {fate.metric or None: fate for fate in fates_of(found)}
    fate = fates[listed["billable_metric_id"]]
    assert (fate.disposition, list(fate.parts)) == (disposition, [])
    assert fate.reason


def test_a_billed_event_names_its_lines(closed_sample: ClosedSample) -> None:
    arguments = ("--event", "replay-2023-11-05-conv-00166", "--on", "2023-11-05", "--lake", str(closed_sample.root))
    found = billing_json(ROOT, "explain", *arguments)
    (accepted,) = found["accepted"]
    assert (accepted["source_file"], accepted["source_line"]) == ("agreements/2023-11.jsonl.gz", 3)
    billed = {
        one["metric"]: (one["disposition"], [(line["invoice_number"], line["adds"]) for line in one["lines"]])
        for one in accepted["metrics"]
    }
    assert billed == {
        "input_tokens": ("billed", [("HI-2023-000021", "375")]),
        "output_tokens": ("billed", [("HI-2023-000021", "67")]),
    }
    assert {"metric": "gpu_hours", "fails": ["event_type in [fine_tune]"]} in accepted["not_counted_by"]


def test_a_conflicting_duplicate_is_loud(closed_sample: ClosedSample) -> None:
    ran = billing(ROOT, "explain", "--event", "ft-0997", "--lake", str(closed_sample.root))
    assert ran.returncode == 0
    assert ran.stdout.startswith(
        "EVENT ft-0997: accepted\n  source             fine-tuning.parquet:1, ingest batch 1\n"
    )
    assert "DUPLICATE ft-0997 at retries.jsonl:21" in ran.stdout
    assert "*** CONFLICTING: its content or timestamp differs from what was accepted ***" in ran.stdout


def test_a_rejected_row_says_why(closed_sample: ClosedSample) -> None:
    found = received(closed_sample.lake, "partner-008")
    (rejected,) = found.rejected.to_dicts()
    assert (rejected["reason"], rejected["source_file"], rejected["source_line"]) == (
        "nested_property",
        "partner-feed.jsonl",
        8,
    )
    assert (found.accepted.height, found.duplicates.height) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--event", "nonsense"), 1, "no event 'nonsense'"),
        (("HI-2023-000021", "--event", "ft-0997"), 2, "name either an INVOICE or an --event"),
    ],
)
def test_what_cannot_be_told(closed_sample: ClosedSample, arguments: tuple[str, ...], code: int, message: str) -> None:
    ran = billing(ROOT, "explain", *arguments, "--lake", str(closed_sample.root))
    assert (ran.returncode, ran.stdout) == (code, "")
    assert message in ran.stderr
