"""Two closes at once: what the one finalizes while the other computes is not doubled, and a doubled slice heals."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from billing_assets import runs
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.faults.racing import RACES, raced
from billing_assets_tests.pipeline.closing import Books
from billing_assets_tests.properties.test_lifecycle import CLOSED, IN_TIME, catalog, used

WORKING = ("rated_lines", "usage", "unbilled_usage")
HISTORY = ("events_through", "rated_as_of")


def company(root: Path) -> Books:
    """One customer whose January is due: usage that is billed, and some that is an exception."""
    books = Books.open(root, catalog("acme"))
    books.receive({"a.jsonl": [used("a", 5), used("b", 6), used("c", 6, "none")]}, IN_TIME)
    runs.record_catalog(books.lake, books.catalog, CLOSED)
    books.meter(CLOSED)
    return books


def working(lake: Lake) -> dict[str, pl.DataFrame]:
    return {name: lake.collect(lake.scan(name).drop(HISTORY, strict=False).sort(pl.all())) for name in WORKING}


def failing(lake: Lake) -> list[str]:
    return [one.invariant.name for one in runs.check(lake) if one.discrepancies.height]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The company after one close. Read it, do not write to it."""
    books = company(tmp_path_factory.mktemp("closed") / "alone")
    books.close(CLOSED)
    return books


def test_a_close_that_is_overtaken_while_it_writes_doubles_nothing(closed: Books, tmp_path: Path) -> None:
    """The whole other close happens right before this one commits the second of its three working tables."""
    books, overtaken = company(tmp_path / "both"), list[WriteStep]()

    def overtake(step: WriteStep) -> None:
        if step == WriteStep("usage", "replace", "before") and not overtaken:
            overtaken.append(step)
            books.close(CLOSED)

    slow = Lake(books.lake.root, on_write=overtake)
    runs.rate_month(slow, books.catalog, "2026-01", CLOSED)
    runs.finalize(slow, books.catalog, "2026-01", CLOSED, "test")
    runs.refresh_drafts(slow, books.catalog, CLOSED)
    assert overtaken
    expected, found = working(closed.lake), working(books.lake)
    assert [name for name in WORKING if not found[name].equals(expected[name])] == []
    assert failing(books.lake) == []


def test_a_doubled_slice_is_found_by_a_check_and_heals(closed: Books, tmp_path: Path) -> None:
    books = Books(Path(shutil.copytree(closed.root, tmp_path / "doubled")), closed.catalog)
    lake, before = books.lake, working(books.lake)
    for name in WORKING:
        stored = lake.collect(lake.scan(name))
        lake.overwrite(name, pl.concat([stored, stored]))
    assert failing(lake) == ["priced_once", "counted_once", "listed_once"]
    runs.rate_month(lake, books.catalog, "2026-01", CLOSED)
    assert [name for name, frame in before.items() if not working(lake)[name].equals(frame)] == []
    assert failing(lake) == []


def test_a_seal_is_finished_as_it_was_begun_though_usage_came_since(tmp_path: Path) -> None:
    """What a seal says of unbilled usage is of the batch's opening, whoever writes it, and however late."""
    books = company(tmp_path)

    class Stopped(Exception):
        """The process ends here."""

    def stop(step: WriteStep) -> None:
        if step == WriteStep("month_closes", "append", "after"):
            raise Stopped

    killed = Lake(books.lake.root, on_write=stop)
    runs.rate_month(killed, books.catalog, "2026-01", CLOSED)
    with pytest.raises(Stopped):
        runs.finalize(killed, books.catalog, "2026-01", CLOSED, "test")
    books.receive({"b.jsonl": [used("ghost", 5, customer="ghost")]}, CLOSED)
    books.close(CLOSED)
    assert books.lake.collect(books.lake.scan("month_closes"))["unbilled"].to_list() == ['{"metric_exception": 1}']
    assert failing(books.lake) == []


def test_processes_at_once_leave_what_one_after_the_other_leaves(tmp_path: Path) -> None:
    """Every table and every number; the other races are in `python -m billing_assets_tests.faults.run`."""
    assert raced(tmp_path, RACES[0]) == []
