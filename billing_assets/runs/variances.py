"""What final invoices would be now, by cause: another engine, late events, references that moved, another catalog.

A difference of late events is billed by itself (`late_usage`). The others are listed, and billed only where a person
says so: `billing carry`, or `billing void` and `billing regenerate` (docs/semantics.md, Variances).
"""

from __future__ import annotations

import polars as pl

from billing_assets.catalog import Catalog, CatalogFrames, changed_contracts, resolve
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.money import zero
from billing_assets.pipeline.late import PERIOD, Recomputed, differences
from billing_assets.runs.catalogs import needed
from billing_assets.runs.decisions import carries
from billing_assets.runs.invoiced import holders
from billing_assets.runs.late_usage import ABOUT, late_lines
from billing_assets.runs.meter import are_measured, new_measures, touched_periods, unmeasured_contracts
from billing_assets.runs.recomputing import OfBatch
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

ENGINE, LATE_EVENT, ATTRIBUTION, CATALOG = CAUSES = ("ENGINE", "LATE_EVENT", "ATTRIBUTION", "CATALOG")
_LINE = ("invoice_id", "line_item_id")


def changed_periods(
    lake: Lake, catalog: Catalog, frames: CatalogFrames, periods: pl.DataFrame, marks: Watermarks
) -> pl.DataFrame:
    """The closed ones of `periods` (`started_periods`), not older than the window of late usage, of which the catalog
    may say something else than the one that they were billed by; those of which usage was billed to others
    (`holds_billed`); those that another version of the engine billed (`by_other_engine`); and all that an action
    carries, with `carried_by`.

    Left out are contracts in another currency, and while that is not metered (`stale_days`) those of which something
    is measured now that was not then (`incomparable_contracts`).
    """
    oldest = pl.lit(marks.computed_as_of - catalog.settings.late_usage_window, dtype=TIMESTAMP)
    closed = periods.filter(~pl.col("is_open"))
    decided = lake.collect(carries(lake, marks.actions_through))
    closed = closed.join(decided, left_on="final_invoice_id", right_on="invoice_id", how="left")
    holding = lake.collect(holders(lake, frames, closed.lazy())).with_columns(holds_billed=pl.lit(value=True))
    closed = closed.join(holding, on=PERIOD, how="left").with_columns(pl.col("holds_billed").fill_null(value=False))
    others = pl.col("final_batch_no").is_in(batches_of_others(lake, marks.engine_version))
    closed = closed.with_columns(by_other_engine=others & pl.col("final_invoice_id").is_not_null())
    recent = closed.filter(pl.col("period_end") >= oldest)
    whole = pl.col("holds_billed") | pl.col("by_other_engine")
    parts = [closed.filter(pl.col("carried_by").is_not_null()), recent.filter(whole)]
    recent = recent.filter(pl.col("final_catalog_version") != catalog.version)
    for (version,), rows in recent.group_by("final_catalog_version", maintain_order=True):
        recorded = needed(lake, str(version))
        changed = changed_contracts(recorded, catalog)
        changed = changed.join(incomparable_contracts(lake, recorded, catalog, rows), on="contract_id", how="anti")
        parts.append(rows.join(lake.collect(touched_periods(rows.lazy(), changed)), on=PERIOD, how="semi"))
    return pl.concat(parts).unique(PERIOD).sort(PERIOD)


def batches_of_others(lake: Lake, engine_version: str) -> list[int]:
    """Batches of the books that other versions of the engine made."""
    rows = lake.scan("batches", pl.col("sequence") == "books").filter(pl.col("state") == "INTENT")
    last = rows.group_by("batch_no").agg(pl.col("engine_version").sort_by("attempt").last())
    found = lake.collect(last.filter(pl.col("engine_version") != engine_version))
    return sorted(found["batch_no"].to_list())


def incomparable_contracts(lake: Lake, recorded: Catalog, catalog: Catalog, periods: pl.DataFrame) -> pl.LazyFrame:
    """Grain contract_id: contracts of which two catalogs have no difference in money over `periods`: those in another
    currency, and those of which `catalog` measures what is not metered."""
    one, other = (resolve(each).contracts.select("contract_id", "currency") for each in (recorded, catalog))
    moved = one.join(other, on="contract_id", suffix="_now").filter(pl.col("currency") != pl.col("currency_now"))
    new = new_measures(recorded, catalog)
    if not new or are_measured(lake, new, periods):
        return moved.select("contract_id")
    return pl.concat(
        [frame.select("contract_id") for frame in (moved, unmeasured_contracts(recorded, catalog))]
    ).unique()


