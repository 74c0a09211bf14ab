"""Which timestamps are in time, and for how long a transaction id stays taken; all against the arrival of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.ingestion.reasons import Reason
from billing_assets.wording import worded

AHEAD = timedelta(hours=24)
"""How far ahead of its arrival a timestamp may be, clocks and time zones being what they are."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The settings that ingestion needs (docs/semantics.md, Usage events).

    `backdating_window` None accepts any age from `starting_at` on; `dedupe_window` None never frees a transaction id.
    """

    starting_at: datetime
    backdating_window: timedelta | None
    dedupe_window: timedelta | None

    def reason(self, timestamp: pl.Expr, arrived_at: pl.Expr) -> pl.Expr:
        """future_timestamp, too_old or null. Both ends are inside: exactly 24 hours ahead is accepted."""
        return (
            pl.when(timestamp > arrived_at + pl.duration(hours=24))
            .then(pl.lit(Reason.FUTURE_TIMESTAMP.value))
            .when(self._is_too_old(timestamp, arrived_at) | self._is_before_start(timestamp))
            .then(pl.lit(Reason.TOO_OLD.value))
        )

    def detail(self, timestamp: pl.Expr, arrived_at: pl.Expr) -> pl.Expr:
        """What `reason` found, as text; only meant for rows that have one."""
        arrival = _shown(arrived_at)
        return (
            pl.when(timestamp > arrived_at)
            .then(worded("{} is more than 24 hours after the file's arrival at {}", _shown(timestamp), arrival))
            .when(self._is_before_start(timestamp))
            .then(
                worded(f"{{}} is before settings.starting_at, {self.starting_at:%Y-%m-%dT%H:%M:%SZ}", _shown(timestamp))
            )
            .otherwise(
                worded(
                    f"{{}} is more than {self.backdating_window} before the file's arrival at {{}}",
                    _shown(timestamp),
                    arrival,
                )
            )
        )

    def is_taken(self, first_arrived_at: pl.Expr, arrived_at: pl.Expr) -> pl.Expr:
        """Whether an id accepted from a file that arrived at `first_arrived_at` is a duplicate in a later file."""
        if self.dedupe_window is None:
            return pl.lit(True)
        return first_arrived_at >= arrived_at - pl.lit(self.dedupe_window, dtype=pl.Duration("us"))

    def _is_too_old(self, timestamp: pl.Expr, arrived_at: pl.Expr) -> pl.Expr:
        if self.backdating_window is None:
            return pl.lit(False)
        return timestamp < arrived_at - pl.lit(self.backdating_window, dtype=pl.Duration("us"))

    def _is_before_start(self, timestamp: pl.Expr) -> pl.Expr:
        return timestamp < pl.lit(self.starting_at, dtype=TIMESTAMP)


def _shown(instant: pl.Expr) -> pl.Expr:
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
