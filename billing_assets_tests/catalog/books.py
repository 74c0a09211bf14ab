"""Small books for tests: written as files, loaded as the catalog is."""

from __future__ import annotations

from pathlib import Path

from billing_assets.catalog import Catalog, load_catalog

BASE = (Path(__file__).parent / "bad" / "base.yaml").read_text()


def book(directory: Path, **files: str) -> Catalog:
    """The catalog of `files` by stem, each a YAML text."""
    directory.mkdir(parents=True, exist_ok=True)
    for stem, text in files.items():
        (directory / f"{stem}.yaml").write_text(text)
    return load_catalog(directory)