def other_variances(
    lake: Lake, catalog: Catalog, frames: CatalogFrames, periods: pl.DataFrame, marks: Watermarks
) -> pl.LazyFrame:
    """Rows of `invoice_variances` beside those of late usage: causes ENGINE, ATTRIBUTION and CATALOG, and of invoices
    that an action carries, LATE_EVENT as well. `periods`: all `started_periods` by the `catalog` of today."""
    wanted = changed_periods(lake, catalog, frames, periods, marks)
    if wanted.is_empty():
        return TABLES["invoice_variances"].empty()
    closed = periods.filter(~pl.col("is_open"))
    batches = wanted["final_batch_no"].unique().sort()
    found = pl.concat(
        [_of_batch(lake, one, wanted.filter(final_batch_no=one), closed, catalog, frames, marks) for one in batches]
    )
    return lake.collect(with_carried(found, carried_late(lake, marks), carries(lake, marks.actions_through))).lazy()


def _of_batch(
    lake: Lake,
    batch_no: int,
    wanted: pl.DataFrame,
    closed: pl.DataFrame,
    catalog: Catalog,
    frames: CatalogFrames,
    marks: Watermarks,
) -> pl.LazyFrame:
    """Grain (line, cause): finalized and recomputed, the amounts before and after what the cause changes. Each cause
    begins where the one before it ends, so that together they are all that differs."""
    again = OfBatch.of(lake, batch_no, wanted, closed, marks.ledger_through)
    today, events = frames.customer_aliases, marks.events_through
    carried = wanted.filter(pl.col("carried_by").is_not_null())
    with_events = again.with_events(events, today).that_is_carried()
    steps = [with_events, with_events, with_events]
    differ = _different_references(resolve(again.catalog).customer_aliases, today)
    if wanted["holds_billed"].any() or _is_any(lake, differ):
        steps[1:] = [again.with_references(events, today).that_is_carried()] * 2
    if _is_any(lake, changed_contracts(again.catalog, catalog, terms_alone=True)):
        steps[2] = again.by(catalog, events).that_is_carried()
    found = [
        _step(cause, before, after).join(wanted.lazy(), on=PERIOD, how="semi")
        for cause, before, after in zip((ATTRIBUTION, CATALOG), steps, steps[1:], strict=False)
        if before is not after
    ]
    by_other = wanted.filter("by_other_engine")
    if carried.height or by_other.height:
        billed = again.as_billed(today).that_is_carried()
    if carried.height:
        own = [_step(LATE_EVENT, billed, with_events), _unchanged(steps[2])]
        found += [rows.join(carried.lazy(), on=PERIOD, how="semi") for rows in own]
    if by_other.height:
        found.append(_step(ENGINE, again.as_recorded(billed), billed).join(by_other.lazy(), on=PERIOD, how="semi"))
    return lake.collect(pl.concat(found)).lazy() if found else pl.LazyFrame(schema=_STEP)


def _is_any(lake: Lake, rows: pl.LazyFrame) -> bool:
    return not lake.collect(rows.head(1)).is_empty()


def _different_references(one: pl.LazyFrame, other: pl.LazyFrame) -> pl.LazyFrame:
    """References that belong to somebody else, or to somebody in one of two catalogs alone."""
    keys = ["customer_ref", "customer_id"]
    return pl.concat([a.join(b, on=keys, how="anti").select(keys) for a, b in ((one, other), (other, one))])


_STEP: dict[str, pl.DataType] = {
    **dict.fromkeys(("invoice_id", "line_item_id", "cause", *ABOUT), pl.String()),
    "period_start": TIMESTAMP,
    **dict.fromkeys(("recomputed", "finalized"), DECIMAL),
}


def _step(cause: str, before: Recomputed, after: Recomputed) -> pl.LazyFrame:
    lines = differences(before, after).filter(pl.col("amount") != zero())
    named = lines.with_columns(cause=pl.lit(cause), recomputed="after", finalized="before")
    return named.select(pl.col(name).cast(dtype) for name, dtype in _STEP.items())


