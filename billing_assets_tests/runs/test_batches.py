"""The commit protocol: one intent, every table once, in order; killed anywhere, the next run ends as if nothing was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets import __version__
from billing_assets.errors import BatchConflict, InvariantBreach
from billing_assets.runs.batches import Batch, begin, run, unfinished
from billing_assets.runs.protocol import Author, encode
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.forking import FORKING, PATIENCE, ended
from billing_assets_tests.runs.books import NOW, TABLES, clock, close_and_die, contents, finish, propose_month
from billing_assets_tests.storage.rows import rows

INSTANTS = [f"{table}/{instant}" for table in ("batches", *TABLES) for instant in ("before", "after")]
ENTERED = [instant for instant in INSTANTS if instant not in ("batches/before", "batches/after", "line_items/before")]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def close(lake: Lake, month: str = "2026-01", **options: Any) -> Batch | None:
    return run(lake, "books", propose_month(month), finish, clock=clock, **options)


def killed_at(instant: str, lake: Lake) -> None:
    """A real process that closes 2026-01 and is killed at the instant."""
    process = FORKING.Process(target=close_and_die, args=(lake.root, instant))
    process.start()
    assert ended(process) == -9


class Stopped(Exception):
    """Stands for a kill where the process itself does not matter."""


def stopped_at(instant: str, lake: Lake) -> None:
    def stop(step: WriteStep) -> None:
        if instant == f"{step.table}/{step.instant}":
            raise Stopped

    with pytest.raises(Stopped):
        close(Lake(lake.root, on_write=stop))


def test_a_batch_runs_from_intent_to_committed(lake: Lake) -> None:
    close(lake)
    intent, committed = contents(lake)["batches"]
    assert (intent["state"], intent["batch_no"], intent["at"]) == ("INTENT", 1, NOW)
    assert json.loads(intent["intent"])["now"] == "2026-02-02T00:00:00Z"
    result = json.loads(committed["result"])
    assert {table: of["rows"] for table, of in result["tables"].items()} == {
        "line_items": 10,
        "ledger_entries": 0,
        "invoice_events": 10,
        "closed_periods": 10,
        "invoices": 10,
        "month_closes": 1,
    }
    assert {table: of["version"] for table, of in result["tables"].items()} == dict.fromkeys(TABLES, 1)
    assert result["finalized"] == 10
    assert lake.committed("books") == 1
    assert lake.committed("ingest") == 0


def test_nothing_to_do_writes_nothing(lake: Lake) -> None:
    close(lake)
    version = lake.version("batches")
    assert run(lake, "books", lambda _: None, finish, clock=clock) is None
    assert lake.version("batches") == version


def test_batches_are_numbered_without_gaps(lake: Lake) -> None:
    months = ["2026-01", "2026-02", "2026-03"]
    assert [batch.batch_no for month in months if (batch := close(lake, month))] == [1, 2, 3]
    found = lake.collect(lake.scan("month_closes").sort("batch_no"))["close_month"].to_list()
    assert found == months


def test_a_first_run_reads_the_intent_as_a_resumed_one_does(lake: Lake) -> None:
    batch = begin(lake, "books", propose_month("2026-01"), finish, clock=clock)
    assert batch is not None
    resumed = unfinished(lake, "books", Author(clock))
    assert resumed is not None
    assert (resumed.intent, resumed.batch_no, resumed.attempt) == (batch.intent, batch.batch_no, batch.attempt)
    assert (batch.is_resumed, resumed.is_resumed) == (False, True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What a close leaves that nothing disturbs."""
    lake = Lake(tmp_path_factory.mktemp("undisturbed"))
    close(lake)
    return contents(lake)


