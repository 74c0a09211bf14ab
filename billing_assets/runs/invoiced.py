"""Whose references final invoices counted: where that differs from the customers' references of today."""

from __future__ import annotations

import polars as pl

from billing_assets.catalog import CatalogFrames
from billing_assets.columns import TIMESTAMP
from billing_assets.pipeline.late import PERIOD
from billing_assets.runs.decisions import carry_actions
from billing_assets.runs.periods import counting_rows
from billing_assets.storage.lake import Lake

CLAIM = ("customer_ref", "contract_id", "period_start")
_CARRIED = {"contract_id": pl.String(), "period_start": TIMESTAMP, "batch_no": pl.Int64(), "carried_by": pl.String()}


def invoiced_references(
    lake: Lake, frames: CatalogFrames, periods: pl.LazyFrame, books_through: int
) -> pl.LazyFrame | None:
    """Grain CLAIM: references of closed periods that moved since, with `is_moved` and what `placements` shows of them.

    is_moved: the invoice counted the reference, up to events_through, and its customer no longer has it. Not is_moved:
    the customer has it now, and the invoice has not seen it. Where an action has carried the invoice, it counts the
    references of that action's catalog once they are billed. None where nothing moved, neither references nor the
    dates of contracts below closed periods. Invoices of a catalog whose dimensions the lake does not have are taken
    to have counted the references of today.
    """
    known = recorded_aliases(lake)
    columns = ("contract_id", "customer_id", "period_start", "period_end", "close_month", "is_billed", "events_through")
    positions = frames.contracts.select("contract_id", "contract_position")
    final = (
        periods.filter(~pl.col("is_open"))
        .join(last_carried(lake, books_through), on=PERIOD, how="left")
        .select(*columns, catalog_version=pl.coalesce("carried_by", "final_catalog_version"))
        .join(known.select("catalog_version").unique(), on="catalog_version", how="semi")
        .join(positions, on="contract_id", how="left")
    )
    counted = final.join(known, on=["catalog_version", "customer_id"])
    today = final.join(frames.customer_aliases, on="customer_id")
    moved = counted.join(today, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=True))
    seen = seen_references(lake, books_through)
    moved = (
        moved.drop("events_through").join(seen, on=[*CLAIM, "customer_id"]).rename({"seen_through": "events_through"})
    )
    unseen = today.join(counted, on=CLAIM, how="anti").with_columns(is_moved=pl.lit(value=False))
    found = lake.collect(pl.concat([moved, unseen], how="diagonal").drop("catalog_version"))
    return found.lazy() if found.height or has_moved(periods, frames, lake) else None


def recorded_aliases(lake: Lake) -> pl.LazyFrame:
    """Whose references are, by each catalog that was ever recorded."""
    return lake.scan("customer_aliases").select("catalog_version", "customer_ref", "customer_id")


