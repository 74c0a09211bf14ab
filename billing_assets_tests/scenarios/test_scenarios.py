"""Every scenario of the tree against its books; those of one folder and timeline are closed together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.scenarios.running import HERE, SCENARIOS, Close, Scenario


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_scenario(one: Scenario, books_of: Close) -> None:
    found = books_of(one.closes).outcome(one)
    for name, expected in one.content["expected"].items():
        assert as_text(shown(name, found, expected)) == as_text(expected), name


def shown(name: str, found: dict[str, Any], expected: Any) -> Any:
    """The part of the outcome that the scenario speaks of: named lines and balances, else all of it."""
    if name == "lines":
        return {invoice: found["lines"].get(invoice) for invoice in expected}
    if name == "balances":
        return {segment: found["balances"].get(segment) for segment in expected}
    return found[name]


def as_text(value: Any) -> Any:
    """Numbers of either side as text; empty fields as blanks."""
    if isinstance(value, dict):
        return {str(key): as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_text(inner) for inner in value]
    return "" if value is None else str(value)


def test_names_tell_the_terms_apart() -> None:
    slugs = [one.slug for one in SCENARIOS]
    assert len(slugs) == len(set(slugs))


def test_every_scenario_says_what_it_shows() -> None:
    def incomplete() -> Iterable[Path]:
        for one in SCENARIOS:
            if not one.content.get("about") or not one.content.get("expected"):
                yield HERE / one.name

    assert list(incomplete()) == []
