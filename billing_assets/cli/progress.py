"""What long work is doing: a spinner on a terminal, a line per stage elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing_assets.cli.output import tell

if TYPE_CHECKING:
    from billing_assets.storage.lake import WriteStep

STAGES = {
    "reading the catalog": ("catalog_versions", "customers", "contracts", "rates"),
    "ingesting event files": ("rejected_events", "duplicate_events", "events", "ingested_files"),
    "metering days": ("usage_states", "usage_values", "metered_slices"),
    "rating": ("rated_lines", "usage", "unbilled_usage"),
    "finalizing": ("line_items", "ledger_entries", "invoice_events", "closed_periods", "invoices", "month_closes"),
    "refreshing the drafts": ("draft_invoices", "draft_line_items"),
}
STAGE_OF = {table: stage for stage, tables in STAGES.items() for table in tables}


@contextmanager
def working(title: str) -> Iterator[None]:
    """Show `title`, and the stage that writes to the lake, until the work is done."""
    from billing_assets.storage.lake import Lake

    observer, started = Lake.on_write, time.monotonic()
    show = _spinner(title) if sys.stderr.isatty() else _lines(title)
    with show as report:

        def observed(step: WriteStep) -> None:
            report(STAGE_OF.get(step.table))
            if observer is not None:
                observer(step)

        Lake.on_write = observed
        try:
            yield
        finally:
            Lake.on_write = observer
    tell(f"{title}: {time.monotonic() - started:.1f} s")


class _Report:
    """Called with each stage; shows a stage when it changes."""

    def __init__(self, show: object) -> None:
        self.show = show
        self.stage: str | None = None

    def __call__(self, stage: str | None) -> None:
        if stage and stage != self.stage:
            self.stage = stage
            self.show(stage)  # type: ignore[operator]


@contextmanager
def _lines(title: str) -> Iterator[_Report]:
    tell(f"{title} ...")
    yield _Report(lambda stage: tell(f"  {stage}"))


@contextmanager
def _spinner(title: str) -> Iterator[_Report]:
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield _Report(lambda stage: status.update(f"{title}: {stage}"))