@pytest.mark.parametrize("instant", INSTANTS)
def test_killed_anywhere_the_next_run_ends_as_if_nothing_was(
    lake: Lake, instant: str, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    killed_at(instant, lake)
    close(lake) if instant == "batches/before" else run(lake, "books", lambda _: None, finish, clock=clock)
    assert contents(lake) == undisturbed


def test_readers_see_nothing_of_a_killed_batch(lake: Lake) -> None:
    killed_at("invoices/after", lake)
    assert lake.collect(lake.scan("invoices")).is_empty()
    assert lake.collect(lake.scan("invoices", through={})).height == 10
    run(lake, "books", lambda _: None, finish, clock=clock)
    assert lake.collect(lake.scan("invoices")).height == 10


def test_a_killed_batch_is_finished_before_the_next_is_proposed(lake: Lake) -> None:
    killed_at("line_items/after", lake)
    batch = close(lake, "2026-02")
    assert batch is not None
    assert batch.batch_no == 2
    assert lake.collect(lake.scan("month_closes").sort("batch_no"))["close_month"].to_list() == ["2026-01", "2026-02"]


def test_the_end_of_a_batch_that_others_finished_is_harmless(lake: Lake) -> None:
    batch = begin(lake, "books", propose_month("2026-01"), finish, clock=clock)
    assert batch is not None
    close(lake, "2026-02")
    before = contents(lake)
    finish(batch)
    assert contents(lake) == before


def test_tables_are_entered_in_the_order_of_the_protocol(lake: Lake) -> None:
    batch = begin(lake, "books", propose_month("2026-01"), finish, clock=clock)
    assert batch is not None
    batch.write("invoice_events", rows("invoice_events"))
    for table in ("line_items", "invoice_events", "events"):
        with pytest.raises(ValueError, match=f"in this order; not {table} now"):
            batch.write(table, rows(table))


def test_a_result_that_is_no_function_of_its_intent_is_found_out(lake: Lake) -> None:
    killed_at("line_items/after", lake)
    batch = unfinished(lake, "books", Author(clock))
    assert batch is not None
    other = lake.collect(lake.scan("line_items", through={})).with_columns(name=pl.lit("other"))
    with pytest.raises(InvariantBreach, match=r"line_items has 10 row\(s\) of batch 1 of books, which differ"):
        batch.write("line_items", other)


def test_a_batch_left_open_by_its_finisher_is_an_error(lake: Lake) -> None:
    with pytest.raises(InvariantBreach, match="left without its commit"):
        run(lake, "books", propose_month("2026-01"), lambda _: None, clock=clock)


# -- two processes -----------------------------------------------------------------------------------------------------


def race(root: str, month: str, start: Any, told: Any) -> None:
    """Open the next batch as soon as all racers are ready, and tell what came of it."""
    start.wait()
    opened: list[int] = []

    def propose(batch_no: int) -> dict[str, Any] | None:
        return None if opened or batch_no > 1 else propose_month(month)(batch_no)

    batch = begin(Lake(root), "books", propose, finish, clock=clock)
    if batch is not None:
        finish(batch)
    told.put((month, batch is not None))


def test_two_processes_open_one_batch_once(lake: Lake) -> None:
    start, told = FORKING.Barrier(2, timeout=PATIENCE), FORKING.Queue()
    racers = [FORKING.Process(target=race, args=(lake.root, month, start, told)) for month in ("2026-01", "2026-02")]
    for racer in racers:
        racer.start()
    outcomes = dict(told.get(timeout=PATIENCE) for _ in racers)
    assert [ended(racer) for racer in racers] == [0, 0]
    states = [row["state"] for row in contents(lake)["batches"]]
    assert states == ["INTENT", "COMMITTED"]
    winner = next(month for month, won in outcomes.items() if won)
    assert sorted(outcomes.values()) == [False, True]
    assert {row["close_month"] for row in contents(lake)["invoices"]} == {winner}
    assert len(contents(lake)["invoices"]) == 10


def finish_together(root: str, start: Any, told: Any) -> None:
    batch = unfinished(Lake(root), "books", Author(clock))
    start.wait()
    assert batch is not None
    finish(batch)
    told.put(len(batch.results))


def test_two_processes_on_one_batch_write_it_once(lake: Lake, undisturbed: dict[str, list[dict[str, Any]]]) -> None:
    begin(lake, "books", propose_month("2026-01"), finish, clock=clock)
    start, told = FORKING.Barrier(2, timeout=PATIENCE), FORKING.Queue()
    workers = [FORKING.Process(target=finish_together, args=(lake.root, start, told)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [told.get(timeout=PATIENCE) for _ in workers] == [6, 6]
    assert [ended(worker) for worker in workers] == [0, 0]
    assert contents(lake) == undisturbed


# -- another engine ----------------------------------------------------------------------------------------------------


def test_an_intent_that_reached_no_table_is_replaced_by_another_engine(lake: Lake) -> None:
    begin(lake, "books", propose_month("2026-01"), finish, clock=clock, engine_version="0.0.9")
    batch = close(lake, "2026-02")
    assert batch is not None
    assert (batch.batch_no, batch.attempt) == (1, 1)
    told = [(row["state"], row["attempt"], row["engine_version"]) for row in contents(lake)["batches"]]
    assert told == [("INTENT", 0, "0.0.9"), ("INTENT", 1, __version__), ("COMMITTED", 1, __version__)]
    assert {row["close_month"] for row in contents(lake)["invoices"]} == {"2026-02"}


def test_where_another_engine_sees_nothing_to_do_the_batch_ends_empty(lake: Lake) -> None:
    begin(lake, "books", propose_month("2026-01"), finish, clock=clock, engine_version="0.0.9")
    assert run(lake, "books", lambda _: None, finish, clock=clock) is None
    assert lake.committed("books") == 1
    assert contents(lake)["invoices"] == []


@pytest.mark.parametrize("instant", ENTERED)
def test_a_batch_that_reached_a_table_is_its_own_engines(lake: Lake, instant: str) -> None:
    stopped_at(instant, lake)
    before = contents(lake)
    with pytest.raises(BatchConflict, match=rf"opened by engine {__version__} and has reached line_items"):
        close(lake, "2026-02", engine_version="9.9.9")
    assert contents(lake) == before
    assert close(lake, "2026-02") is not None


def test_the_engine_whose_intent_was_replaced_stops(lake: Lake) -> None:
    overtaken = begin(lake, "books", propose_month("2026-01"), finish, clock=clock, engine_version="0.0.9")
    assert overtaken is not None
    standing = begin(lake, "books", propose_month("2026-02"), finish, clock=clock)
    with pytest.raises(BatchConflict, match="opened anew by engine"):
        overtaken.write("line_items", rows("line_items"))
    with pytest.raises(BatchConflict, match="opened anew by engine"):
        overtaken.commit()
    assert standing is not None
    finish(standing)
    assert lake.committed("books") == 1


def test_an_observer_set_on_the_class_reaches_lakes_that_a_command_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[WriteStep] = []
    monkeypatch.setattr(Lake, "on_write", staticmethod(seen.append))
    close(Lake(tmp_path))
    assert [step.table for step in seen if step.instant == "after"] == ["batches", *TABLES, "batches"]


def test_the_text_of_an_intent_is_canonical() -> None:
    assert encode({"b": NOW, "a": [NOW.date()]}) == '{"a":["2026-02-02"],"b":"2026-02-02T00:00:00Z"}'
    with pytest.raises(TypeError, match="found"):
        encode({"a": {1, 2}})
