"""Days and months as Dagster partitions, from the catalog's first addressable day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

DAY_FORMAT = "%Y-%m-%d"
MONTH_FORMAT = "%Y-%m"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The two partitionings of a deployment. The running month and tomorrow (clocks ahead) are addressable."""

    days: dg.DailyPartitionsDefinition
    months: dg.MonthlyPartitionsDefinition

    @staticmethod
    def starting(at: datetime) -> Calendar:
        return Calendar(
            days=dg.DailyPartitionsDefinition(start_date=at.strftime(DAY_FORMAT), fmt=DAY_FORMAT, end_offset=2),
            months=dg.MonthlyPartitionsDefinition(start_date=at.strftime(MONTH_FORMAT), fmt=MONTH_FORMAT, end_offset=1),
        )


def is_day(key: str) -> bool:
    """Whether a partition key is one of a day; months are shorter."""
    return len(key) == len("2026-10-05")


def month_end(month: str) -> date:
    """The first day after the month."""
    return (datetime.strptime(month, MONTH_FORMAT) + timedelta(days=32)).date().replace(day=1)  # noqa: DTZ007


def previous_month(at: datetime) -> str:
    """The month before the one of `at`."""
    return (at.replace(day=1) - timedelta(days=1)).strftime(MONTH_FORMAT)
