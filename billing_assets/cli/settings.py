"""What every command is told: the places of the workspace, the time, the form of its output. Resolved here, once."""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from billing_assets.errors import UsageError

if TYPE_CHECKING:  # imported where they are used: `billing --help` loads neither Polars nor Delta
    from billing_assets.catalog import Catalog
    from billing_assets.runs.workspace import Workspace
    from billing_assets.storage.lake import Lake
    from billing_assets.storage.sources import EventSource

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class Format(StrEnum):
    """How a command prints what it found."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Settings:
    """The settings of one command; `now` is the clock unless `--now` was given.

    `given_*` are the options as given, None where they were not.
    """

    given_catalog: str | None
    given_events: str | None
    given_lake: str | None
    clock: datetime
    now: datetime
    format: Format

    @cached_property
    def places(self) -> Workspace:
        """Catalog, events and lake. Raises UsageError for a billing.toml that cannot be read."""
        from billing_assets.runs.workspace import find_workspace

        return find_workspace(self.given_catalog, self.given_events, self.given_lake)

    @property
    def json(self) -> bool:
        return self.format is Format.JSON

    @property
    def by(self) -> str:
        """Who is recorded on what this command writes."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a container whose user has no name
            return "billing"

    def lake(self) -> Lake:
        from billing_assets.storage.lake import Lake

        return Lake(self.places.lake, dict(self.places.storage_options))

    def source(self) -> EventSource:
        from billing_assets.storage.sources import EventSource

        return EventSource(self.places.events, dict(self.places.storage_options))

    def catalog(self) -> Catalog:
        """The catalog as its files are now. Raises CatalogError with all problems."""
        from billing_assets.catalog import load_catalog

        return load_catalog(self.places.catalog)

    def refuse_future(self, allowed: bool) -> None:
        """Before anything is finalized. Raises UsageError for a `--now` later than the clock."""
        if self.now > self.clock and not allowed:
            raise UsageError(
                f"--now {self.now:%Y-%m-%dT%H:%M:%SZ} is later than the clock ({self.clock:%Y-%m-%dT%H:%M:%SZ}), and "
                "what is finalized stays final; `billing draft --now ...` shows that time without writing, "
                "--allow-future finalizes all the same"
            )

    def environment(self) -> dict[str, str]:
        """The environment of a process that works in the same places."""
        places = {
            "BILLING_CATALOG": str(self.places.catalog.resolve()),
            "BILLING_EVENTS": _absolute(self.places.events),
            "BILLING_LAKE": _absolute(self.places.lake),
        }
        return {**os.environ, **places}


def resolve(
    catalog: str | None = None,
    events: str | None = None,
    lake: str | None = None,
    now: str | None = None,
    output: Format = Format.TABLE,
) -> Settings:
    """The settings of a command from its options. Raises UsageError for a time that is none."""
    clock = datetime.now(UTC)
    moment = clock if now is None else instant(now)
    return Settings(catalog, events, lake, clock, moment, output)


def instant(text: str) -> datetime:
    """A date (midnight UTC) or an RFC 3339 timestamp. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
        return found.replace(tzinfo=UTC)
    if found is None or found.tzinfo is None:
        expected = "a date (2026-10-01) or a timestamp with its offset (2026-10-01T06:00:00Z)"
        raise UsageError(f"--now: found {text!r}, expected {expected}")
    return found.astimezone(UTC)


def month(text: str | None, option: str = "--month") -> str | None:
    """A month as 2026-10, or None. Raises UsageError, which names the option."""
    if text is not None and not MONTH.fullmatch(text):
        raise UsageError(f"{option}: found {text!r}, expected a month as 2026-10")
    return text


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).resolve())
