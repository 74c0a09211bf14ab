"""The Dagster instance of a lake, made whole before it has its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from billing_assets.errors import BillingError

CONFIG = "dagster.yaml"
_LEFT_AFTER = 24 * 60 * 60
_FULL = 64 * 1024
"""Bytes without which SQLite writes nothing, and says no more than that of it."""


def make_instance(home: Path, config: str) -> None:
    """`home` with its configuration and empty storage; one that is there already stays as it is. Raises OSError.

    Dagster makes its SQLite files step by step: two processes that do it at once leave files that no process can open
    again. So they are made apart and moved here; who comes second, or is killed, has changed nothing.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    if (home / CONFIG).exists():
        return
    with TemporaryDirectory(prefix=_prefix(home), dir=home.parent) as directory:
        made = Path(directory) / home.name
        made.mkdir()
        (made / CONFIG).write_text(config, encoding="utf-8")
        with dg.DagsterInstance.from_config(str(made)):
            pass
        try:
            made.rename(home)
        except OSError:
            if not home.is_dir():
                raise
            _configure(home, made / CONFIG)


@contextmanager
def opened_instance() -> Iterator[dg.DagsterInstance]:
    """The instance at DAGSTER_HOME. A failure of its storage, within too, is a BillingError that names the place."""
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except (DBAPIError, CommandError, sqlite3.Error) as error:
        home = os.environ.get("DAGSTER_HOME", "")
        found = error.orig if isinstance(error, DBAPIError) else error
        full = " (the disk is full)" if shutil.disk_usage(home or ".").free < _FULL else ""
        raise BillingError(
            f"Dagster cannot keep its runs in {home}: {found}{full}. The books are not in there: "
            "set DAGSTER_HOME to another folder, or make this one usable, and run the same command again"
        ) from error


def _configure(home: Path, config: Path) -> None:
    """A folder with something in it already: another process was first, or it lacks the configuration alone."""
    if not (home / CONFIG).exists():
        os.replace(config, home / CONFIG)


def _prefix(home: Path) -> str:
    return f"{home.name}-new-"


def _sweep(home: Path) -> None:
    """Remove what processes left that were killed in the making."""
    for left in home.parent.glob(f"{_prefix(home)}*"):
        if time.time() - left.stat().st_mtime > _LEFT_AFTER:
            shutil.rmtree(left, ignore_errors=True)
