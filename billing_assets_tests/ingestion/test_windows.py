"""Timestamps: what counts as one, and which are in time at the arrival of their file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from billing_assets.ingestion.timestamps import utc
from billing_assets_tests.ingestion.workbench import ARRIVAL, OPEN_WINDOWS, START, ingest, line, lines

INSTANTS = {
    "2026-10-10T10:00:00Z": "2026-10-10T10:00:00+00:00",
    "2026-10-10t10:00:00z": "2026-10-10T10:00:00+00:00",
    "2026-10-10 10:00:00Z": "2026-10-10T10:00:00+00:00",
    "2026-10-10T10:00:00.5Z": "2026-10-10T10:00:00.500000+00:00",
    "2026-10-10T23:59:59.999999999Z": "2026-10-10T23:59:59.999999+00:00",
    "2026-10-10T10:00:00.1234567-00:00": "2026-10-10T10:00:00.123456+00:00",
    "2026-10-10T00:30:00+02:00": "2026-10-09T22:30:00+00:00",
    "2026-10-10T23:30:00.25-05:45": "2026-10-11T05:15:00.250000+00:00",
    "2024-02-29T00:00:00Z": "2024-02-29T00:00:00+00:00",
}
NONE = [
    "",
    "2026-10-10",
    "2026-10-10T10:00:00",
    "2026-10-10T10:00Z",
    "2026-10-10T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-10-10T10:00:00+0200",
    "2026-10-10T10:00:00+24:00",
    "2026-10-10T10:00:00.Z",
    "1791626400",
    "2026-10-10T10:00:00Z ",
    "20261010T100000Z",
    "2026-10-10T10:00:00,5Z",
    "٢026-10-10T10:00:00Z",
    "2026-10-10T10:00:00Z\n",
]


@pytest.mark.parametrize(("text", "instant"), INSTANTS.items())
def test_a_timestamp_is_an_instant_in_utc(text: str, instant: str) -> None:
    assert pl.select(utc(pl.lit(text))).item().isoformat() == instant


@pytest.mark.parametrize("text", NONE)
def test_anything_else_is_rejected(text: str) -> None:
    assert pl.select(utc(pl.lit(text))).item() is None
    got = ingest({"e.jsonl": line(timestamp=text)})
    assert got.rejected.select("reason", "detail").row(0) == ("invalid_timestamp", text)


def at(instant: datetime) -> str:
    return instant.isoformat()


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        (ARRIVAL + timedelta(hours=24), None),
        (ARRIVAL + timedelta(hours=24, microseconds=1), "future_timestamp"),
        (ARRIVAL - timedelta(days=34), None),
        (ARRIVAL - timedelta(days=34, microseconds=1), "too_old"),
    ],
)
def test_both_windows_are_measured_from_the_arrival(timestamp: datetime, reason: str | None) -> None:
    assert ingest({"e.jsonl": line(timestamp=at(timestamp))}).reasons == [reason] * (reason is not None)


def test_without_a_backdating_window_any_age_since_the_start_is_accepted() -> None:
    first, before = at(START), at(START - timedelta(microseconds=1))
    got = ingest({"e.jsonl": lines(line("1", timestamp=first), line("2", timestamp=before))}, windows=OPEN_WINDOWS)
    assert got.events.get_column("transaction_id").to_list() == ["1"]
    assert got.rejected.select("reason", "detail").row(0) == (
        "too_old",
        "2025-12-31T23:59:59.999999Z is before settings.starting_at, 2026-01-01T00:00:00Z",
    )
    ahead = line(timestamp=at(ARRIVAL + timedelta(hours=25)))
    assert ingest({"e.jsonl": ahead}, windows=OPEN_WINDOWS).reasons == ["future_timestamp"]


def test_the_detail_says_what_was_compared() -> None:
    old, ahead = at(ARRIVAL - timedelta(days=40)), at(ARRIVAL + timedelta(days=2))
    got = ingest({"e.jsonl": lines(line("1", timestamp=old), line("2", timestamp=ahead))})
    assert got.rejected.get_column("detail").to_list() == [
        "2026-08-31T12:00:00Z is more than 34 days, 0:00:00 before the file's arrival at 2026-10-10T12:00:00Z",
        "2026-10-12T12:00:00Z is more than 24 hours after the file's arrival at 2026-10-10T12:00:00Z",
    ]


def test_each_file_has_its_own_arrival() -> None:
    late = datetime(2026, 12, 1, tzinfo=UTC)
    got = ingest({"a.jsonl": line("1"), "b.jsonl": line("2")}, arrivals={"b.jsonl": late})
    assert got.events.select("transaction_id", "arrived_at").rows() == [("1", ARRIVAL)]
    assert got.rejected.select("transaction_id", "arrived_at", "arrival_date").row(0) == ("2", late, late.date())