def _unchanged(now: Recomputed) -> pl.LazyFrame:
    """Lines by the last cause, as they are before and after it: what was carried by another catalog than today's is to
    be given back of them, also where they are as they were invoiced."""
    value = pl.col("amount")
    rows = now.lines.select("invoice_id", "line_item_id", "period_start", *ABOUT, recomputed=value, finalized=value)
    return rows.with_columns(cause=pl.lit(CATALOG)).select(pl.col(name).cast(dtype) for name, dtype in _STEP.items())


def carried_late(lake: Lake, marks: Watermarks) -> pl.LazyFrame:
    """Late lines of invoices that are not void: the line and invoice that they correct, their amount, and the last
    action that their invoice had seen."""
    seen = lake.scan("invoices", through={"batch_no": marks.ledger_through}).select("invoice_id", "actions_through")
    return (
        late_lines(lake, marks.ledger_through)
        .join(seen, on="invoice_id")
        .select(
            "actions_through",
            "list_amount",
            "product_id",
            "name",
            "amount_unit",
            customer_id="origin_customer_id",
            contract_id="origin_contract_id",
            invoice_id="corrects_invoice_id",
            line_item_id="corrects_line_item_id",
        )
    )


def with_carried(found: pl.LazyFrame, late: pl.LazyFrame, decided: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `invoice_variances` of `found`, (line, cause).

    Late lines from before an action carried the invoice are of LATE_EVENT, or of the cause after it. Those since are of
    all causes: each in turn has what it lacks, and the last one the rest, so that what is carried is counted once. Of
    lines that the catalog of now does not have, that is all.
    """
    parted = late.join(decided, on="invoice_id").with_columns(
        is_since=pl.col("actions_through") >= pl.col("carried_since")
    )
    amount = pl.col("list_amount")
    sums = parted.group_by(_LINE).agg(
        early=amount.filter(~pl.col("is_since")).sum(),
        since=amount.filter("is_since").sum(),
        has=pl.col("is_since").any(),
        **{f"late_{name}": pl.col(name).last() for name in ABOUT},
    )
    since = sums.filter("has").select(*_LINE, *(pl.col(f"late_{name}").alias(name) for name in ABOUT))
    changed = found.filter(pl.col("recomputed") != pl.col("finalized"))
    last = changed.filter(pl.col("cause") == CATALOG)
    same = found.filter(pl.col("recomputed") == pl.col("finalized")).join(last, on=_LINE, how="anti")
    same = same.join(since, on=_LINE, how="semi")
    gone = since.join(pl.concat([last, same]), on=_LINE, how="anti").with_columns(
        cause=pl.lit(CATALOG), recomputed=zero(), finalized=zero()
    )
    found = pl.concat([changed, same, gone], how="diagonal_relaxed")
    order = pl.col("cause").replace_strict({name: place for place, name in enumerate(CAUSES)}, return_dtype=pl.Int64)
    of_events = pl.col("place").filter(pl.col("cause") != ENGINE).min().over(_LINE)
    early = (
        pl.when(pl.col("place") == pl.coalesce(of_events, "place"))
        .then(pl.col("early").fill_null(zero()))
        .otherwise(zero())
    )
    lacks = pl.col("recomputed") - pl.col("finalized") - pl.col("early")
    is_last = pl.col("place") == pl.col("place").max().over(_LINE)
    before = (lacks.cum_sum().over(_LINE, order_by="place") - lacks).fill_null(zero())
    share = pl.when(is_last).then(pl.col("since") - before).otherwise(lacks)
    return (
        found.with_columns(place=order)
        .join(sums, on=_LINE, how="left")
        .with_columns(early=early)
        .with_columns(
            carried=pl.col("early") + pl.when(pl.col("has").fill_null(value=False)).then(share).otherwise(zero())
        )
        .filter((pl.col("recomputed") != pl.col("finalized")) | (pl.col("carried") != zero()))
        .with_columns(outstanding=pl.col("recomputed") - pl.col("finalized") - pl.col("carried"))
        .select(*TABLES["invoice_variances"].columns)
    )
