"""A batch of the books brings the catalog that it is computed under, so that another process can finish it."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing_assets import runs
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.properties.test_lifecycle import CLOSED, IN_TIME, UNITS, catalog, january, used


class Stopped(Exception):
    """The process ends here."""


def stop(step: WriteStep) -> None:
    if step == WriteStep("line_items", "append", "before"):
        raise Stopped


def test_a_batch_is_finished_under_its_own_catalog_though_nobody_had_recorded_it(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme"))
    books.receive({"a.jsonl": [used("a", 5)]}, IN_TIME)
    books.meter(CLOSED)
    assert runs.recorded_catalog(books.lake) is None
    with pytest.raises(Stopped):
        runs.finalize(Lake(books.lake.root, on_write=stop), books.catalog, "2026-01", CLOSED, "test")
    recorded = runs.recorded_catalog(books.lake, books.catalog.version)
    assert recorded is not None
    assert recorded.content == books.catalog.content

    other = books.with_catalog(catalog("acme", tokens=UNITS, again=UNITS))
    assert january(other.close(CLOSED)) == {"acme": ("FINALIZED", 10)}
    (version,) = books.lake.collect(books.lake.scan("invoices"))["catalog_version"]
    assert version == books.catalog.version


def test_a_run_that_finalizes_nothing_records_nothing(tmp_path: Path) -> None:
    books = Books.open(tmp_path, catalog("acme"))
    books.receive({"a.jsonl": [used("a", 5)]}, IN_TIME)
    books.meter(CLOSED)
    report = runs.finalize(books.lake, books.catalog, "2026-02", CLOSED, "test")
    assert (report.batch_no, runs.recorded_catalog(books.lake)) == (None, None)
