"""README.md of the scenarios: its tables have every case and example, and what they name exists and says so itself."""

from __future__ import annotations

import json
import re

from billing_assets_tests.scenarios.running import HERE, SCENARIOS

TESTS = HERE.parent
ROWS = [row.strip("| ").split(" | ") for row in (HERE / "README.md").read_text().splitlines() if row.startswith("| ")]
SHOWN_BY = {row[0]: row[-1] for row in ROWS}
CASES = [*(f"0.{number}" for number in range(1, 27)), *map(str, range(1, 77))]
NOT_BUILT_YET = {"56"}
OF_ALERTS = {"spend_alert_ignores_commit_purchase"}
EXAMPLES = [one["id"] for one in json.loads((TESTS / "data/vectors/worked_examples.json").read_text())["examples"]]


def named(text: str) -> list[str]:
    """The paths in backticks."""
    return [path for path in re.findall(r"`([^`]+)`", text) if "/" in path or path.endswith((".py", ".yaml"))]


CITED = {
    f"scenarios/{one.name}.yaml": set(re.findall(r"[\w.]+", one.content["about"].rpartition("(")[2]))
    for one in SCENARIOS
}
"""Cases and examples that each scenario says it shows: the words and numbers after the last bracket of its `about`."""


def test_what_the_tables_name_exists() -> None:
    paths = [path for row in ROWS for cell in row for path in named(cell)]
    assert paths
    assert [path for path in paths if not (TESTS / path).exists()] == []


def test_a_scenario_says_itself_what_it_shows() -> None:
    shows = [(what, path) for what in (*CASES, *EXAMPLES) for path in named(SHOWN_BY.get(what, ""))]
    scenarios = [(what, path) for what, path in shows if path.startswith("scenarios/") and path.endswith(".yaml")]
    assert scenarios
    assert [(what, path) for what, path in scenarios if what not in CITED[path]] == []


def test_every_numbered_case_is_shown_or_not_built_yet() -> None:
    assert [case for case in CASES if case not in SHOWN_BY] == []
    assert {case for case in CASES if not named(SHOWN_BY[case])} == NOT_BUILT_YET


def test_every_worked_example_is_shown() -> None:
    ids = set(EXAMPLES) - OF_ALERTS
    assert [one for one in sorted(ids) if not named(SHOWN_BY.get(one, ""))] == []
