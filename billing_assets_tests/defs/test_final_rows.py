"""A final row is never changed or deleted by anything but a void, which sets its four columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from billing_assets.cli import commands
from billing_assets.runs import checks
from billing_assets.runs.verify import OF_VOIDS
from billing_assets.schemas import TABLES
from billing_assets_tests.cli.process import billing
from billing_assets_tests.defs.project import DAYS, MONTH, Project
from billing_assets_tests.docs.runbook import prepared

FINAL = tuple(
    name for name, spec in TABLES.items() if spec.append_only or (spec.numbering and spec.numbering.sequence == "books")
)
NOW, MARCH = "2026-02-10", "2026-03-03"
SERVED = {"ui"}
"""`billing ui` serves until it is stopped; what it starts are the jobs, schedules and sensors below."""


def rows_of(project: Project) -> dict[str, pl.DataFrame]:
    return {name: project.lake.scan(name).sort(TABLES[name].sort_keys).collect() for name in FINAL}


def changed(project: Project, before: dict[str, pl.DataFrame], voided: str | None = None) -> Iterator[str]:
    """Tables that lack a row of before, or have it otherwise."""
    for name, rows in before.items():
        keys = list(TABLES[name].sort_keys)
        left, right = rows, project.lake.scan(name).join(rows.lazy().select(keys), on=keys, how="semi").collect()
        if name == "invoices" and voided is not None:
            is_void = pl.col("invoice_number") == voided
            assert right.filter(is_void)["status"].to_list() == ["VOID"]
            left, right = (
                frame.with_columns(pl.when(~is_void).then(column).alias(column) for column in OF_VOIDS)
                for frame in (left, right)
            )
        try:
            assert_frame_equal(left.sort(keys), right.select(left.columns).sort(keys))
        except AssertionError as difference:
            yield f"{name}: {difference}"


def draft_of(project: Project, contract: str) -> str:
    drafts = project.lake.scan("draft_invoices").filter(contract_id=contract, close_month="2026-02").collect()
    return str(drafts["invoice_id"][0])


def tried(project: Project) -> dict[str, tuple[str, ...]]:
    """Every command with what it needs, in an order in which each has something to do."""
    draft, why = draft_of(project, "acme-standard"), ("--reason", "try")
    return {
        "init": ("elsewhere",),
        "schema": (),
        "status": (),
        "check": (),
        "validate": (),
        "draft": (),
        "diff": (),
        "simulate": ("--from", MONTH, "--to", MONTH),
        "verify": (),
        "invoices": (),
        "show": ("INV-2026-000001",),
        "explain": ("INV-2026-000001",),
        "usage": (),
        "unbilled": (),
        "balances": (),
        "export": ("--month", MONTH, "--format", "csv", "--to", "exports"),
        "ingest": (),
        "variances": (),
        "hold": (draft, *why),
        "release": (draft, *why),
        "waive": (draft, *why, "--dry-run"),
        "adjust": ("none/1", "1", *why),
        "close": ("--now", MARCH),
        "carry": ("INV-2026-000001", *why),
        "void": ("INV-2026-000004", *why),
        "regenerate": ("INV-2026-000004", *why),
    }


REFUSED = {"waive", "adjust"}
"""There is nothing to waive and no balance to adjust in this company; test_waive and test_balances have some."""


def edited(project: Project) -> Project:
    """Everything that final rows were made from has changed: prices, names, and events that come late."""
    project.edit("rate_cards.yaml", "price: ", "price: 9")
    project.edit("customers.yaml", "1 Main Street", "2 Main Street")
    project.add_event("late.jsonl", "2026-01-20T10:00:00Z")
    project.add_event("february.jsonl", "2026-02-05T10:00:00Z")
    return project


def test_every_command_is_tried(closed: Project) -> None:
    names = {str(one.name) for one in commands.app.registered_commands}
    assert set(tried(closed)) == names - SERVED
    assert {"invoices", "line_items", "ledger_entries", "closed_periods", "batches", "actions"} <= set(FINAL)


@pytest.mark.long
def test_no_command_changes_a_final_row(closed: Project) -> None:
    before = rows_of(prepared(edited(closed)))
    for name, arguments in tried(closed).items():
        at = () if "--now" in arguments or name in ("init", "schema") else ("--now", MARCH if name in LATE else NOW)
        done = billing(closed.root, name, *arguments, *at)
        assert done.returncode in ((2,) if name in REFUSED else (0, 1)), (name, done.stderr)
        voided = "INV-2026-000004" if name in ("void", "regenerate") else None
        assert list(changed(closed, before, voided)) == [], name
        if name == "close":
            before = rows_of(closed)
    assert [one.invariant.name for one in checks.check_lake(closed.lake) if one.discrepancies.height] == []


LATE = ("carry", "void", "regenerate")


@pytest.mark.long
def test_no_job_schedule_or_sensor_changes_a_final_row(closed: Project, instance: dg.DagsterInstance) -> None:
    before, found = rows_of(edited(closed)), closed.definitions
    assets = found.resolve_asset_graph()
    for job in found.resolve_all_job_defs():
        if job.name == "__ASSET_JOB":
            continue
        days = DAYS if isinstance(job.partitions_def, dg.DailyPartitionsDefinition) else {}
        month = MONTH if isinstance(job.partitions_def, dg.MonthlyPartitionsDefinition) else None
        assert closed.run(instance, job.name, month, **days).success, job.name
        assert list(changed(closed, before)) == [], job.name
    made = {key for job in found.jobs or () for key in job.selection.resolve(assets)}
    assert made >= assets.materializable_asset_keys

    at = datetime(2026, 3, 3, 7, tzinfo=UTC)
    for schedule in found.schedules or ():
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=at,
            repository_def=found.get_repository_def(),
            resources={"workspace": closed.workspace},
        )
        asked = found.resolve_schedule_def(schedule.name).evaluate_tick(context).run_requests or []
        for request in asked:
            closed.run(instance, schedule.job_name, request.partition_key, **request.tags)
        assert list(changed(closed, before)) == [], schedule.name
    for sensor in found.sensors or ():
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):
            dg.evaluate_automation_conditions(found, instance)
        else:
            places = {"workspace": closed.workspace}
            with dg.build_sensor_context(instance, definitions=found, resources=places) as context:
                found.resolve_sensor_def(sensor.name).evaluate_tick(context)
        assert list(changed(closed, before)) == [], sensor.name
    assert [one.invariant.name for one in checks.check_lake(closed.lake) if one.discrepancies.height] == []


def test_a_changed_row_is_seen(closed: Project, tmp_path: Path) -> None:
    before = rows_of(closed)
    closed.lake.amend("invoices", {"invoice_number": "INV-2026-000001"}, {"bill_to": "{}"})
    [said] = changed(closed, before)
    assert said.startswith("invoices: ")
    assert [one.invariant.name for one in checks.check_lake(closed.lake) if one.discrepancies.height] == [
        "contents_unaltered"
    ]
