"""What an edited catalog would have billed instead of final invoices: what `billing validate` warns of.

Final invoices do not change. Most of what is listed here is what `invoice_variances` has once the catalog is applied
(docs/semantics.md, Variances); the rest are charges that no action carries, such as the price of a seat.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from billing_assets.catalog import Catalog, CatalogFrames, changed_contracts, resolve
from billing_assets.charges import scheduled_lines
from billing_assets.charges.lines import CHARGE_KEY
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.money import or_zero, zero
from billing_assets.pipeline.late import PERIOD, differences
from billing_assets.runs.catalogs import needed
from billing_assets.runs.inputs import charge_lines, watermarks
from billing_assets.runs.meter import meter, newly_measured, touched_periods
from billing_assets.runs.overflow import naming_overflows
from billing_assets.runs.periods import started_periods
from billing_assets.runs.recomputing import OfBatch
from billing_assets.runs.variances import changed_periods, incomparable_contracts
from billing_assets.storage.beside import METERED, beside
from billing_assets.storage.lake import Lake

BALANCES, MEASURES = "balances", "measures"
OF_BALANCES = (
    *("access_segments", "recurring_balances", "balance_contracts", "commit_charges", "trueup_terms"),
    *("thresholds", "threshold_exclusions"),
)
"""Frames of the catalog that say what commits and credits there are."""
EDITED = ("invoice_id", "contract_id", "product_id", "name", "amount_unit")
SUMS = ("invoiced", "would_be", "difference")


@dataclass(frozen=True, slots=True)
class FinalEdits:
    """edited: grain EDITED, with SUMS of its lines before balances. unpriced: grain (invoice_id, contract_id, what) of
    edits without such a sum. what: BALANCES, where commits or credits are others; MEASURES, where a metric counts what
    was not measured then and is not metered, or the currency is another."""

    edited: pl.DataFrame
    unpriced: pl.DataFrame


@naming_overflows
def edits_of_final(lake: Lake, catalog: Catalog, now: datetime) -> FinalEdits:
    """Final invoices of periods within the window of late usage, each by its own catalog, or the one it was carried
    to, and by this one, with the events of now. Writes nothing: what it measures anew is metered beside the lake; of a
    lake in an object store, it has no sum. What the edit does not touch is not computed again."""
    marks, frames = watermarks(lake, catalog, now), resolve(catalog)
    periods = started_periods(lake, frames.contracts, catalog.settings.starting_at, now, marks.ledger_through)
    new = newly_measured(lake, catalog, periods, now)
    if new.is_empty() or not lake.is_local:
        return _edits(lake, catalog, frames, periods, marks)
    with beside(lake, METERED, filled=True) as other:
        first, last = new.select(pl.col("period_start").min().dt.date(), pl.col("period_end").max().dt.date()).row(0)
        meter(other, catalog, first, last)
        return _edits(other, catalog, frames, periods, marks)


def _edits(lake: Lake, catalog: Catalog, frames: CatalogFrames, periods: pl.DataFrame, marks: Watermarks) -> FinalEdits:
    closed = periods.filter(~pl.col("is_open"), pl.col("final_invoice_id").is_not_null())
    wanted = changed_periods(lake, catalog, frames, periods, marks)
    wanted = wanted.join(closed, on=PERIOD, how="semi").filter(pl.col("final_catalog_version") != catalog.version)
    numbers = wanted["final_batch_no"].unique().sort()
    parts = [_of_batch(lake, one, wanted.filter(final_batch_no=one), closed, catalog, marks) for one in numbers]
    edited = pl.concat([_charges(lake, catalog, marks), *parts])
    oldest = marks.computed_as_of - catalog.settings.late_usage_window
    return FinalEdits(
        edited.sort(EDITED, nulls_last=True),
        _unpriced(lake, catalog, closed.filter(pl.col("period_end") >= oldest)),
    )


def _of_batch(
    lake: Lake, number: int, wanted: pl.DataFrame, closed: pl.DataFrame, catalog: Catalog, marks: Watermarks
) -> pl.DataFrame:
    again = OfBatch.of(lake, number, wanted, closed, marks.ledger_through)
    events, found = marks.events_through, []
    after = again.by(catalog, events)
    for (version,), rows in wanted.group_by("carried_by", maintain_order=True):
        # What an action has billed is the invoice's, too.
        carried = None if version is None else needed(lake, str(version))
        before = again.by(carried, events) if carried else again.with_events(events, resolve(catalog).customer_aliases)
        lines = differences(before, after).filter(pl.col("line_type") != "scheduled")
        found.append(lines.join(rows.lazy().select(PERIOD), on=PERIOD, how="semi"))
    totals = {
        name: pl.col(line).sum().cast(DECIMAL) for line, name in zip(("before", "after", "amount"), SUMS, strict=True)
    }
    sums = pl.concat(found).group_by(EDITED).agg(**totals)
    return lake.collect(sums.filter(pl.col("difference") != zero()))


def _charges(lake: Lake, catalog: Catalog, marks: Watermarks) -> pl.DataFrame:
    """Scheduled charges that are final and have another amount in the catalog, or are not in it."""
    frames, through = resolve(catalog), marks.ledger_through
    spans = frames.contracts.select(
        "contract_id",
        since=pl.lit(catalog.settings.starting_at, dtype=TIMESTAMP),
        horizon=pl.lit(marks.computed_as_of, dtype=TIMESTAMP),
    )
    now = scheduled_lines(frames, spans).group_by(CHARGE_KEY).agg(would_be=pl.col("amount").sum())
    final = charge_lines(lake, ("scheduled",), through).group_by("invoice_id", *CHARGE_KEY)
    sums = final.agg(pl.col("product_id", "name", "amount_unit").first(), invoiced=pl.col("amount").sum())
    both = sums.join(now, on=CHARGE_KEY, how="left", nulls_equal=True).with_columns(or_zero("would_be"))
    edited = both.with_columns(difference=pl.col("would_be") - pl.col("invoiced")).filter(
        pl.col("difference") != zero()
    )
    return lake.collect(edited.select(*EDITED, *(pl.col(name).cast(DECIMAL) for name in SUMS)))


def _unpriced(lake: Lake, catalog: Catalog, closed: pl.DataFrame) -> pl.DataFrame:
    found = [pl.LazyFrame(schema=dict.fromkeys(("invoice_id", "contract_id", "what"), pl.String()))]
    for (version,), rows in closed.group_by("final_catalog_version", maintain_order=True):
        if version == catalog.version:
            continue
        recorded = needed(lake, str(version))
        balances = touched_periods(rows.lazy(), changed_contracts(recorded, catalog, names=OF_BALANCES))
        measures = rows.lazy().join(incomparable_contracts(lake, recorded, catalog, rows), on="contract_id", how="semi")
        named = {BALANCES: rows.lazy().join(balances, on=PERIOD, how="semi"), MEASURES: measures}
        found += [
            part.select("contract_id", invoice_id="final_invoice_id", what=pl.lit(what)).select(
                "invoice_id", "contract_id", "what"
            )
            for what, part in named.items()
        ]
    return lake.collect(pl.concat(found).unique().sort("invoice_id", "contract_id", "what"))
