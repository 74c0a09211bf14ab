"""Where a command finds its things, and at which time it works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing_assets.cli.dagster_home import use_dagster_home
from billing_assets.cli.settings import instant, month, resolve
from billing_assets.errors import UsageError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BILLING_CATALOG", "BILLING_EVENTS", "BILLING_LAKE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_option_goes_before_the_environment_before_billing_toml_before_the_default(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / "billing.toml").write_text('catalog = "c-toml"\nevents = "e-toml"\n')
    monkeypatch.setenv("BILLING_EVENTS", "s3://bucket/events")
    places = resolve(lake="l-option").places
    assert (places.catalog, places.events, places.lake) == (bare / "c-toml", "s3://bucket/events", "l-option")
    assert resolve(events="e-option").places.events == "e-option"
    assert resolve().places.lake == str(bare / "lake")


def test_a_billing_toml_beside_the_catalog_is_found_from_elsewhere(bare: Path) -> None:
    (bare / "project" / "catalog").mkdir(parents=True)
    (bare / "project" / "billing.toml").write_text('events = "usage"\n')
    assert resolve(catalog="project/catalog").places.events == str(bare / "project" / "usage")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T06:00:00Z", datetime(2026, 10, 1, 6, tzinfo=UTC)),
        ("2026-10-01T06:00:00+02:00", datetime(2026, 10, 1, 4, tzinfo=UTC)),
    ],
)
def test_now_is_a_date_or_a_timestamp_with_its_offset(text: str, expected: datetime) -> None:
    assert instant(text) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-10-01T06:00:00", "20261001", "2026-13-01", ""])
def test_another_now_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--now"):
        instant(text)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "2026-10-01", "October", "2026-10\n"])
def test_a_month_is_four_digits_and_two(text: str) -> None:
    assert month("2026-10") == "2026-10"
    with pytest.raises(UsageError, match="--month"):
        month(text)


def test_finalizing_ahead_of_the_clock_must_be_allowed() -> None:
    later = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    with pytest.raises(UsageError, match="--allow-future"):
        resolve(now=later).refuse_future(allowed=False)
    resolve(now=later).refuse_future(allowed=True)
    resolve(now="2020-01-01").refuse_future(allowed=False)


def test_dagster_lives_in_the_lake_without_telemetry(bare: Path) -> None:
    home = use_dagster_home(resolve().places)
    assert home == bare / "lake" / ".dagster"
    assert "telemetry:\n  enabled: false" in (home / "dagster.yaml").read_text()


def test_dagster_of_a_remote_lake_lives_here(bare: Path) -> None:
    assert use_dagster_home(resolve(lake="s3://bucket/lake").places) == bare / ".dagster"


def test_an_own_dagster_yaml_is_kept(bare: Path) -> None:
    (bare / "lake" / ".dagster").mkdir(parents=True)
    (bare / "lake" / ".dagster" / "dagster.yaml").write_text("# mine\n")
    assert (use_dagster_home(resolve().places) / "dagster.yaml").read_text() == "# mine\n"


def test_a_dagster_home_that_does_not_exist_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(bare / "nowhere"))
    with pytest.raises(UsageError, match="DAGSTER_HOME"):
        use_dagster_home(resolve().places)
