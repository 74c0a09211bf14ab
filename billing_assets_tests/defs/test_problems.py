"""What people are told: each failing check and failed run once, again when it has other rows, and when it is over."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_assets.defs.problems import COMMAND, problem_sensor
from billing_assets.errors import BillingError

HELD = dg.AssetCheckKey(dg.AssetKey("draft_invoices"), "nothing_held")


def evaluate(instance: dg.DagsterInstance, rows: str) -> None:
    found = dg.AssetCheckEvaluation(
        asset_key=HELD.asset_key,
        check_name=HELD.name,
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description="1 row: customer_id acme",
        metadata={"discrepancies": dg.MetadataValue.int(1), "rows": dg.MetadataValue.md(rows or "none")},
    )
    instance.report_runless_asset_event(found)


def tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[str, str | None]:
    """What a tick says, and the cursor after it."""
    context = dg.build_sensor_context(instance, cursor=cursor)
    said: Any = problem_sensor([HELD])(context)
    return said.skip_message, context.cursor


def test_a_problem_is_reported_once_until_it_changes_or_is_over(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    script = tmp_path / "told.py"
    script.write_text(f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read() + '\\n')")
    monkeypatch.setenv(COMMAND, f"{sys.executable} {script}")
    assert tick(instance, None)[0] == "every check passes"
    evaluate(instance, "| acme | UNRATED_USAGE |")
    said, cursor = tick(instance, None)
    assert said == "WARN draft_invoices:nothing_held: 1 row: customer_id acme"
    evaluate(instance, "| acme | UNRATED_USAGE |")
    again, cursor = tick(instance, cursor)
    assert again == "nothing new; still draft_invoices:nothing_held"
    evaluate(instance, "| acme | UNRATED_USAGE || globex | MANUAL |")
    assert tick(instance, cursor)[0] == said
    evaluate(instance, "")
    over, cursor = tick(instance, cursor)
    assert over == "in order again: draft_invoices:nothing_held"
    assert tick(instance, cursor)[0] == "every check passes"
    reports = [json.loads(line) for line in told.read_text().splitlines()]
    assert [len(one["problems"]) for one in reports] == [1, 1, 0]
    assert "acme" in reports[0]["problems"][0]["rows"]
    assert reports[-1]["resolved"] == ["draft_invoices:nothing_held"]


def test_a_report_that_cannot_be_handed_over_is_reported_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(instance, "| acme |")
    context = dg.build_sensor_context(instance)
    monkeypatch.setenv(COMMAND, f"{sys.executable} -c 'raise SystemExit(\"no network\")'")
    with pytest.raises(BillingError, match="no network"):
        problem_sensor([HELD])(context)
    assert context.cursor is None


def test_a_failed_run_is_reported_with_why(instance: dg.DagsterInstance) -> None:
    @dg.op
    def broken() -> None:
        raise dg.Failure("2026-10 cannot be rated yet")

    @dg.job
    def monthly_close() -> None:
        broken()

    _, cursor = tick(instance, None)
    ran = monthly_close.execute_in_process(instance=instance, raise_on_error=False)
    said, cursor = tick(instance, cursor)
    assert said.split() == f"FAILED RUN {ran.run_id[:8]} monthly_close : 2026-10 cannot be rated yet".split()
    assert tick(instance, cursor)[0] == "every check passes"
