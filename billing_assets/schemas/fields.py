"""The vocabulary of the tables: column types that mypy and Pandera both read, and the two kinds of column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl

Decimal12 = Annotated[pl.Decimal, 38, 12]
"""Every quantity, rate and amount; the dtype is `columns.DECIMAL`."""

Timestamp = Annotated[pl.Datetime, "us", "UTC"]
"""An instant in UTC with microseconds; the dtype is `columns.TIMESTAMP`."""


def _listed(one_of: Sequence[str] | None) -> list[str] | None:
    """As a list: Pandera takes a tuple of one value for the value itself."""
    return None if one_of is None else list(one_of)


def required(description: str, one_of: Sequence[str] | None = None) -> Any:
    """A column that is never null, in Pandera and in Delta (NOT NULL). The description becomes the column's comment."""
    return pa.Field(nullable=False, description=description, isin=_listed(one_of))


def optional(description: str, one_of: Sequence[str] | None = None) -> Any:
    """A column whose null has the meaning that its description says."""
    return pa.Field(nullable=True, description=description, isin=_listed(one_of))


def promoted(prefix: str, description: str) -> Any:
    """Any number of columns `<prefix><property>`, added to the table as metrics come to use the property."""
    return pa.Field(nullable=True, regex=True, alias=f"^{prefix}[a-z][a-z0-9_]{{0,62}}$", description=description)


class Table(pa.DataFrameModel):
    """What every table has in common: no column beyond those of its model."""

    class Config:
        strict = True
