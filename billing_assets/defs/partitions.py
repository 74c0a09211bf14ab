"""Days and months as Dagster partitions, from the catalog's first addressable day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
