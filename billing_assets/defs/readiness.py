"""Whether a month can be rated, whoever asks: its usage must be metered, under a catalog that history keeps."""

from __future__ import annotations

from datetime import date, datetime

from billing_assets import runs
from billing_assets.catalog import Catalog
from billing_assets.defs.partitions import month_end
from billing_assets.errors import BillingError
from billing_assets.storage.lake import Lake

SHOWN_DAYS = 5


def refuse_behind(lake: Lake, catalog: Catalog, month: str, now: datetime) -> None:
    """Raise BillingError where rating the month now would leave out usage, or name a catalog that nobody has kept.

    A final invoice never changes, so usage that was not metered in time would be late for ever. Job monthly_close has
    looked before; a run that only materializes the month's assets has not.
    """
    if runs.recorded_catalog(lake, catalog.version) is None:
        raise BillingError(
            f"{month} was not rated: the catalog has changed since asset catalog was materialized; materialize it "
            "too, or run the job monthly_close, or `billing close`"
        )
    behind = [day for day in runs.stale_days(lake, catalog, now) if day < month_end(month)]
    if behind:
        raise BillingError(
            f"{month} was not rated: {len(behind)} day(s) with usage are not metered: {listed(behind)}. Materialize "
            "usage_states for them, then the month again; or run `billing close`, which does it all"
        )


def listed(days: list[date]) -> str:
    more = f", and {len(days) - SHOWN_DAYS} more" if len(days) > SHOWN_DAYS else ""
    return ", ".join(day.isoformat() for day in days[:SHOWN_DAYS]) + more
