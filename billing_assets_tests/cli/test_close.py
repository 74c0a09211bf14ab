"""From a new project to finalized invoices: every command of a month, as real processes on one lake."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from billing_assets_tests.cli.process import billing, billing_json, started
from billing_assets_tests.cli.project import EVENTS, new_project

JANUARY = "2026-02-03T00:00:00Z"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project whose sample month is January 2026, never closed."""
    company = new_project(tmp_path_factory.mktemp("month") / "company", JANUARY)
    settings = company / "catalog" / "settings.yaml"
    # Its events arrive when they are written, which is long after January for whoever runs this later.
    settings.write_text(settings.read_text().replace("backdating_window: 90d", "backdating_window: none"))
    return company


@pytest.fixture(scope="module")
def first(fresh: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The project, closed once, and what that close said."""
    company = copied(fresh, "closed")
    return company, started(company, "close", "--month", "2026-01", "--now", JANUARY)


@pytest.fixture(scope="module")
def closed(first: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    company, ran = first
    assert ran.returncode == 0, ran.stderr
    return company


def add_event(company: Path, file: str, model: str) -> None:
    """One more completion of Acme in January."""
    event = {
        "transaction_id": f"more-{model}",
        "customer_id": "acme",
        "event_type": "completion",
        "timestamp": "2026-01-20T10:00:00Z",
        "properties": {"model": model, "output_tokens": 1000},
    }
    (company / "events" / file).write_text(json.dumps(event) + "\n")


def copied(project: Path, name: str) -> Path:
    shutil.rmtree(project.parent / name, ignore_errors=True)
    return Path(shutil.copytree(project, project.parent / name, symlinks=True))


def contents(directory: Path) -> dict[str, str]:
    """Every file of a directory by its hash."""
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    return {str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def tables(project: Path) -> dict[str, str]:
    """The lake without Dagster's own records."""
    return {name: text for name, text in contents(project / "lake").items() if not name.startswith(".dagster")}


def test_a_close_says_what_it_finalized_and_what_comes_next(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    company, ran = first
    assert ran.returncode == 0, ran.stderr
    assert f"Ingestion: 1 file, {EVENTS} rows = {EVENTS} accepted + 0 duplicates + 0 rejected (batch 1)" in ran.stdout
    assert re.search(r"USAGE +2 +75\.73 +USD", ran.stdout)
    assert "sealed: 2026-01" in ran.stdout
    assert re.search(r"(\d+) of \1 checks passed", ran.stdout)
    assert "next: billing export --month 2026-01" in ran.stdout
    assert "finalizing" in ran.stderr
    assert "Warning" not in ran.stderr
    assert (company / "lake" / ".dagster" / "dagster.yaml").exists()


def test_the_invoices_are_there_to_the_cent(closed: Path) -> None:
    found = billing_json(closed, "invoices", "--month", "2026-01")["invoices"]
    assert [row["invoice_number"] for row in found] == ["INV-2026-000001", "INV-2026-000002"]
    assert {row["customer_id"]: row["total"] for row in found} == {"acme": "0.54", "globex": "75.19"}
    assert billing(closed, "check").returncode == 0


def test_a_second_close_writes_nothing_and_a_changed_file_is_a_problem(closed: Path) -> None:
    company = copied(closed, "again")
    before = tables(company)
    ran = billing(company, "close", "--month", "2026-01", "--now", JANUARY)
    assert ran.returncode == 0
    assert "no new event files" in ran.stdout
    assert tables(company) == before
    with (company / "events" / "2026-01.jsonl").open("a") as file:
        file.write('{"transaction_id":"x"}\n')
    ran = billing(company, "close", "--now", JANUARY)
    assert ran.returncode == 1
    assert "PROBLEM" in ran.stdout
    assert "2026-01.jsonl" in ran.stdout


def test_a_dry_run_tells_the_same_and_writes_nothing(fresh: Path) -> None:
    company = copied(fresh, "dry")
    before = contents(company)
    ran = billing(company, "close", "--month", "2026-01", "--now", JANUARY, "--dry-run")
    assert ran.returncode == 0
    assert re.search(r"USAGE +2 +75\.73 +USD", ran.stdout)
    assert "next: billing close --month 2026-01" in ran.stdout
    assert "nothing was written" in ran.stderr
    assert contents(company) == before


def test_a_late_event_changes_no_final_invoice_and_is_told(closed: Path) -> None:
    company = copied(closed, "late")
    add_event(company, "late.jsonl", "small")
    before = contents(company / "lake")
    dry = billing(company, "close", "--now", JANUARY, "--dry-run")
    assert "Late usage: 1 event for 1 final invoice" in dry.stdout
    assert contents(company / "lake") == before
    (acme,) = billing_json(company, "invoices", "--customer", "acme", "--status", "finalized")["invoices"]
    page = billing(company, "show", acme["invoice_id"]).stdout
    ran = billing(company, "close", "--now", JANUARY)
    assert f"{acme['invoice_number']}  acme  1 event" in ran.stdout
    assert billing(company, "show", acme["invoice_id"]).stdout == page


def test_a_held_invoice_waits_alone_until_its_rate_is_there(fresh: Path) -> None:
    company = copied(fresh, "held")
    add_event(company, "new-model.jsonl", "huge")
    ran = billing(company, "close", "--month", "2026-01", "--now", JANUARY)
    assert ran.returncode == 1
    assert "*** 1 invoice HELD ***" in ran.stdout
    assert "UNRATED_USAGE" in ran.stdout
    assert "billing unbilled --disposition unrated --customer acme" in ran.stdout
    assert re.search(r"USAGE +1 +75\.19 +USD", ran.stdout)
    held = billing_json(company, "invoices", "--status", "held")["invoices"]
    assert [(row["customer_id"], row["hold_reasons"]) for row in held] == [("acme", ["UNRATED_USAGE"])]
    assert "huge" in billing(company, "unbilled", "--disposition", "unrated").stdout

    cards = company / "catalog" / "rate_cards.yaml"
    key = "product_id: output-tokens, pricing_group_values: {model: huge}, starting_at: 2026-01-01"
    rate = f"      - {{{key}, rate_type: FLAT, price: 1}}\n"
    cards.write_text(cards.read_text().replace("    rates:\n", f"    rates:\n{rate}"))
    found = billing_json(company, "close", "--month", "2026-01", "--now", JANUARY)
    assert found["finalized"] == [{"invoice_type": "USAGE", "currency": "USD", "invoices": 1, "total": "1.54"}]
    assert (found["held"], found["sealed"]) == ([], ["2026-01"])
    assert all(check["ok"] for check in found["checks"])


@pytest.mark.long
def test_nothing_is_finalized_before_it_is_due_nor_ingested_when_told_not_to(fresh: Path) -> None:
    company = copied(fresh, "early")
    early = ["--month", "2026-01", "--now", "2026-02-01T12:00:00Z"]
    assert "Ingestion: left out" in billing(company, "close", *early, "--no-ingest").stdout
    assert billing_json(company, "status")["files"]["waiting"] == ["2026-01.jsonl"]
    ran = billing(company, "close", *early)
    assert ran.returncode == 0
    assert "not yet due: 2 drafts" in ran.stdout
    assert billing_json(company, "invoices", "--status", "finalized")["invoices"] == []
    assert billing_json(company, "status")["next_due"] == "2026-02-02T00:00:00Z"


def test_ingest_counts_each_file_and_reasons_of_rejects(fresh: Path) -> None:
    company = copied(fresh, "ingest")
    (company / "events" / "bad.jsonl").write_text("not json\n")
    found = billing_json(company, "ingest", "--now", JANUARY)
    assert {file["source_file"]: (file["rows"], file["accepted"], file["rejected"]) for file in found["files"]} == {
        "2026-01.jsonl": (EVENTS, EVENTS, 0),
        "bad.jsonl": (1, 0, 1),
    }
    assert found["rejected_by_reason"] == [{"reason": "invalid_json", "rows": 1}]
    assert billing(company, "ingest", "--now", JANUARY).stdout.startswith("no new event files")


def test_a_file_refused_as_a_whole_is_named_until_it_is_replaced(fresh: Path) -> None:
    company = copied(fresh, "refused")
    add_event(company, "late.jsonl", "small")
    whole = gzip.compress((company / "events" / "late.jsonl").read_bytes(), mtime=0)
    file = company / "events" / "late.jsonl.gz"
    file.write_bytes(whole[:-12])
    (company / "events" / "late.jsonl").unlink()
    assert "late.jsonl.gz" in billing_json(company, "status")["files"]["waiting"]
    for _ in ("when it is read", "and ever after"):
        ran = billing(company, "ingest", "--now", JANUARY)
        assert ran.returncode == 1
        assert "late.jsonl.gz:0: file: refused as a whole, send it again: " in ran.stdout
    found = billing_json(company, "status")["files"]
    assert (found["waiting"], len(found["problems"])) == ([], 1)

    file.write_bytes(whole)
    found = billing_json(company, "status")["files"]
    assert (found["waiting"], found["problems"]) == (["late.jsonl.gz"], [])
    assert billing(company, "ingest", "--now", JANUARY).returncode == 0
    found = billing_json(company, "status")["files"]
    assert (found["waiting"], found["problems"]) == ([], [])


def test_files_that_cannot_be_taken_are_named(closed: Path) -> None:
    company = copied(closed, "named")
    (company / "events" / "gone.jsonl").symlink_to("/nowhere/gone.jsonl")
    with (company / "events" / "2026-01.jsonl").open("a") as file:
        file.write("{}\n")
    ran = billing(company, "ingest", "--now", JANUARY)
    assert ran.returncode == 1
    assert "gone.jsonl:0: file: a link that leads to nothing" in ran.stdout
    assert "2026-01.jsonl:0: file: changed after batch 1 ingested it" in ran.stdout
    files = billing_json(company, "status")["files"]
    assert (files["waiting"], len(files["problems"])) == ([], 2)


def test_a_close_of_the_past_says_so(closed: Path) -> None:
    ran = billing(copied(closed, "past"), "close", "--now", "2026-01-20", "--no-ingest")
    assert ran.returncode == 0
    assert "the last close was as of 2026-02-03 00:00, after this --now" in ran.stderr


def test_a_place_without_events_is_wrong_usage(closed: Path) -> None:
    ran = billing(closed, "close", "--events", "/nonexistent", "--now", JANUARY)
    assert ran.returncode == 2
    assert "/nonexistent: no such directory of event files" in ran.stderr


def test_drafts_are_computed_without_writing(closed: Path) -> None:
    before = tables(closed)
    found = billing_json(closed, "draft", "--now", "2026-02-20", "--customer", "acme")["drafts"]
    assert [(row["customer_id"], row["close_month"], row["status"]) for row in found] == [("acme", "2026-02", "DRAFT")]
    page = billing(closed, "draft", "--now", "2026-02-20", "--customer", "acme", "--lines").stdout
    assert page.startswith("*** DRAFT, NOT AN INVOICE: as of 2026-02-20")
    assert tables(closed) == before
    assert "nearest: acme" in billing(closed, "draft", "--customer", "acne").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "2025-12"], "before 2026-01"),
        (["--month", "2026-03"], "has not begun"),
        (["--now", "2999-01-01"], "--allow-future"),
    ],
)
def test_a_close_that_cannot_work_is_refused_before_any_work(fresh: Path, arguments: list[str], message: str) -> None:
    ran = billing(fresh, "close", "--now", JANUARY, *arguments)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert not (fresh / "lake").exists()


def test_a_broken_catalog_stops_the_close_with_its_problems(fresh: Path) -> None:
    company = copied(fresh, "broken")
    contracts = company / "catalog" / "contracts.yaml"
    contracts.write_text(contracts.read_text().replace("customer_id: globex", "customer_id: globus"))
    ran = billing(company, "close", "--now", JANUARY)
    assert ran.returncode == 1
    assert "contracts.yaml:" in ran.stderr
    assert "globex" in ran.stderr
