"""`billing validate`: all problems of the catalog at once, and what an edit says otherwise of final invoices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, money
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import CatalogError, Problem

if TYPE_CHECKING:
    from billing_assets.catalog import Catalog

EXAMPLES = """
billing validate
billing validate --catalog catalog --format json     for an editor or a CI job
billing validate --catalog-only                      without a look at final invoices
"""
SHOWN = 20
"""Rows of final invoices that are printed; JSON has all."""
COLUMNS = (
    Column("invoice", lambda row: row["invoice_number"]),
    Column("customer", lambda row: row["customer_id"], rank=2),
    Column("month", lambda row: row["close_month"], rank=3),
    Column("product", lambda row: row["name"] or "-"),
    Column("invoiced", lambda row: money(row["invoiced"], row["amount_unit"]), numeric=True),
    Column("would be", lambda row: money(row["would_be"], row["amount_unit"]), numeric=True, rank=1),
    Column("difference", lambda row: money(row["difference"], row["amount_unit"]), numeric=True),
    Column("", lambda row: row["amount_unit"]),
)
WITHOUT_MONEY = {
    "balances": "commits or credits of a period that is final are others: what they have paid stays as it is",
    "measures": "what is final is in another currency now, or a metric counts what was not metered (of a lake in an "
    "object store): `billing simulate` computes it anew, on a lake on a disk",
}
NEXT = (
    "final invoices stay as they are: date the edit from an open period on, or apply it and see `billing variances`;\n"
    "  `billing carry` bills the difference, `billing void` and `billing regenerate` issue the invoice again"
)


@command("validate", examples=EXAMPLES)
def validate(
    settings: Settings,
    catalog_only: Annotated[bool, typer.Option("--catalog-only", help="Do not look at final invoices.")] = False,
) -> int:
    """Check the catalog and list all of its problems at once.

    Each problem stands on a line of its own as FILE:LINE: FIELD: what was found and what was expected. Warnings are
    listed too, and do not fail: also final invoices that this catalog would have billed otherwise, with the money.
    Nothing is written.
    """
    try:
        catalog = settings.catalog()
    except CatalogError as error:
        _report(settings, error.problems, (), None)
        return 1
    edits = None if catalog_only else final_edits(settings, catalog)
    _report(settings, (), catalog.warnings, catalog, edits)
    return 0


def final_edits(settings: Settings, catalog: Catalog) -> dict[str, Sequence[Row]] | None:
    """Rows `changed` and `unpriced` of `runs.edits.FinalEdits`, with the number, customer and month of their invoices;
    None where nothing is final yet."""
    from billing_assets.runs.edits import edits_of_final

    lake = settings.lake()
    if lake.committed("books") == 0:
        return None
    found = edits_of_final(lake, catalog, settings.now)
    invoices = lake.collect(lake.scan("invoices").select("invoice_id", "invoice_number", "customer_id", "close_month"))
    order = ["close_month", "invoice_number"]
    return {
        "changed": records(found.edited.join(invoices, on="invoice_id").sort(*order, "name", nulls_last=True)),
        "unpriced": records(found.unpriced.join(invoices, on="invoice_id").sort(*order, "what")),
    }


def _report(
    settings: Settings,
    problems: tuple[Problem, ...],
    warnings: tuple[Problem, ...],
    catalog: Catalog | None,
    edits: dict[str, Sequence[Row]] | None = None,
) -> None:
    if settings.json:
        found: dict[str, Any] = {
            "catalog": str(settings.places.catalog),
            "catalog_version": catalog.version if catalog else None,
            "problems": [_record(problem) for problem in problems],
            "warnings": [_record(warning) for warning in warnings],
            "final_invoices": None
            if edits is None
            else {name: [record(row) for row in rows] for name, rows in edits.items()},
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
    if edits is not None:
        _warn(edits["changed"], edits["unpriced"])


def _warn(changed: Sequence[Row], unpriced: Sequence[Row]) -> None:
    if changed:
        invoices = counted(len({row["invoice_id"] for row in changed}), "final invoice")
        say()
        say(f"warning: {invoices} would be another by this catalog: {sums(changed)}")
        print_table(changed[:SHOWN], COLUMNS)
        if len(changed) > SHOWN:
            say(f"... and {counted(len(changed) - SHOWN, 'row')} more; --format json has all")
    for what, text in WITHOUT_MONEY.items():
        if named := sorted({row["invoice_number"] for row in unpriced if row["what"] == what}):
            more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
            say()
            say(f"warning: {text} ({', '.join(named[:SHOWN])}{more})")
    if changed or unpriced:
        say(f"  {NEXT}")


def sums(rows: Sequence[Row]) -> str:
    """What the rows differ by, per unit."""
    units = sorted({row["amount_unit"] for row in rows})
    found = {unit: sum(row["difference"] for row in rows if row["amount_unit"] == unit) for unit in units}
    return ", ".join(f"{money(value, unit)} {unit}" for unit, value in found.items())


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
