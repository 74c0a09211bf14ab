"""All invariants over what is stored and committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

import polars as pl

from billing_assets.reconcile import INVARIANTS, Invariant
from billing_assets.runs import journal
from billing_assets.runs.batch_gaps import batch_gaps
from billing_assets.runs.reports import CheckResult
from billing_assets.storage.lake import Lake

ALL_ROWS: Mapping[str, pl.Expr] = MappingProxyType({})


def check_lake(lake: Lake) -> tuple[CheckResult, ...]:
    """Every invariant, those of the journal, and that each table holds exactly the rows of the committed batches: what
    a backup relies on.

    The last one reads uncommitted rows too, so it fails while a batch is being written.
    """
    whole = Invariant(
        "batches_whole",
        "batches",
        "each table has the rows that its committed batches say, and no others",
        lambda _: batch_gaps(lake).lazy(),
    )
    return (*check(lake), *journal.checks(lake), *check(lake, [whole]))


def check(
    lake: Lake, invariants: Iterable[Invariant] = INVARIANTS, of: Mapping[str, pl.Expr] = ALL_ROWS
) -> tuple[CheckResult, ...]:
    """Each invariant with the rows that break it, over the committed rows of the lake; of a table only those in `of`,
    if it is named there."""

    @cache
    def committed(table: str) -> pl.LazyFrame:
        return lake.scan(table, *([of[table]] if table in of else ()))

    return tuple(CheckResult(one, lake.collect(one.find(committed).sort(pl.all()))) for one in invariants)
