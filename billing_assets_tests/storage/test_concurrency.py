"""Several processes on one table: nothing lost, nothing twice, and no half of a write after a kill."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest

from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.forking import FORKING, PATIENCE, ended
from billing_assets_tests.storage.rows import events, rows


def together(target: Callable[..., None], *arguments: tuple[Any, ...]) -> None:
    """Run the target in a process per tuple of arguments, all starting their work at one instant."""
    start = FORKING.Barrier(len(arguments), timeout=PATIENCE)
    workers = [FORKING.Process(target=target, args=(start, *given)) for given in arguments]
    for worker in workers:
        worker.start()
    assert [ended(worker) for worker in workers] == [0] * len(workers)


def append_batches(start: Any, root: str, shard: str) -> None:
    lake = Lake(root)
    start.wait()
    for batch in range(1, 11):
        lake.append_fenced("events", events(4, batch, days=1), f"ingest/{shard}", batch)


def test_two_processes_with_the_same_batches_create_and_fill_a_table_once(lake: Lake) -> None:
    together(append_batches, (lake.root, "0"), (lake.root, "0"))
    found = lake.collect(lake.scan("events", through={}))
    assert found.height == 40
    assert found["transaction_id"].n_unique() == 40


def replace_days(start: Any, root: str, worker: int) -> None:
    lake = Lake(root)
    start.wait()
    for count in range(1, 9):
        for day in (1, worker + 1):
            own = {"usage_date": date(2026, 1, day), "ingest_batch": worker, "event_count": count}
            where = {"usage_date": date(2026, 1, day), "ingest_batch": worker}
            lake.replace_slice("usage_states", rows("usage_states", own), where)


def test_slices_of_one_day_are_replaced_beside_each_other(lake: Lake) -> None:
    together(replace_days, (lake.root, 1), (lake.root, 2))
    found = lake.collect(lake.scan("usage_states", through={}).sort("usage_date", "ingest_batch"))
    assert found.select("usage_date", "ingest_batch", "event_count").rows() == [
        (date(2026, 1, 1), 1, 8),
        (date(2026, 1, 1), 2, 8),
        (date(2026, 1, 2), 1, 8),
        (date(2026, 1, 3), 2, 8),
    ]


def test_an_overwrite_that_is_overtaken_over_an_empty_table_doubles_nothing(lake: Lake) -> None:
    """Neither of two overwrites removes a file there, so nothing else tells them of each other."""
    given, steps = rows("check_failures", {}), list[WriteStep]()

    def overtake(step: WriteStep) -> None:
        if step.instant == "before" and not steps:
            steps.append(step)
            lake.overwrite("check_failures", given)

    assert Lake(lake.root, on_write=overtake).overwrite("check_failures", given) is None
    assert steps
    assert lake.collect(lake.scan("check_failures", through={})).height == 1


def overwrite_for_ever(root: str) -> None:
    lake, turn = Lake(root), 0
    while True:
        turn += 1
        marked = events(200_000, turn, days=2).select(pl.all().exclude("property_model", "number_tokens"))
        lake.overwrite("events", marked)


@pytest.mark.parametrize("wait", [0.0, 0.15, 0.4])
def test_a_writer_killed_in_its_middle_leaves_whole_versions(lake: Lake, wait: float) -> None:
    writer = FORKING.Process(target=overwrite_for_ever, args=(lake.root,))
    writer.start()
    deadline = time.monotonic() + PATIENCE
    while (lake.version("events") or 0) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    threading.Event().wait(wait)
    writer.kill()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    found = lake.collect(lake.scan("events", through={}))
    assert found.height == 200_000
    assert found["ingest_batch"].n_unique() == 1
    assert lake.overwrite("events", events(10, 1)) is not None
