"""Usage that came after its period was closed: which periods it concerns, and what it changes of their invoices."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from billing_assets import metering
from billing_assets.catalog import Catalog, CatalogFrames
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.invoicing.headers import CORRECTION
from billing_assets.money import zero
from billing_assets.pipeline import Inputs
from billing_assets.pipeline.late import (
    CARRY,
    DESCRIBED,
    LATE,
    LATE_PERIOD,
    PERIOD,
    REPORT,
    Late,
    differences,
    outstanding,
    with_gone,
)
from billing_assets.runs.catalogs import needed
from billing_assets.runs.decisions import carries
from billing_assets.runs.inputs import inputs, watermarks
from billing_assets.runs.periods import void_invoices
from billing_assets.runs.recomputing import OfBatch
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

ABOUT = ("customer_id", "contract_id", "product_id", "name", "amount_unit")
"""What `invoice_variances` says of a line."""
VARIANCE = {"invoice_id": "corrects_invoice_id", "line_item_id": "corrects_line_item_id", "recomputed": "after",
             "finalized": "before"}  # fmt: skip


def open_inputs(
    lake: Lake, catalog: Catalog, now: datetime, month: str | None = None, marks: Watermarks | None = None
) -> Inputs:
    """`inputs` of whoever bills: with the late usage of closed periods."""
    seen = marks or watermarks(lake, catalog, now)
    return inputs(
        lake, catalog, now, month, marks, late=lambda periods, frames: found_once(lake, catalog, frames, periods, seen)
    )


def found_once(
    lake: Lake, catalog: Catalog, frames: CatalogFrames, periods: pl.DataFrame, marks: Watermarks
) -> Late | None:
    """`late_usage`, kept for those who ask the same next: rating, finalizing and drafts follow each other."""
    asked = (lake.root, catalog.version, marks, lake.state("usage_states"))
    if asked not in _kept:
        _kept.clear()
        _kept[asked] = late_usage(lake, catalog, frames, periods, marks)
    return _kept[asked]


_kept: dict[tuple[str, str, Watermarks, str], Late | None] = {}


def late_usage(
    lake: Lake, catalog: Catalog, frames: CatalogFrames, periods: pl.DataFrame, marks: Watermarks
) -> Late | None:
    """What is late up to the watermarks, of the closed ones of `periods` (`started_periods`); None where nothing is.

    frames: the catalog of today, by which a reference belongs to who has it now, also what comes late of it.
    """
    closed = periods.filter(~pl.col("is_open"))
    aliases = frames.customer_aliases
    used = used_since(lake, closed, catalog, aliases, marks.events_through)
    decided = lake.collect(carries(lake, marks.actions_through))
    late = pl.concat([used, closed.join(decided, left_on="final_invoice_id", right_on="invoice_id", how="semi")])
    late = late.unique(PERIOD, maintain_order=True).sort(PERIOD)
    if late.is_empty():
        return None
    late = late.join(decided, left_on="final_invoice_id", right_on="invoice_id", how="left")
    batches = late["final_batch_no"].unique().sort()
    found = [_of_batch(lake, one, late.filter(final_batch_no=one), closed, aliases, marks) for one in batches]
    lines = with_gone(pl.concat([of_batch for of_batch, _ in found]), carried_lines(lake, late, marks.ledger_through))
    left = lake.collect(outstanding(lines, carried(lake, marks.ledger_through)))
    own = left.join(decided, left_on="corrects_invoice_id", right_on="invoice_id", how="anti")
    variances = own.select(
        *(pl.col(column).alias(name) for name, column in VARIANCE.items()), "carried", "outstanding", *ABOUT,
        cause=pl.lit("LATE_EVENT"),
    )  # fmt: skip
    # What is carried and billed to the end is settled, until usage comes again.
    is_open = left.filter(pl.col("outstanding") != zero()).select(PERIOD)
    kept = pl.concat([used.select(PERIOD), is_open]).unique()
    billed = pl.concat([all_billed for _, all_billed in found])
    policies = with_policies(late.join(kept, on=PERIOD, how="semi").lazy(), billed, catalog, marks.computed_as_of)
    return Late(
        periods=lake.collect(policies).lazy(),
        lines=left.lazy(),
        corrections=corrections(lake, marks.ledger_through),
        variances=variances.lazy(),
    )


def used_since(
    lake: Lake, closed: pl.DataFrame, catalog: Catalog, today: pl.LazyFrame, events_through: int
) -> pl.DataFrame:
    """Those of the `closed` periods into whose hours usage came that they have not seen, of references that were their
    customers' and are it still (`today`: customer_ref, customer_id).

    Levels outlive periods: of what keeps one, usage of any time before the period's end counts.
    """
    # What a closed period has seen at least, of those that end after a day.
    ends = closed.lazy().group_by(end="period_end").agg(seen=pl.col("events_through").min())
    ends = ends.sort("end", descending=True).with_columns(pl.col("seen").cum_min()).sort("end")
    slices = lake.scan("metered_slices", pl.col("ingest_batch") <= events_through)
    new = (
        slices.select("usage_date", "ingest_batch", after=pl.col("usage_date").cast(TIMESTAMP) + pl.duration(hours=1))
        .unique()
        .sort("after")
        .join_asof(ends, left_on="after", right_on="end", strategy="forward", check_sortedness=False)
        .filter(pl.col("ingest_batch") > pl.col("seen"))
        .select("usage_date", "ingest_batch")
    )
    days = lake.collect(new)
    if days.is_empty():
        return closed.clear()
    of_days = pl.col("usage_date").is_in(days["usage_date"].unique().to_list())
    of_days &= pl.col("ingest_batch").is_in(days["ingest_batch"].unique().to_list())
    states = lake.scan("usage_states", of_days)
    levels = level_measures(catalog)
    used = states.select("customer_ref", "window_start", "ingest_batch", is_level=pl.col("measure_id").is_in(levels))
    aliases = lake.scan("customer_aliases").select("catalog_version", "customer_ref", "customer_id")
    inside = (pl.col("window_start") >= pl.col("period_start")) | pl.col("is_level")
    asked = closed.lazy().select(*PERIOD, "customer_id", "period_end", "events_through", "final_catalog_version")
    found = (
        used.unique()
        .join(aliases, on="customer_ref")
        .join(today, on=["customer_ref", "customer_id"], how="semi")
        .join(asked, left_on=["catalog_version", "customer_id"], right_on=["final_catalog_version", "customer_id"])
        .filter(
            inside, pl.col("window_start") < pl.col("period_end"), pl.col("ingest_batch") > pl.col("events_through")
        )
        .select(PERIOD)
        .unique()
    )
    return closed.join(lake.collect(found), on=PERIOD, how="semi").sort(PERIOD)


def level_measures(catalog: Catalog) -> list[str]:
    return [one.measure_id for one in metering.compile_measures(catalog.billable_metrics) if metering.keeps_level(one)]


def _of_batch(
    lake: Lake, batch_no: int, late: pl.DataFrame, closed: pl.DataFrame, today: pl.LazyFrame, marks: Watermarks
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Of the periods that one batch closed: `differences`, and PERIOD of those whose late usage is all billed.

    Everything is as that batch had it: catalog, books, now. Only the events are those of the watermarks; and of an
    invoice that is carried (`carried_by`), the catalog is the one that was decided, and the engine this one.
    """
    again = OfBatch.of(lake, batch_no, late, closed, marks.ledger_through)
    before = again.as_billed(today)
    found, listed = [], []
    for (version,), rows in late.group_by("carried_by", maintain_order=True):
        keys = rows.lazy().select(PERIOD)
        if version is None:
            after, lines = again.with_events(marks.events_through, today), before
        else:
            after = again.by(needed(lake, str(version)), marks.events_through).that_is_carried()
            lines = before.that_is_carried()
            if again.then.engine_version != marks.engine_version:
                lines = again.as_recorded(lines)
        found.append(differences(lines, after).join(keys, on=PERIOD, how="semi"))
        more = after.listed.join(before.listed, on=PERIOD, how="left", suffix="_before").filter(
            pl.col("events") != pl.col("events_before").fill_null(0)
        )
        listed.append(keys.join(more, on=PERIOD, how="anti"))
    return lake.collect(pl.concat(found)).lazy(), lake.collect(pl.concat(listed)).lazy()


