"""Listing, hashing and reading event files, on a local disk and in a bucket by the same code."""

from __future__ import annotations

import gzip
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import boto3
import polars as pl
import pytest

from billing_assets.errors import UsageError
from billing_assets.ingestion.batch import Promotions
from billing_assets.storage.sources import Compression, EventSource, Format, SourceError, format_of, is_ignored
from billing_assets.storage.staging import BatchFile, settle, stage
from billing_assets_tests.ingestion.workbench import ARRIVAL, NO_HISTORY, WINDOWS, line, lines

CSV = b"transaction_id,customer_id,event_type,timestamp,properties.model\nc-1,acme,x,2026-10-10T10:00:00Z,large\n"
CONTENTS = {
    "a.jsonl": lines(line("j-1"), b"bad"),
    "2026/10/b.ndjson.gz": gzip.compress(line("j-2")),
    "2026/10/with space é.csv": CSV,
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jsonl", (Format.JSON_LINES, Compression.NONE)),
        ("x/a.b.NDJSON.GZ", (Format.JSON_LINES, Compression.GZIP)),
        ("a.jsonl.zst", (Format.JSON_LINES, Compression.ZSTD)),
        ("a.csv", (Format.CSV, Compression.NONE)),
        ("a.csv.zst", (Format.CSV, Compression.ZSTD)),
        ("a.parquet", (Format.PARQUET, Compression.NONE)),
        ("a.parquet.gz", None),
        ("a.json", None),
        ("a.gz", None),
        ("jsonl", None),
        ("a.jsonl.part", None),
    ],
)
def test_the_format_is_in_the_extensions(name: str, found: tuple[Format, Compression] | None) -> None:
    assert format_of(name) == found


@pytest.mark.parametrize(
    "name", ["_SUCCESS", ".DS_Store", "_delta_log/0.json", "x/.tmp/a.jsonl", "README.md", "x/LICENSE"]
)
def test_what_speaks_of_the_directory_is_ignored(name: str) -> None:
    assert is_ignored(name)


def test_a_directory_is_listed_by_name(tmp_path: Path) -> None:
    for name, content in (CONTENTS | {"notes.txt": b"x", "old/e.json": b"{}", "_SUCCESS": b""}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.utime(tmp_path / "a.jsonl", (1_790_000_000, 1_790_000_000))
    listing = EventSource(tmp_path).listing()
    assert [file.name for file in listing.files] == ["2026/10/b.ndjson.gz", "2026/10/with space é.csv", "a.jsonl"]
    assert listing.unrecognised == ("notes.txt", "old/e.json")
    last = listing.files[-1]
    assert (last.size_bytes, last.modified) == (len(CONTENTS["a.jsonl"]), datetime.fromtimestamp(1_790_000_000, UTC))


def test_a_missing_place_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such directory"):
        EventSource(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"cannot read gone\.jsonl"):
        EventSource(tmp_path).content_hash("gone.jsonl")
    with pytest.raises(SourceError, match="cannot open the event files"):
        EventSource("foo://bucket/events")


def test_a_file_that_changed_since_the_intent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "a.jsonl").write_bytes(line())
    (tmp_path / "scratch").mkdir()
    batch = [BatchFile("a.jsonl", "of another content", 1, ARRIVAL)]
    staged = stage(EventSource(tmp_path / "events"), batch, WINDOWS, tmp_path / "scratch")
    assert staged.rows.collect().height == 0
    assert staged.files.get_column("detail").item() == "the content is not that of the batch's intent: it changed since"


def test_a_bucket_is_read_by_the_same_code(tmp_path: Path, s3_options: dict[str, str]) -> None:
    frame = pl.DataFrame(
        {"transaction_id": ["p-1"], "customer_id": ["acme"], "event_type": ["x"], "timestamp": [ARRIVAL]}
    )
    frame.write_parquet(tmp_path / "p.parquet")
    contents = CONTENTS | {"p.parquet": (tmp_path / "p.parquet").read_bytes()}
    client = boto3.client(
        "s3",
        endpoint_url=s3_options["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="usage")
    for name, content in contents.items():
        client.put_object(Bucket="usage", Key=f"raw/events/{name}", Body=content)
    client.put_object(Bucket="usage", Key="raw/events/2026/", Body=b"")
    source = EventSource("s3://usage/raw/events/", s3_options | {"AWS_PROFILE": "other", "GOOGLE_BUCKET": "x"})
    listing = source.listing()
    assert {file.name: file.size_bytes for file in listing.files} == {
        name: len(text) for name, text in contents.items()
    }
    assert listing.unrecognised == ()
    assert all(file.etag and file.modified.tzinfo for file in listing.files)
    batch = [BatchFile(file.name, source.content_hash(file.name), file.size_bytes, ARRIVAL) for file in listing.files]
    assert {file.name: file.content_hash for file in batch} == {
        name: hashlib.sha256(text).hexdigest() for name, text in contents.items()
    }
    (tmp_path / "scratch").mkdir()
    outputs = settle(stage(source, batch, WINDOWS, tmp_path / "scratch"), NO_HISTORY, WINDOWS, 1, Promotions())
    assert sorted(outputs.events.collect().get_column("transaction_id")) == ["c-1", "j-1", "j-2", "p-1"]
    assert outputs.rejected_events.collect().get_column("source_file").to_list() == ["a.jsonl"]


def test_a_bucket_that_cannot_be_listed_is_named(s3_options: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="s3://nowhere/events: cannot list the event files"):
        EventSource("s3://nowhere/events", s3_options).list_files()
