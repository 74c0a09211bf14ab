"""Two runs that record catalogs at once: each version's rows are in the dimension tables, once, and one is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing_assets import runs
from billing_assets.catalog import dimension_frames
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.pipeline.closing import write_catalog
from billing_assets_tests.properties.test_lifecycle import CLOSED, catalog


@pytest.mark.parametrize("table", ["catalog_versions", "contracts"])
@pytest.mark.parametrize("customers", [("acme",), ("acme", "globex")], ids=["the same", "another"])
def test_every_version_is_shown_once(customers: tuple[str, ...], table: str, tmp_path: Path) -> None:
    """The whole other recording happens right before this one commits `table`, for the first time."""
    mine = write_catalog(catalog("acme"), tmp_path / "mine")
    other = write_catalog(catalog(*customers), tmp_path / "other")
    overtaken: list[WriteStep] = []

    def overtake(step: WriteStep) -> None:
        if step.table == table and not overtaken:
            overtaken.append(step)
            runs.record_catalog(Lake(tmp_path / "lake"), other, CLOSED)

    lake = Lake(tmp_path / "lake", on_write=overtake)
    runs.record_catalog(lake, mine, CLOSED)
    assert overtaken
    expected = {catalog.version: dimension_frames(catalog) for catalog in (mine, other)}
    for name in dimension_frames(mine):
        found = lake.collect(lake.scan(name).select("catalog_version", "is_current"))
        heights = {version: lake.collect(frames[name]).height for version, frames in expected.items()}
        counted = dict(found["catalog_version"].value_counts().iter_rows())
        assert counted == {version: height for version, height in heights.items() if height}, name
        assert found.filter("is_current")["catalog_version"].n_unique() <= 1, name
