"""The benchmarks run, their lake is consistent, and what they compare is equal. Nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import close, make_data, measuring, metering, world
from billing_assets.runs.checks import check

EVENTS = 3_000
GROUPS = "dense"


@pytest.fixture(scope="module", autouse=True)
def _small_lake(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_data, "DATA", tmp_path_factory.mktemp("benchmarks"))
        patch.setattr(world, "CUSTOMERS", 30)
        make_data.ensure(EVENTS, GROUPS)
        yield


def test_the_lake_is_as_ingestion_makes_one() -> None:
    lake = make_data.Lake(make_data.place(EVENTS, GROUPS)[0])
    assert lake.committed("ingest") == 1
    assert [str(result) for result in check(lake) if not result.discrepancies.is_empty()] == []


def test_typical_groups_are_fewer() -> None:
    def groups_of(name: str) -> int:
        events = world.events_of_day(0, 30 * EVENTS, EVENTS, world.GROUPS[name])
        hour = events["timestamp"].dt.truncate("1h").alias("hour")
        return events.with_columns(hour).n_unique(["customer_ref", "hour", "property_model", "property_region"])

    assert groups_of("typical") < groups_of("dense") / 2


def test_every_side_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for side in metering.SIDES:
        metering.run(side, EVENTS, GROUPS)
        found[side] = [json.loads(capsys.readouterr().out)]
    assert "results equal" in metering.report(found, EVENTS, GROUPS)


def test_sides_that_differ_are_refused() -> None:
    with pytest.raises(SystemExit, match="the results differ"):
        metering.report({side: [{"found": [side]}] for side in metering.SIDES}, EVENTS, GROUPS)


def test_the_whole_way_ends_with_invoices(capsys: pytest.CaptureFixture[str]) -> None:
    close.run(EVENTS, GROUPS, beside=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["invoices"], found["sealed"]) == (world.CUSTOMERS, [world.MONTH])
    assert Decimal(found["total"]) > 0
    assert "events to invoices" in close.report([found], EVENTS, GROUPS)


def test_a_measurement_is_a_process_of_its_own() -> None:
    options = subprocess.run(
        [sys.executable, "-m", "benchmarks.metering", "--help"],
        cwd=Path(measuring.ROOT), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--runs" in options.stdout
