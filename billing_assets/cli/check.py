"""`billing check`: every invariant over what is stored, now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, jsonable, number
from billing_assets.cli.output import Column, Row, heading, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    from billing_assets.runs.reports import CheckResult

EXAMPLES = """
billing check
billing check --format json | jq '.checks[] | select(.ok | not)'
"""

SHOWN_ROWS = 10

COLUMNS = (
    Column("check", lambda row: row["name"]),
    Column("result", lambda row: verdict(row)),
    Column("discrepancies", lambda row: number(row["discrepancies"]), numeric=True),
    Column("table", lambda row: row["table"], rank=2),
    Column("what must hold", lambda row: row["about"], rank=1),
)


@command("check", examples=EXAMPLES)
def check(settings: Settings) -> int:
    """Check every invariant of the system on what is stored and committed, and list what breaks one.

    The same checks guard each batch before it is written, and run as asset checks in Dagster; batches_whole is asked
    here alone, and fails while a run is writing its batch. A warning points at something to look at; it does not fail.
    """
    from billing_assets.runs.checks import check_lake

    lake = settings.lake()
    lake.refuse_damage()
    results = check_lake(lake)
    if settings.json:
        print_json({"ok": not broken(results), "checks": [_content(result) for result in results]})
    else:
        _print(results)
    return 1 if broken(results) else 0


def broken(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results that fail: discrepancies of an invariant that is no mere warning."""
    return [one for one in results if one.discrepancies.height and not one.invariant.warning]


def verdict(row: Row) -> str:
    if not row["discrepancies"]:
        return "ok"
    return "warning" if row["warning"] else "FAILED"


def rows_of(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    return [
        {
            "name": result.invariant.name,
            "table": result.invariant.of,
            "about": result.invariant.about,
            "warning": result.invariant.warning,
            "ok": not result.discrepancies.height,
            "discrepancies": result.discrepancies.height,
        }
        for result in results
    ]


def _content(result: CheckResult) -> dict[str, Any]:
    found = [record(row) for row in records(result.discrepancies)]
    return {**rows_of([result])[0], "discrepancies": found}


def _print(results: Sequence[CheckResult]) -> None:
    print_table(rows_of(results), COLUMNS)
    for result in results:
        if result.discrepancies.height:
            print_discrepancies(result)
    say()
    failed = len(broken(results))
    say(f"{counted(len(results), 'check')}, {'all hold' if not failed else f'{failed} FAILED'}")


def print_discrepancies(result: CheckResult) -> None:
    """The first rows that break an invariant."""
    heading(f"{result.invariant.name}: {result.invariant.about}")
    for row in records(result.discrepancies.head(SHOWN_ROWS)):
        say("  " + ", ".join(f"{name}={jsonable(value)}" for name, value in row.items() if value is not None))
    if result.discrepancies.height > SHOWN_ROWS:
        say(f"  ... and {result.discrepancies.height - SHOWN_ROWS:,} more; --format json lists all")
