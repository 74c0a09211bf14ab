"""Broken files reach a person as counted rows, named files and listed problems, never as a traceback.

The short form of `python -m billing_assets_tests.faults.fuzz`, and the corpus of files that were broken by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets_tests.faults.books import CATALOG, new_book
from billing_assets_tests.faults.fuzzing import wrong_with_catalog, wrong_with_files, wrong_with_ingest
from billing_assets_tests.faults.mutations import catalog_texts, event_files

BROKEN = Path(__file__).with_name("broken")
FILES = {path.name: path.read_bytes() for path in sorted((BROKEN / "events").iterdir())}
CATALOGS = sorted((BROKEN / "catalogs").iterdir())
SHORT = settings(max_examples=25, suppress_health_check=list(HealthCheck))


def test_every_row_of_the_broken_files_is_accounted_for(tmp_path: Path) -> None:
    assert wrong_with_ingest(new_book(tmp_path / "project"), FILES, "2026-10-11T00:00:00Z") == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.stem)
def test_a_broken_catalog_is_a_list_of_problems(path: Path) -> None:
    assert wrong_with_catalog(path.read_bytes()) == []


@SHORT
@given(st.lists(event_files(), min_size=1, max_size=3, unique_by=lambda file: file[0]))
def test_changed_event_files_are_accounted_for(files: list[tuple[str, bytes]]) -> None:
    assert wrong_with_files(dict(files)) == []


@SHORT
@given(catalog_texts(CATALOG.read_text("utf-8")))
def test_changed_catalogs_are_valid_or_a_list_of_problems(content: bytes) -> None:
    assert wrong_with_catalog(content) == []