def with_policies(late: pl.LazyFrame, all_billed: pl.LazyFrame, catalog: Catalog, now: datetime) -> pl.LazyFrame:
    """LATE_PERIOD: by the policies of today's catalog, and only reported beyond its window; what an action carries is
    billed."""
    policies = pl.LazyFrame(
        [(one.id, one.late_usage) for one in catalog.contracts],
        schema={"contract_id": pl.String(), "policy": pl.String()},
        orient="row",
    )
    oldest = pl.lit(now - catalog.settings.late_usage_window, dtype=TIMESTAMP)
    by_contract = pl.col("policy").fill_null(REPORT)  # of a contract that is not in the catalog any more
    policy = (
        pl.when(pl.col("carried_by").is_not_null() & pl.col("policy").is_not_null())
        .then(pl.when(by_contract == REPORT).then(pl.lit(CARRY)).otherwise(by_contract))
        .when(pl.col("period_end") < oldest)
        .then(pl.lit(REPORT))
        .otherwise(by_contract)
    )
    return (
        late.join(policies, on="contract_id", how="left")
        .join(all_billed.with_columns(all_billed=pl.lit(value=True)), on=PERIOD, how="left")
        .with_columns(policy=policy, all_billed=pl.col("all_billed").fill_null(value=False))
        .select(pl.col(name).cast(dtype) for name, dtype in LATE_PERIOD.items())
    )


