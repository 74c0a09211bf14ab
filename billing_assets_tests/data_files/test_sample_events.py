"""The sample data is what its script makes, holds the whole trace once, and stays small."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import zstandard

DATA = Path(__file__).parents[2] / "data"
EVENTS = DATA / "events"
TRACE_REQUESTS = 28_185
DELIBERATELY_BROKEN = "partner-feed.jsonl"
SENT_AGAIN = "retries.jsonl"


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    """What the script would write: path below data/events -> content."""
    return dict(script().files())


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_events", DATA / "make_events.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its own module up
    spec.loader.exec_module(module)
    return module


def text(name: str, content: bytes) -> bytes:
    """The bytes inside: gzip and zstd libraries of other versions compress the same text to other bytes."""
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().decompress(content)
    return content


def stored_events(but: set[str]) -> Iterator[dict[str, Any]]:
    """Every stored event in the native JSON form, leaving out the files named."""
    for path in sorted(EVENTS.rglob("*.jsonl*")):
        if path.name not in but and ".cloudevents." not in path.name:
            for line in text(path.name, path.read_bytes()).decode().splitlines():
                yield json.loads(line)


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return list(stored_events(but={DELIBERATELY_BROKEN, SENT_AGAIN}))


def trace() -> Counter[tuple[str, str, str]]:
    """(timestamp to the microsecond, context tokens, generated tokens) of every request, read from the trace itself."""
    rows: Counter[tuple[str, str, str]] = Counter()
    for path in sorted((DATA / "trace").glob("*.csv.gz")):
        for row in csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())):
            rows[row["TIMESTAMP"].replace(" ", "T")[:26] + "Z", row["ContextTokens"], row["GeneratedTokens"]] += 1
    return rows


def test_stored_files_are_the_ones_that_the_script_makes(made: dict[str, bytes]) -> None:
    assert sorted(str(p.relative_to(EVENTS)) for p in EVENTS.rglob("*") if p.is_file()) == sorted(made)
    for name, content in made.items():
        stored = (EVENTS / name).read_bytes()
        if name.endswith(".parquet"):
            assert pl.read_parquet(stored).equals(pl.read_parquet(content)), name
        else:
            assert text(name, stored) == text(name, content), name


def test_gzip_headers_carry_no_time_and_no_name(made: dict[str, bytes]) -> None:
    for name, content in made.items():
        if name.endswith(".gz"):
            assert content[3:8] == bytes(5), name


def test_every_request_of_the_trace_is_there_exactly_once(events: list[dict[str, Any]]) -> None:
    requests = [e for e in events if e["transaction_id"].startswith("azure-")]
    assert len(requests) == len({e["transaction_id"] for e in requests}) == TRACE_REQUESTS
    found = Counter(
        (e["timestamp"], str(e["properties"]["context_tokens"]), str(e["properties"]["generated_tokens"]))
        for e in requests
    )
    assert found == trace()


def test_replays_are_marked_and_leave_the_day_of_the_trace_alone(events: list[dict[str, Any]]) -> None:
    for e in events:
        if e["event_type"] == "completion":
            replayed = e["transaction_id"].startswith("replay-")
            assert e["properties"].get("replay", False) is replayed
            assert e["timestamp"].startswith("2023-11-16") is not replayed
    for prefix, days, one_in in (("replay-11", 29, 40), ("replay-20", 12, 64)):
        counts = Counter(e["timestamp"][:10] for e in events if e["transaction_id"].startswith(prefix))
        assert len(counts) == days
        assert all(abs(count - TRACE_REQUESTS / one_in) < 2 for count in counts.values())


def test_customers_with_agreements_have_events_of_their_own_and_nobody_elses_changed(
    events: list[dict[str, Any]],
) -> None:
    agreed = {e["customer_id"] for e in events if e["transaction_id"].startswith("replay-20")}
    others = {e["customer_id"] for e in events if e["transaction_id"].startswith(("azure-", "replay-11"))}
    assert len(agreed) == 8
    assert agreed.isdisjoint(others)


def test_every_request_says_what_the_catalog_asks(events: list[dict[str, Any]]) -> None:
    for e in events:
        datetime.fromisoformat(e["timestamp"])
        if e["event_type"] == "completion":
            assert {"model", "region", "context_tokens", "generated_tokens", "user"} <= e["properties"].keys()


def test_ids_repeat_only_where_the_story_says_so(events: list[dict[str, Any]]) -> None:
    assert max(Counter(e["transaction_id"] for e in events).values()) == 1
    again = [json.loads(line) for line in (EVENTS / SENT_AGAIN).read_text().splitlines()]
    unchanged = [e for e in events if e in again]
    assert len(again) == 21
    assert len(unchanged) == 20
    assert again[-1]["transaction_id"] == "ft-0997"
    assert again[-1]["properties"]["gpu_hours"] == "21.5"


def test_size() -> None:
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 3_000_000
