"""A close that leaves no trace: the same work on a stand-in of the lake, which is thrown away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from billing_assets.cli.dagster_home import make_dagster_home
from billing_assets.cli.settings import Settings
from billing_assets.errors import UsageError

LOG = "_delta_log"


@contextmanager
def stand_in(settings: Settings) -> Iterator[Settings]:
    """The settings with a lake that has the same rows and belongs to this block alone; DAGSTER_HOME too.

    Data files are linked, since they never change; the logs of the tables are copied.
    """
    if "://" in settings.places.lake:
        raise UsageError(
            "--dry-run needs a lake on a local disk; `billing draft` computes the drafts of any lake without writing"
        )
    before = os.environ.get("DAGSTER_HOME")
    with TemporaryDirectory(prefix="billing-dry-run-") as directory:
        lake, home = Path(directory) / "lake", Path(directory) / "dagster"
        link_lake(Path(settings.places.lake).resolve(), lake)
        make_dagster_home(home)
        os.environ["DAGSTER_HOME"] = str(home)
        try:
            yield replace(
                settings,
                given_catalog=str(settings.places.catalog),
                given_events=settings.places.events,
                given_lake=str(lake),
            )
        finally:
            os.environ.pop("DAGSTER_HOME")
            if before is not None:
                os.environ["DAGSTER_HOME"] = before


def link_lake(lake: Path, target: Path) -> None:
    """`target` as a lake of the same tables: its own logs, links to the data files."""
    target.mkdir(parents=True)
    for log in sorted(lake.glob(f"*/{LOG}")):
        table = log.parent
        shutil.copytree(log, target / table.name / LOG)
        for file in table.rglob("*"):
            if file.is_file() and LOG not in file.relative_to(table).parts:
                link = target / file.relative_to(lake)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file)
