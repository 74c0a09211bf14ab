"""One computation of a month serves both who rates it and who finalizes it, where they follow each other in a process.

What a batch of the books needs of a month (`Month`) is small, and a pure function of its watermarks and of the states
metered up to them. So the last one computed is kept until it is taken; nothing else is reused, and what differs in any
way is computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.pipeline import Settled, bill
from billing_assets.runs.decisions import last_action
from billing_assets.runs.inputs import counting, holding
from billing_assets.runs.late_usage import open_inputs
from billing_assets.storage.lake import Lake

READ = (
    "usage_states",
    "usage_values",
    "events",
    "invoices",
    "invoice_events",
    "closed_periods",
    "ledger_entries",
    "month_closes",
    "batches",
)
"""Every table that a computation reads. `batches` has the watermarks, and changes with each batch."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that the result depends on: two equal questions have one answer."""

    root: str
    catalog_version: str
    month: str
    now: datetime
    events_through: int
    books_through: int
    actions_through: int
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """Drafts of a month and of what draws before them, their lines, the periods that they bill, the equation of usage,
    and what is drawn."""

    invoices: pl.DataFrame
    line_items: pl.DataFrame
    of_periods: pl.DataFrame
    late: pl.DataFrame
    equation: pl.DataFrame
    settled: Settled | None


OF_BOOKS = ("invoices", "line_items", "of_periods", "late", "equation")
"""Frames of a bill that a batch of the books is made of."""

_kept: dict[Question, Month] = {}


def question(lake: Lake, catalog: Catalog, month: str, now: datetime, marks: Watermarks | None = None) -> Question:
    """To be asked before the tables are read: who reads later ones finds that their versions differ."""
    return Question(
        root=lake.root,
        catalog_version=catalog.version,
        month=month,
        now=now,
        events_through=marks.events_through if marks else lake.committed("ingest"),
        books_through=marks.ledger_through if marks else lake.committed("books"),
        actions_through=marks.actions_through if marks else last_action(lake),
        versions=tuple(lake.state(table) for table in READ),
    )


def keep(asked: Question, month: Month) -> None:
    """Keep the answer in place of the last one."""
    _kept.clear()
    _kept[asked] = month


def month_of(lake: Lake, catalog: Catalog, month: str, marks: Watermarks) -> Month:
    """The month as of its watermarks: taken if it was just computed, else computed."""
    kept = _kept.pop(question(lake, catalog, month, marks.computed_as_of, marks), None)
    if kept is not None:
        return kept
    billed = bill(open_inputs(lake, catalog, marks.computed_as_of, month, marks), holding(lake), counting(lake))
    needed = {name: frame for name, frame in billed.frames().items() if name in OF_BOOKS}
    return Month(**lake.collect_all(needed), settled=billed.settled)
