"""One event per transaction id, in a batch and against the history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl
import pytest

from billing_assets.ingestion.dedupe import HISTORY, payload
from billing_assets_tests.ingestion.workbench import ARRIVAL, WINDOWS, Ingested, ingest, line, lines

COLUMNS = ("transaction_id", "source_file", "source_line", "first_ingest_batch", "conflicting")


def history_of(*batches: Ingested) -> pl.LazyFrame:
    return pl.concat([batch.events.select(HISTORY.names()) for batch in batches]).lazy()


def winners(got: Ingested) -> list[tuple[str, str, int]]:
    return got.events.select("transaction_id", "source_file", "source_line").rows()


def test_the_payload_is_canonical_json() -> None:
    frame = pl.DataFrame({"customer_ref": ['a"c'], "event_type": ["é\n"], "properties": ['{"a":"1"}']})
    assert frame.select(payload()).item() == r'["a\"c","é\n",{"a":"1"}]'


def test_an_exact_copy_is_a_duplicate_without_conflict() -> None:
    got = ingest({"b.jsonl": lines(line(), line()), "a.jsonl": lines(line("other"), line())})
    assert winners(got) == [("other", "a.jsonl", 1), ("t-1", "a.jsonl", 2)]
    assert got.duplicates.select(COLUMNS).rows() == [("t-1", "b.jsonl", 1, 1, False), ("t-1", "b.jsonl", 2, 1, False)]
    assert got.duplicates.select("reason", "detail", "raw").row(0) == (
        "duplicate",
        "accepted from a.jsonl:2 in batch 1",
        line().decode(),
    )
    assert got.reconciles()


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "2026-10-10T10:00:00.000001Z"},
        {"customer_id": "acme2"},
        {"event_type": "completion2"},
        {"properties": {"model": "large", "tokens": 13}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_payload_or_timestamp_is_a_conflict_and_the_smaller_wins(change: Mapping[str, object]) -> None:
    got = ingest({"e.jsonl": lines(line(**change), line())})
    assert winners(got) == [("t-1", "e.jsonl", 2)]
    assert got.duplicates.select(COLUMNS).rows() == [("t-1", "e.jsonl", 1, 1, True)]


def test_equal_instants_and_equal_numbers_are_no_conflict() -> None:
    other = line(
        timestamp="2026-10-10T12:00:00.000000+02:00", properties={"tokens": 12.0, "gone": None, "model": "large"}
    )
    assert ingest({"e.jsonl": lines(line(), other)}).duplicates.get_column("conflicting").to_list() == [False]


def test_a_rejected_row_does_not_take_its_id() -> None:
    got = ingest({"e.jsonl": lines(line(event_type=""), line())})
    assert winners(got) == [("t-1", "e.jsonl", 2)]
    again = ingest({"f.jsonl": line()}, history=history_of(ingest({"e.jsonl": line(event_type="")})), batch_no=2)
    assert again.events.height == 1


def test_the_first_batch_wins_whatever_the_timestamps() -> None:
    first = ingest({"e.jsonl": lines(line("new"), line())})
    earlier = line(timestamp="2026-10-01T00:00:00Z")
    second = ingest({"f.jsonl": lines(earlier, line(), line("2"))}, history=history_of(first), batch_no=2)
    assert winners(second) == [("2", "f.jsonl", 3)]
    assert second.duplicates.select(COLUMNS).rows() == [("t-1", "f.jsonl", 1, 1, True), ("t-1", "f.jsonl", 2, 1, False)]
    assert second.duplicates.get_column("detail").unique().to_list() == ["accepted from e.jsonl:2 in batch 1"]
    assert second.reconciles()


def test_an_id_is_free_again_after_the_dedupe_window() -> None:
    assert WINDOWS.dedupe_window is not None
    first = ingest({"e.jsonl": line()})
    end = ARRIVAL + WINDOWS.dedupe_window
    for arrival, accepted in ((end, 0), (end + timedelta(microseconds=1), 1)):
        sent = line(timestamp=arrival.isoformat())
        got = ingest({"f.jsonl": sent}, history=history_of(first), batch_no=2, arrivals={"f.jsonl": arrival})
        assert got.events.height == accepted
