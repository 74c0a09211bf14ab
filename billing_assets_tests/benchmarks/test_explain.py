"""An explanation reads the days and the customer that it is about, and little else of the events."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import polars as pl
import pytest

from benchmarks import explain, make_data, world
from billing_assets import __version__
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.pipeline.tracing import SPAN
from billing_assets.runs.tracing import Recorded, traced
from billing_assets.storage import lake as storage
from billing_assets.storage.lake import Lake

EVENTS = 60_000
CUSTOMER = "customer_0015"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two days of 30 customers; a customer has a few of each day's row groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_data, "DATA", tmp_path_factory.mktemp("benchmarks"))
        patch.setattr(world, "CUSTOMERS", 30)
        patch.setattr(world, "DAYS", 2)
        patch.setitem(storage.ROWS_OF_GROUP, "events", 1_024)
        return make_data.make(EVENTS, "typical")[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is read is counted by /proc")
def test_of_the_events_little_is_read(lake: Lake) -> None:
    start, end = world.START, datetime(2024, 7, 1, tzinfo=UTC)
    of_contract = {"contract_id": "contract_0015", "period_start": start, "product_id": "users"}
    groups = dict.fromkeys(("pricing_group_values", "presentation_group_values"), "{}")
    span = pl.DataFrame([{**of_contract, **groups, "starting_at": start, "ending_before": end}], schema=SPAN)
    marks = Watermarks(1, 0, 0, recorded_version(lake), world.NOW, __version__)
    recorded = Recorded.of(lake, marks.catalog_version)
    traced(lake, recorded, span, marks)  # brings modules in
    before = explain.bytes_read()
    found = traced(lake, recorded, span, marks)
    read = explain.bytes_read() - before

    own = lake.collect(lake.scan("events", pl.col("customer_ref") == CUSTOMER).select(pl.len())).item()
    assert found["events"].height == own > EVENTS / 100
    stored = sum(lake.open("events").get_add_actions(flatten=True)["size_bytes"].to_pylist())  # type: ignore[union-attr]
    # Twice the ends of two files and their row groups of this customer; without pruning it is two thirds.
    assert read < stored / 3


def recorded_version(lake: Lake) -> str:
    version: str = lake.collect(lake.scan("catalog_versions").select("catalog_version")).item()
    return version
