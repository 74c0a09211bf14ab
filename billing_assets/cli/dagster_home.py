"""Where Dagster keeps its runs: DAGSTER_HOME if set, else a folder of the workspace that is made on first use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from billing_assets.errors import BillingError, UsageError

if TYPE_CHECKING:
    from billing_assets.runs.workspace import Workspace

CONFIG = """\
# The Dagster instance of this lake, made by `billing`. `billing close` and `billing ui` share it.
telemetry:
  enabled: false
concurrency:
  pools:
    default_limit: 1   # one queued run at a time writes to the lake
    granularity: run   # a slot belongs to a run that the queue started: `billing close` never waits for one
  runs:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
"""


def use_dagster_home(places: Workspace) -> Path:
    """Set DAGSTER_HOME for this process and its children. UsageError for one that does not exist."""
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return _checked(Path(given))
    home = places.home.resolve()
    make_dagster_home(home)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def make_dagster_home(home: Path) -> None:
    """The folder with its dagster.yaml; what is there already stays as it is."""
    from billing_assets.defs.instance import make_instance

    try:
        make_instance(home, CONFIG)
    except OSError as error:
        found = error.strerror
        raise BillingError(f"{home}: cannot be made ({found}); set DAGSTER_HOME to another directory") from error


def _checked(home: Path) -> Path:
    if not home.is_absolute() or not home.is_dir():
        raise UsageError(f"DAGSTER_HOME: found {home}, expected the absolute path of a directory that exists")
    return home
