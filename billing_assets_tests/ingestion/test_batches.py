"""The four tables of a batch: sorted, promoted, reconciled, and the same for any order of files and lines."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import get_type_hints

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.ingestion.batch import EVENT_ORDER, Promotions, ingest_batch
from billing_assets.ingestion.judgement import ROWS
from billing_assets.schemas.ingestion import DuplicateEvents, Events, IngestedFiles, RejectedEvents
from billing_assets.storage.staging import FILES
from billing_assets_tests.ingestion.workbench import (
    NO_HISTORY,
    WINDOWS,
    Ingested,
    ingest,
    line,
    lines,
    staged_batch,
    with_properties,
)

PROMOTED = Promotions(frozenset({"model", "note"}), frozenset({"tokens"}))


def test_the_frames_keep_the_contracts_of_their_tables() -> None:
    got = ingest({"e.jsonl": lines(line("1"), line("1"), b"bad"), "empty.jsonl": b""}, promotions=PROMOTED)
    for model, frame in (
        (Events, got.events),
        (RejectedEvents, got.rejected),
        (DuplicateEvents, got.duplicates),
        (IngestedFiles, got.files),
    ):
        assert get_type_hints(model)
        model.validate(frame, lazy=True)
        assert frame.height


def test_events_are_sorted_by_day_customer_and_time() -> None:
    sent = [
        line(f"t-{step}", customer_id=f"c-{step % 3}", timestamp=f"2026-10-0{1 + step % 4}T0{step % 7}:00:00Z")
        for step in range(40)
    ]
    got = ingest({"e.jsonl": lines(*sent)}).events
    assert got.equals(got.sort(EVENT_ORDER))
    assert got.get_column("event_date").equals(got.get_column("timestamp").dt.date().alias("event_date"))


def test_events_are_read_as_any_lazy_frame() -> None:
    sent = [line(f"t-{step:02}", timestamp=f"2026-10-{1 + step % 9:02}T0{step % 7}:00:00Z") for step in range(30)]
    with staged_batch({"e.jsonl": lines(*sent)}) as outputs:
        events, whole = outputs.events, outputs.events.collect()
        wanted = pl.col("transaction_id").str.ends_with("5") & (pl.col("event_date") > date(2026, 10, 2))
        assert (
            events.filter(wanted)
            .select("transaction_id", "timestamp")
            .collect()
            .equals(whole.filter(wanted).select("transaction_id", "timestamp"))
        )
        assert events.head(7).collect().equals(whole.head(7))
        assert pl.concat(events.collect_batches(maintain_order=True, chunk_size=4)).equals(whole)
        assert events.select(pl.len()).collect().item() == 30


def test_promoted_properties_have_columns_of_their_own() -> None:
    sent = [
        with_properties('{"model": "large", "tokens": 12.50}', "1"),
        with_properties(r'{"model": "l\"ar\\ge,\"model\":\"x\"", "tokens": "1e3"}', "2"),
        with_properties('{"tokens": "many", "note": ""}', "3"),
        with_properties('{"Xmodel": "no", "tokens": 0.0000000000001}', "4"),
        with_properties('{"a": ",\'model\':\'no\'", "tokens": 100000000000000000000000000}', "5"),
        with_properties(r'{"a": "{\"model\":\"no\"", "note": "line\nbreak \u00e9"}', "6"),
    ]
    got = ingest({"e.jsonl": lines(*sent)}, promotions=PROMOTED).events.sort("transaction_id")
    assert got.get_column("property_model").to_list() == ["large", 'l"ar\\ge,"model":"x"', None, None, None, None]
    assert got.get_column("property_note").to_list() == [None, None, "", None, None, "line\nbreak é"]
    assert got.get_column("number_tokens").to_list() == [Decimal("12.5"), Decimal(1000), None, None, None, None]


def test_a_file_without_rows_has_its_line_too() -> None:
    got = ingest({"empty.jsonl": b"", "blank.jsonl": b"\n  \r\n\t\n", "full.jsonl": line()})
    counts = ("source_file", "rows", "accepted", "first_timestamp", "detail")
    assert got.files.select(counts).rows()[:2] == [("blank.jsonl", 0, 0, None, None), ("empty.jsonl", 0, 0, None, None)]


def test_a_file_is_reconciled_and_spans_its_accepted_events() -> None:
    got = ingest(
        {
            "a.jsonl": lines(line("1"), line("2", timestamp="2026-10-09T00:00:00Z"), b"bad", line("1")),
            "b.jsonl": lines(line("1"), line("3", timestamp="2030-01-01T00:00:00Z")),
        }
    )
    counts = got.files.select("source_file", "rows", "accepted", "duplicates", "rejected").rows()
    assert counts == [("a.jsonl", 4, 2, 1, 1), ("b.jsonl", 2, 0, 1, 1)]
    first, last = got.files.select("first_timestamp", "last_timestamp").row(0)
    assert (first.isoformat(), last.isoformat()) == ("2026-10-09T00:00:00+00:00", "2026-10-10T10:00:00+00:00")


def test_the_pure_function_needs_no_files() -> None:
    rows = pl.LazyFrame({"source_file": ["a"], "source_line": [1], "reason": ["invalid_json"]}).match_to_schema(
        ROWS, missing_columns="insert"
    )
    files = pl.LazyFrame({"source_file": ["a", "b"]}).match_to_schema(FILES, missing_columns="insert")
    out = ingest_batch(rows, files, NO_HISTORY, WINDOWS, 7)
    assert out.ingested_files.select("rows", "rejected", "ingest_batch").collect().rows() == [(1, 1, 7), (0, 0, 7)]


def comparable(got: Ingested) -> list[list[tuple[object, ...]]]:
    """Every table as a set of facts, without the places, which differ when lines move."""
    places = ["source_file", "source_line", "detail", "raw"]
    tables = [got.events, got.rejected, got.duplicates]
    return [sorted(table.drop(places, strict=False).rows(), key=repr) for table in tables]


IDS = st.sampled_from(["t-1", "t-2", "t-3"])
EVENTS = st.builds(
    line,
    IDS,
    customer_id=st.sampled_from(["acme", "globex"]),
    timestamp=st.sampled_from(["2026-10-09T10:00:00Z", "2026-10-10T10:00:00+01:00", "2020-01-01T00:00:00Z", "soon"]),
    properties=st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, "1", 2, None, 0.1]), max_size=2),
)


@settings(max_examples=20)
@given(st.lists(EVENTS, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_files_and_lines_is_irrelevant(sent: list[bytes], chance: random.Random) -> None:
    shuffled = sent[:]
    chance.shuffle(shuffled)
    half = len(sent) // 2
    in_two = {"a.jsonl": lines(*shuffled[:half]), "b.jsonl": lines(*shuffled[half:])}
    expected = comparable(ingest({"e.jsonl": lines(*sent)}))
    assert comparable(ingest(in_two)) == expected
    same_places = ingest(in_two, order=["b.jsonl", "a.jsonl"])
    for one, other in zip(vars(same_places).values(), vars(ingest(in_two)).values(), strict=True):
        assert one.equals(other)


GARBAGE = st.one_of(
    EVENTS,
    st.binary(max_size=60),
    st.text(max_size=40).map(str.encode),
    st.tuples(EVENTS, st.integers(0, 120), st.binary(max_size=3)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    ),
)
NAMES = ["a.jsonl", "b.ndjson", "c.csv"]
HEADER = b"transaction_id,customer_id,event_type,timestamp,properties\n"


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.lists(GARBAGE, max_size=8).map(lambda parts: lines(*parts)), min_size=1)
)
def test_whatever_the_bytes_every_row_is_accounted_for(files: dict[str, bytes]) -> None:
    got = ingest({name: HEADER * name.endswith("csv") + content for name, content in files.items()})
    assert got.reconciles()
    assert got.files.height == len(files)
    for name, content in files.items():
        if not name.endswith("csv"):
            rows = sum(bool(row.strip(b" \t\r")) for row in content.split(b"\n"))
            assert got.files.filter(pl.col("source_file") == name).get_column("rows").item() == rows


@pytest.mark.parametrize("spoil", [b"}", b"\xff"], ids=["json", "utf8"])
def test_a_file_of_bad_rows_only(spoil: bytes) -> None:
    bad = b"".join(line(f"t-{step % 50}") + spoil + b"\n" for step in range(200)) * 1000
    got = ingest({"bad.jsonl": bad, "good.jsonl": line("good")})
    assert got.rejected.height == 200_000
    assert got.events.height == 1
    assert got.reconciles()
