"""All invariants over what is stored and committed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import polars as pl

from billing_assets.reconcile import INVARIANTS, Invariant
from billing_assets.runs.reports import CheckResult
from billing_assets.storage.lake import Lake


def check(lake: Lake, invariants: Iterable[Invariant] = INVARIANTS) -> tuple[CheckResult, ...]:
    """Each invariant with the rows that break it, over the committed rows of the lake."""

    @cache
    def committed(table: str) -> pl.LazyFrame:
        return lake.scan(table)

    return tuple(CheckResult(one, lake.collect(one.find(committed).sort(pl.all()))) for one in invariants)
