"""What one computation of invoices depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.pipeline.drawing import Books

if TYPE_CHECKING:
    from billing_assets.pipeline.late import Late

EventsAt = Callable[[pl.LazyFrame], pl.LazyFrame]
"""The events of some places, given as (customer_ref, usage_date): with them only the files that have any are read."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one computation depends on. Frames hold the rows up to the computation's watermarks, and no others.

    periods: every billing period that has started, with PERIOD columns of its contract, `close_month`, `is_billed` (to
    be computed now) and `events_through` (not null where it is final). month: the close month that is computed; None:
    every open period. invoiced: references that moved since final invoices counted them (`metering.attribute`); None
    where none did. states and values reach back to the start of the first billed period and of the month.
    past: what levels of time-weighted metrics come to before that (`metering.history`); empty without such metrics.
    events: read only where something is listed as unbilled, or counts against a tolerance. billed_charges, fees,
    scheduled: charges that final invoices have, seats of subscriptions among them, and the SCHEDULED invoices that
    exist (`charging.Terms`). voided: void invoices that have no replacement (`drafts.VOID`). decided: what people
    decided of open invoices (`drafts.DECIDED`); waived: what of their usage they let go where it has no price
    (`rating.WAIVED`). late: usage that came after its period was closed; None where there is none, or it is not
    asked. books: what is drawn.
    """

    catalog: Catalog
    frames: CatalogFrames
    periods: pl.LazyFrame
    invoiced: pl.LazyFrame | None
    states: pl.LazyFrame
    values: pl.LazyFrame
    past: pl.LazyFrame
    events: EventsAt
    billed_charges: pl.LazyFrame
    fees: pl.LazyFrame
    scheduled: pl.LazyFrame
    voided: pl.LazyFrame
    decided: pl.LazyFrame
    waived: pl.LazyFrame
    late: Late | None
    books: Books
    sealed_months: tuple[str, ...]
    month: str | None
    now: datetime
