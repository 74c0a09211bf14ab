"""`billing validate`: all problems of the catalog at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted
from billing_assets.cli.output import print_json, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import CatalogError, Problem

if TYPE_CHECKING:
    from billing_assets.catalog import Catalog

EXAMPLES = """
billing validate
billing validate --catalog catalog --format json     for an editor or a CI job
"""


@command("validate", examples=EXAMPLES)
def validate(settings: Settings) -> int:
    """Check the catalog and list all of its problems at once.

    Each problem stands on a line of its own as FILE:LINE: FIELD: what was found and what was expected. Warnings are
    listed too, and do not fail. Nothing is written; the lake is not read.
    """
    try:
        catalog = settings.catalog()
    except CatalogError as error:
        _report(settings, error.problems, (), None)
        return 1
    _report(settings, (), catalog.warnings, catalog)
    return 0


def _report(
    settings: Settings, problems: tuple[Problem, ...], warnings: tuple[Problem, ...], catalog: Catalog | None
) -> None:
    if settings.json:
        found: dict[str, Any] = {
            "catalog": str(settings.places.catalog),
            "catalog_version": catalog.version if catalog else None,
            "problems": [_record(problem) for problem in problems],
            "warnings": [_record(warning) for warning in warnings],
        }
        print_json(found)
        return
    for problem in problems:
        say(str(problem))
    for warning in warnings:
        say(f"warning: {warning}")
    if catalog is None:
        say(f"{counted(len(problems), 'problem')} in {settings.places.catalog}")
        return
    say(f"{settings.places.catalog} is valid: {_contents(catalog)}; {counted(len(warnings), 'warning')}")
    say(f"catalog version {catalog.version}")


def _contents(catalog: Catalog) -> str:
    parts = (
        counted(len(catalog.billable_metrics), "billable metric"),
        counted(len(catalog.products), "product"),
        counted(len(catalog.rate_cards), "rate card"),
        counted(len(catalog.customers), "customer"),
        counted(len(catalog.contracts), "contract"),
    )
    return ", ".join(parts)


def _record(problem: Problem) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "path": problem.path, "message": problem.message}
