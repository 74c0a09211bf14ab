"""The same code on an object store: moto's S3 server, through a real socket."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date

import boto3
import polars as pl
import pytest

from billing_assets.errors import LakeError
from billing_assets.runs.batches import run
from billing_assets.storage.lake import Lake
from billing_assets_tests.runs.books import clock, contents, finish, propose_month
from billing_assets_tests.storage.rows import events, rows

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    """A server in a process of its own: some calls of deltalake hold the interpreter while they wait for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(port)
        boto3.client("s3", endpoint_url=endpoint, **KEYS).create_bucket(Bucket="lake")
        yield {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("moto's server did not start")


def test_a_lake_in_a_bucket(options: dict[str, str]) -> None:
    lake = Lake("s3://lake/billing/", options)
    assert not lake.exists("events")
    first = lake.append_batch("events", events(300, 1), "ingest", 1)
    assert lake.append_batch("events", events(300, 1).lazy(), "ingest", 1) == first
    one_day = lake.scan("events", pl.col("event_date") == date(2026, 1, 2), through={"ingest_batch": 1})
    assert lake.collect(one_day).height == 100
    state = rows("usage_states", {"usage_date": date(2026, 1, 1)})
    assert lake.replace_slice("usage_states", state, {"usage_date": date(2026, 1, 1)}) == 1
    assert lake.replace_slice("usage_states", state, {"usage_date": date(2026, 1, 1)}) is None
    run(lake, "books", propose_month("2026-01"), finish, clock=clock)
    assert len(contents(lake)["invoices"]) == 10
    assert lake.committed("books") == 1


def test_a_missing_object_is_named(options: dict[str, str]) -> None:
    lake = Lake("s3://lake/damaged", options)
    lake.append_batch("events", events(3, 1, days=1), "ingest", 1)
    table = lake.open("events")
    assert table is not None
    key = table.file_uris()[0].removeprefix("s3://lake/")
    boto3.client("s3", endpoint_url=options["AWS_ENDPOINT_URL"], **KEYS).delete_object(Bucket="lake", Key=key)
    with pytest.raises(LakeError, match="table events: data file s3://lake/damaged/events"):
        lake.collect(lake.scan("events", through={}))


def test_a_bucket_that_is_not_there_is_named(options: dict[str, str]) -> None:
    with pytest.raises(LakeError, match="table events cannot be"):
        Lake("s3://nowhere/billing", options).append_batch("events", events(3, 1), "ingest", 1)
