"""One project whose January is ingested and metered, and one whose January is closed; tests that write copy them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_assets_tests.defs.project import DAYS, MONTH, Project


@dataclass(frozen=True)
class January:
    """The project after its jobs ran as a person would start them in the UI, and the results of the runs."""

    project: Project
    ingested: Any
    metered: Any
    closed: Any


@pytest.fixture(scope="session")
def january(tmp_path_factory: pytest.TempPathFactory) -> Iterator[January]:
    """Read it, do not write to it."""
    project = Project.made(tmp_path_factory.mktemp("january"))
    with dg.DagsterInstance.ephemeral() as instance:
        ingested = project.run(instance, "ingest_event_files")
        metered = project.run(instance, "meter_days", **DAYS)
        yield January(project, ingested, metered, project.run(instance, "monthly_close", MONTH))


@pytest.fixture
def closed(january: January, tmp_path: Path) -> Project:
    """January, closed: a copy to write to."""
    return january.project.copied(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project that nothing was done with."""
    return Project.made(tmp_path / "company")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found
