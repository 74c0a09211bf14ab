"""A sensor that tells people what needs them: checks that fail or warn, invoices that are held, runs that failed."""

import hashlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from billing_assets.errors import BillingError

COMMAND = "BILLING_REPORT_COMMAND"
"""Variable with the command that a report is handed to, as JSON on its standard input: a pager, a chat, a mail."""
PATIENCE_SECONDS = 60
FIRST_LOOK = timedelta(days=1)
SHOWN_RUNS = 20


def problem_sensor(keys: Iterable[dg.AssetCheckKey]) -> dg.SensorDefinition:
    watched = sorted(keys)

    @dg.sensor(
        name="report_problems",
        minimum_interval_seconds=60,
        description="Reports, once each, checks that fail or warn (held invoices are one) and runs that failed, and "
        f"what is in order again: in this list of ticks, and to the command in the variable {COMMAND}.",
    )
    def report_problems(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        cursor = json.loads(context.cursor or "{}")
        since = datetime.fromisoformat(cursor["at"]) if cursor else now - FIRST_LOOK
        told: dict[str, str] = cursor.get("told", {})
        standing = {one["name"]: one for one in checks(context.instance, watched)}
        report = news(standing, told, list(failed_runs(context.instance, since)))
        if report is not None:
            hand_over(report)
        kept = {name: token for name, token in told.items() if name not in standing}
        known = {name: one["token"] for name, one in standing.items() if not one["passed"]}
        context.update_cursor(json.dumps({"at": now.isoformat(), "told": {**kept, **known}}))
        message = report["text"] if report else summary(known)
        context.log.info(message)
        return dg.SkipReason(message)

    return report_problems


def checks(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> Iterator[dict[str, Any]]:
    """The last verdict on each check that has one; nothing of a check that is just being asked."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key in keys:
        record = latest.get(key)
        event = record.event.dagster_event if record and record.event else None
        if record is None or event is None or event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        found = event.asset_check_evaluation_data
        shown = {name: entry.value for name, entry in found.metadata.items()}
        yield {
            "name": f"{key.asset_key.to_user_string()}:{key.name}",
            "passed": found.passed,
            "severity": found.severity.value,
            "description": found.description or "",
            "discrepancies": shown.get("discrepancies"),
            "rows": shown.get("rows", ""),
            "run_id": record.run_id,
            "token": hashlib.sha256(f"{found.severity.value} {shown.get('rows')}".encode()).hexdigest()[:16],
        }


def failed_runs(instance: dg.DagsterInstance, since: datetime) -> Iterator[dict[str, Any]]:
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for run in instance.get_runs(failed, limit=SHOWN_RUNS, ascending=True):
        partition = run.tags.get("dagster/partition")
        yield {"run_id": run.run_id, "job": run.job_name, "partition": partition, "why": why(instance, run.run_id)}


def why(instance: dg.DagsterInstance, run_id: str) -> str:
    """The message of the first step that failed; else that of the run."""
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run_id, of_type=kind):
            event = entry.dagster_event
            data = event.step_failure_data if event and event.is_step_failure else None
            if data and data.user_failure_data and data.user_failure_data.description:
                return str(data.user_failure_data.description)
            return str(data.error.message if data and data.error else entry.user_message)
    return ""


def news(
    standing: Mapping[str, dict[str, Any]], told: Mapping[str, str], failed: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """What nobody was told yet: problems that are new or have other rows, checks that pass again, runs that failed."""
    fresh = [one for one in standing.values() if not one["passed"] and told.get(one["name"]) != one["token"]]
    resolved = sorted(name for name in told if name in standing and standing[name]["passed"])
    if not (fresh or resolved or failed):
        return None
    lines = [f"{one['severity']} {one['name']}: {one['description']}" for one in fresh]
    lines += [f"FAILED RUN {one['run_id'][:8]} {one['job']} {one['partition'] or ''}: {one['why']}" for one in failed]
    lines += [f"in order again: {name}" for name in resolved]
    problems = [{name: value for name, value in one.items() if name not in ("token", "passed")} for one in fresh]
    return {"text": "\n".join(lines), "problems": problems, "failed_runs": list(failed), "resolved": resolved}


def summary(known: Mapping[str, str]) -> str:
    return f"nothing new; still {', '.join(sorted(known))}" if known else "every check passes"


def hand_over(report: Mapping[str, Any]) -> None:
    """Run the command in COMMAND, if there is one, with the report. Where it fails the tick fails, and the next one
    reports the same again."""
    command = shlex.split(os.environ.get(COMMAND, ""))
    if not command:
        return
    text = json.dumps(report, ensure_ascii=False, default=str)
    try:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BillingError(f"{COMMAND} ({command[0]}) cannot be run: {error}") from error
    if done.returncode:
        raise BillingError(f"{COMMAND} ({command[0]}) ended with {done.returncode}: {done.stderr.strip()[-500:]}")