def carried(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Grain corrects_line_item_id: amount and quantity of the late lines on invoices that are not void."""
    sums = (
        late_lines(lake, books_through)
        .group_by("corrects_line_item_id")
        .agg(amount=pl.col("list_amount").sum(), quantity=pl.col("quantity").sum())
    )
    return sums.with_columns(pl.col("amount", "quantity").cast(DECIMAL))


def late_lines(lake: Lake, books_through: int) -> pl.LazyFrame:
    """Late lines on invoices that are not void."""
    lines = lake.scan("line_items", pl.col("line_type") == LATE, through={"batch_no": books_through})
    return lines.join(void_invoices(lake, books_through), on="invoice_id", how="anti")


def carried_lines(lake: Lake, late: pl.DataFrame, books_through: int) -> pl.LazyFrame:
    """Grain line_item_id: the lines of closed periods, `late`, that late lines correct, as the last of these describes
    them: invoice_id, period_start and the columns of a rated line that are recorded."""
    periods = late.lazy().select(*PERIOD, "period_end", invoice_id="final_invoice_id")
    own = late_lines(lake, books_through).with_columns(
        contract_id="origin_contract_id", customer_id="origin_customer_id", invoice_id="corrects_invoice_id"
    )
    at, wanted = pl.col("starting_at"), [name for name in DESCRIBED if name in TABLES["line_items"].columns]
    return (
        own.join(periods, on=["contract_id", "invoice_id"])
        .filter(at >= pl.col("period_start"), at < pl.col("period_end"))
        .sort("batch_no", "line_item_id")
        .select(*wanted, "invoice_id", "period_start", "corrects_line_item_id")
        .unique("corrects_line_item_id", keep="last", maintain_order=True)
        .rename({"corrects_line_item_id": "line_item_id"})
        .with_columns(
            is_fee=pl.col("event_count").is_null(), incurred_from="starting_at", incurred_to="ending_before",
            caps_lanes=pl.lit(value=False),
        )
    )  # fmt: skip


def corrections(lake: Lake, books_through: int) -> pl.LazyFrame:
    """CORRECTION invoices that exist, void ones too: contract_id, period_start, regeneration."""
    invoices = lake.scan("invoices", through={"batch_no": books_through})
    return invoices.filter(pl.col("invoice_type") == CORRECTION).select("contract_id", "period_start", "regeneration")
