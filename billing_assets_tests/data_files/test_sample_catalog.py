"""The sample catalog is one that the loader has nothing to say about."""

from __future__ import annotations

from pathlib import Path

from billing_assets.catalog import load_catalog

CATALOG = Path(__file__).parents[2] / "data" / "catalog"


def test_no_problem_and_no_warning() -> None:
    catalog = load_catalog(CATALOG)
    assert catalog.warnings == ()
    assert len(catalog.customers) == 49
    assert len(catalog.contracts) == 50


def test_every_story_that_the_readme_lists_is_told_in_the_catalog() -> None:
    told = "".join(path.read_text() for path in CATALOG.rglob("*.yaml"))
    readme = (CATALOG.parent / "README.md").read_text()
    tables = [table.split("\n\n")[0].splitlines()[2:] for table in readme.split("| story |")[1:]]
    stories = [row.split("|")[1].strip() for table in tables for row in table]
    assert len(stories) >= 30
    untold = [story for story in stories if f'"{story}' not in told]
    assert untold == []
