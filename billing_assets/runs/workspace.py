"""Where a run finds its catalog, its event files and its lake.

A place comes from an argument, else the environment (BILLING_CATALOG, BILLING_EVENTS, BILLING_LAKE), else
`billing.toml` in the working directory or beside the catalog, else ./catalog, ./events, ./lake.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from billing_assets.errors import UsageError

CONFIG = "billing.toml"
PLACES = ("catalog", "events", "lake")
CLOUD_VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The three places of a run; `events` and `lake` are directories or object-store URLs."""

    catalog: Path
    events: str
    lake: str
    storage_options: Mapping[str, str]

    @property
    def home(self) -> Path:
        """Where Dagster keeps its runs when DAGSTER_HOME is not set: inside a local lake, else beside the catalog."""
        return (self.catalog.parent if is_url(self.lake) else Path(self.lake)) / ".dagster"


def find_workspace(
    catalog: str | None = None,
    events: str | None = None,
    lake: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Workspace:
    """Resolve the places of a run. Raises UsageError for a `billing.toml` that cannot be read or has unknown keys."""
    env = os.environ if environment is None else environment
    here = (directory or Path.cwd()).resolve()
    given = {"catalog": catalog, "events": events, "lake": lake}
    chosen = {name: given[name] or env.get(f"BILLING_{name.upper()}") for name in PLACES}
    configured = _configured(here, chosen["catalog"])
    places = {name: chosen[name] or configured.get(name) or str(here / name) for name in PLACES}
    options = {key: value for key, value in env.items() if key.startswith(CLOUD_VARIABLES)}
    return Workspace(Path(places["catalog"]), places["events"], places["lake"], options)


def is_url(place: str) -> bool:
    return "://" in place


def _configured(here: Path, catalog: str | None) -> dict[str, str]:
    candidates = [here / CONFIG]
    if catalog is not None:
        candidates += [Path(catalog) / CONFIG, Path(catalog).resolve().parent / CONFIG]
    found = next((path for path in candidates if path.is_file()), None)
    return {} if found is None else _read(found)


def _read(path: Path) -> dict[str, str]:
    """The places in a `billing.toml`; relative ones are relative to the file."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a TOML file: {error}") from error
    unknown = sorted(set(content) - set(PLACES))
    if unknown or not all(isinstance(value, str) for value in content.values()):
        raise UsageError(
            f"{path}: expected {', '.join(PLACES)}, each a path or URL; found {', '.join(sorted(content))}"
        )
    return {name: place if is_url(place) else str(path.parent / place) for name, place in content.items()}
