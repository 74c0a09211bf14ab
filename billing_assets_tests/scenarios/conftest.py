"""The books of all scenarios, closed once for every test that reads them."""

from __future__ import annotations

from functools import cache

import pytest

from billing_assets_tests.scenarios.running import SCENARIOS, Close, Ran, close_all


@pytest.fixture(scope="session")
def books_of(tmp_path_factory: pytest.TempPathFactory) -> Close:
    """The books of a timeline, closed when the first test asks."""

    @cache
    def of_timeline(closes: tuple[str, ...]) -> Ran:
        together = [one for one in SCENARIOS if one.closes == closes]
        return close_all(tmp_path_factory.mktemp("scenarios"), together)

    return of_timeline
