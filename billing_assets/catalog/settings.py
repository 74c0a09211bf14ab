"""Settings of the whole book: what holds for every contract."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from billing_assets.catalog.terms import Term
from billing_assets.catalog.values import Duration, DurationOrNone, Flag, Instant, LimitOrNone, Text

RETRY_ALLOWANCE = timedelta(hours=25)
"""By this much a dedupe window is longer than the backdating window, so that a retry outside it is also too old."""


class Settings(Term):
    """Settings of the whole book."""

    starting_at: Instant = Field(description="The first day and month that can be addressed.")
    currency: Text = Field(default="USD", description="ISO 4217 code; the currency of rate cards that name none.")
    grace_period: Duration = Field(
        default=timedelta(hours=24),
        json_schema_extra={"default": "24h"},
        description="USAGE invoices are finalized this long after their period's end.",
    )
    backdating_window: DurationOrNone = Field(
        default=timedelta(days=34),
        json_schema_extra={"default": "34d"},
        description="Events older than this at their arrival are rejected; `none` accepts any age.",
    )
    allow_double_rating: Flag = Field(
        default=False, description="true: contracts that rate the same usage are only warned about, and each rates it."
    )
    late_usage_window: Duration = Field(
        default=timedelta(days=90),
        json_schema_extra={"default": "90d"},
        description="Late usage of a finalized period older than this is reported, not billed.",
    )
    hold_negative_total: Flag = Field(default=False, description="true: invoices with a negative total are held.")
    hold_total_over: LimitOrNone = Field(
        default=None, description="Invoices with a larger total are held; `none`: no limit."
    )
    issuing_entity: Text = Field(
        default="Default entity", description="Who issues the invoices; numbers run per entity."
    )
    invoice_number_format: Text = Field(
        default="INV-{year}-{number:06}",
        description="Format of invoice numbers, with {year} of the issue and the consecutive {number}.",
    )

    @property
    def dedupe_window(self) -> timedelta | None:
        """How long a transaction id stays taken after its arrival; None: for ever."""
        return None if self.backdating_window is None else self.backdating_window + RETRY_ALLOWANCE