def seen_references(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain CLAIM, with customer_id: the last ingest batch of which a closed period has billed a reference,
    `seen_through`: with its invoice, or late while the reference was still its customer's."""
    rows = counting_rows(lake, books_through)
    carried = carried_rows(lake, rows.filter("is_late"), books_through)
    by_action = pl.when("is_late").then("carried_by")
    rows = rows.join(carried, on=[*PERIOD, "batch_no"], how="left").with_columns(
        catalog_version=pl.coalesce(by_action, "catalog_version")
    )
    known = rows.join(recorded_aliases(lake), on=["catalog_version", "customer_id"])
    return known.group_by(*CLAIM, "customer_id").agg(seen_through=pl.col("events_through").max())


def carried_rows(lake: Lake, late: pl.LazyFrame, books_through: int) -> pl.LazyFrame:
    """Grain (contract_id, period_start, batch_no): those of the `late` rows of `closed_periods` whose batch billed
    by an action (`billing carry`), with the catalog of the action, `carried_by`."""
    actions = lake.collect(carry_actions(lake))
    if actions.is_empty():
        return pl.LazyFrame(schema=_CARRIED)
    seen = pl.col("intent").str.json_decode(pl.Struct({"actions_through": pl.Int64})).struct.field("actions_through")
    intents = lake.scan("batches", pl.col("sequence") == "books").filter(pl.col("state") == "INTENT")
    marks = intents.group_by("batch_no").agg(seen.sort_by("attempt").last())
    final = counting_rows(lake, books_through).filter(~pl.col("is_late")).select(*PERIOD, final="invoice_id")
    return (
        late.select(*PERIOD, "batch_no")
        .join(final, on=PERIOD)
        .join(marks, on="batch_no")
        .join(actions.lazy(), left_on="final", right_on="invoice_id")
        .filter(pl.col("action_no") <= pl.col("actions_through"))
        .group_by(*PERIOD, "batch_no")
        .agg(pl.col("carried_by").sort_by("action_no").last())
    )


def carried_references(lake: Lake, late: pl.LazyFrame) -> pl.LazyFrame:
    """Grain CLAIM: references of which `late` rows of `closed_periods` have billed by an action (`carried_rows`)."""
    rows = carried_rows(lake, late, lake.committed("books")).rename({"carried_by": "catalog_version"})
    customers = late.select(*PERIOD, "batch_no", "customer_id")
    named = rows.join(customers, on=[*PERIOD, "batch_no"])
    return named.join(recorded_aliases(lake), on=["catalog_version", "customer_id"]).select(CLAIM).unique()


def last_carried(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain PERIOD: `carried_by`, the catalog by which an action has last billed of a closed period."""
    rows = carried_rows(lake, counting_rows(lake, books_through).filter("is_late"), books_through)
    return rows.group_by(PERIOD).agg(pl.col("carried_by").sort_by("batch_no").last())


def moved_from(
    lake: Lake, recorded: pl.LazyFrame, today: pl.LazyFrame, periods: pl.LazyFrame, books_through: int
) -> pl.LazyFrame:
    """Grain customer_ref: references that were their customers' in `recorded`, and are not `today` (both customer_ref,
    customer_id), with what closed `periods` (contract_id, period_start) have billed of them, `seen_through`."""
    moved = recorded.join(today, on=["customer_ref", "customer_id"], how="anti")
    seen = seen_references(lake, books_through).join(periods, on=["contract_id", "period_start"], how="semi")
    theirs = moved.join(seen, on=["customer_ref", "customer_id"])
    return theirs.group_by("customer_ref").agg(pl.col("seen_through").max())


def holders(lake: Lake, frames: CatalogFrames, closed: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (contract_id, period_start): closed periods of customers who have a reference now that an invoice over the
    same hours counted for another. `closed`: of `started_periods`."""
    span = ("contract_id", "customer_id", "period_start", "period_end")
    counted = closed.select(*span, catalog_version="final_catalog_version").join(
        recorded_aliases(lake), on=["catalog_version", "customer_id"]
    )
    moved = counted.join(frames.customer_aliases, on=["customer_ref", "customer_id"], how="anti")
    away = moved.select("customer_ref", since="period_start", until="period_end")
    held = away.join(frames.customer_aliases, on="customer_ref").join(closed.select(span), on="customer_id")
    overlaps = (pl.col("since") < pl.col("period_end")) & (pl.col("period_start") < pl.col("until"))
    return held.filter(overlaps).select("contract_id", "period_start").unique()


def has_moved(periods: pl.LazyFrame, frames: CatalogFrames, lake: Lake) -> bool:
    """Whether any closed period has hours that its contract has no longer."""
    closed = periods.filter(~pl.col("is_open")).select("contract_id", "period_start", "period_end")
    terms = frames.contracts.select("contract_id", "starting_at", "ending_before")
    outside = (
        pl.col("starting_at").is_null()
        | (pl.col("period_start") < pl.col("starting_at"))
        | (pl.col("period_end") > pl.col("ending_before"))
    )
    found = closed.join(terms, on="contract_id", how="left").select(outside.fill_null(value=False).any())
    return bool(lake.collect(found).item())
