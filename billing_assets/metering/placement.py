"""Where usage belongs: a reference is a customer's, and an hour lies in billing periods of the customer's contracts.

Aliases are resolved here, when usage is aggregated, and never stored on an event: moving an alias moves its usage in
every open period. What a final invoice has counted stays with it (`invoiced`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from billing_assets.metering.grain import BILLED, CODE, ELSEWHERE, NO_CONTRACT, UNATTRIBUTED
from billing_assets.metering.invoiced import HISTORY, WINDOW, with_invoiced

if TYPE_CHECKING:
    from billing_assets.catalog.frames import CatalogFrames


def placements(
    windows: pl.LazyFrame, frames: CatalogFrames, periods: pl.LazyFrame, invoiced: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Grain (reference, window, contract in whose dates or closed periods it lies): customer_id, contract_id, the
    period, and `place`.

    `windows` has WINDOW, one row each. A window outside all contracts has one row without a contract. `place` is BILLED
    in a period of `periods` (period_start, close_month, is_billed, events_through), ELSEWHERE in a period that is not
    among them, NO_CONTRACT or UNATTRIBUTED. filter_key, filter_values: the usage filter in force; null where none is.
    contracts_of_window: in how many rows the window is. is_unseen, is_moved, stays: see `with_invoiced`.
    """
    known = windows.join(frames.customer_aliases, on="customer_ref", how="left")
    contracts = frames.contracts.select(
        "contract_id", "contract_position", "customer_id", "starting_at", "ending_before"
    )
    covered = known.join(contracts, on="customer_id").filter(_in_force("starting_at", "ending_before"))
    spans = periods.select(
        *("contract_id", "customer_id", "period_start", "period_end", "close_month", "is_billed", "events_through")
    )
    positions = contracts.select("contract_id", "contract_position")
    inside = (
        known.join(spans, on="customer_id")
        .filter(_in_force("period_start", "period_end"))
        .join(positions, on="contract_id", how="left")
        .with_columns(place=_place(BILLED))
    )
    beyond = covered.join(inside, on=[*WINDOW, "contract_id"], how="anti").with_columns(place=_place(ELSEWHERE))
    inside = with_invoiced(inside, windows, frames, invoiced)
    nowhere = known.join(covered, on=[*WINDOW], how="anti").with_columns(
        place=pl.when(pl.col("customer_id").is_null()).then(_place(UNATTRIBUTED)).otherwise(_place(NO_CONTRACT))
    )
    columns = (*WINDOW, "customer_id", "contract_id", "contract_position", *spans.collect_schema().names()[2:], "place")
    together = pl.concat([inside.select(*columns, *HISTORY), beyond, nowhere], how="diagonal").select(
        *columns, *HISTORY
    )
    return together.with_columns(contracts_of_window=pl.len().over(WINDOW)).pipe(_filtered, frames.usage_filters)


def _place(name: str) -> pl.Expr:
    return pl.lit(CODE[name], dtype=pl.Int8)


def _in_force(start: str, end: str) -> pl.Expr:
    """Whether the window lies in [start, end); no window crosses a bound, and a null end is open."""
    at = pl.col("window_start")
    return (pl.col(start) <= at) & (pl.col(end).is_null() | (at < pl.col(end)))


def _filtered(placed: pl.LazyFrame, filters: pl.LazyFrame) -> pl.LazyFrame:
    """`placed` with the usage filter of its contract that is in force; a contract has at most one at a time."""
    in_force = (
        placed.select("contract_id", "window_start")
        .unique()
        .join(filters, on="contract_id")
        .filter(_in_force("starting_at", "ending_before"))
        .select("contract_id", "window_start", filter_key="group_key", filter_values="group_values")
    )
    return placed.join(in_force, on=["contract_id", "window_start"], how="left")
