"""What every term of the catalog has in common: it is immutable, and it has no field that nobody declared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from billing_assets.catalog.values import Instant


class Term(BaseModel):
    """A piece of the catalog as people write it. Every field has a description; None means that it was not written."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class Dated(Term):
    """A term in force during [starting_at, ending_before)."""

    starting_at: Instant = Field(description="First instant at which it is in force.")
    ending_before: Instant | None = Field(
        default=None, description="First instant at which it is no longer; absent: open."
    )
