"""What lines of usage were made from, read as their invoice had it: its catalog, its events, its references.

Files of events are sorted by (customer_ref, timestamp), a folder a day: predicates on both skip nearly all of a lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from billing_assets import metering
from billing_assets.catalog import Catalog, CatalogFrames, resolve
from billing_assets.catalog.sql.plans import Metered, SqlQuery
from billing_assets.catalog.versions import usage_versions
from billing_assets.errors import InvariantBreach
from billing_assets.invoicing.finalize import Watermarks
from billing_assets.metering.events import needed_properties
from billing_assets.metering.measures import event_metrics
from billing_assets.pipeline.traced_events import SOURCE
from billing_assets.pipeline.tracing import Asked, Traced, trace
from billing_assets.runs.catalogs import recorded_catalog
from billing_assets.runs.inputs import holding, without
from billing_assets.runs.invoiced import invoiced_references
from billing_assets.runs.meter import promoted_names
from billing_assets.runs.periods import started_periods
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake

READ = ("event_date", *SOURCE)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The catalog that an invoice names, as it was written and as the engine joins it."""

    catalog: Catalog
    frames: CatalogFrames

    @classmethod
    def of(cls, lake: Lake, version: str) -> Recorded:
        catalog = recorded_catalog(lake, version)
        if catalog is None:
            raise InvariantBreach(f"the table catalog_versions lacks {version}, which an invoice names")
        return cls(catalog, resolve(catalog))


def traced(
    lake: Lake,
    recorded: Recorded,
    spans: pl.DataFrame,
    marks: Watermarks,
    unseen: pl.LazyFrame | None = None,
    metrics: Sequence[Metered] | None = None,
) -> Mapping[str, pl.DataFrame]:
    """`pipeline.tracing.trace` of spans (SPAN), as of the watermarks: every frame of `Traced` by its name.

    unseen: as of `inputs.inputs`. metrics: those to count by; None: those of the products of the spans.
    """
    catalog, frames = recorded.catalog, recorded.frames
    counted = metrics_of(catalog, spans["product_id"].unique()) if metrics is None else metrics
    contracts = spans["contract_id"].unique()
    customers = owners(lake, frames, contracts)
    references = lake.collect(frames.customer_aliases.filter(pl.col("customer_id").is_in(customers.to_list())))
    periods, invoiced = periods_of(lake, recorded, spans, customers, references["customer_ref"], marks)
    first = periods.filter("is_billed").select(pl.col("period_start").min()).item()
    last = periods.filter("is_billed").select(pl.col("period_end").max()).item() - timedelta(microseconds=1)
    # A list, and no series: by a literal list Polars skips the row groups whose statistics exclude it.
    among = pl.col("customer_ref").is_in(references["customer_ref"].to_list())
    read = {"ingest_batch": marks.events_through}
    events = lake.scan("events", pl.col("event_date").is_between(first.date(), last.date()), among, through=read)
    events = events if unseen is None else without(events, unseen)
    promoted = promoted_names(lake, batches_of(lake, first, last, marks.events_through))
    measures = [metering.measure_of(metric, catalog.billable_metrics) for metric in counted]
    kept = [one.measure_id for one in measures if metering.keeps_level(one)]
    before = (pl.col("usage_date") < first.date()) & among & pl.col("measure_id").is_in(kept)
    past = lake.scan("usage_states", before, through=read) if kept else TABLES["usage_states"].empty()
    past = past if unseen is None else without(past, unseen)
    asked = Asked(
        catalog=catalog,
        frames=frames,
        metrics=counted,
        periods=periods.lazy(),
        invoiced=invoiced,
        past=metering.history(past),
        events=lake.collect(events.select(columns(counted, measures, promoted))).lazy(),
        promoted=promoted,
        spans=spans.lazy(),
        now=marks.computed_as_of,
    )
    return computed(lake, trace(asked, holding(lake)))


def batches_of(lake: Lake, first: datetime, last: datetime, through: int) -> tuple[int, ...]:
    """The ingest batches that have events of these days, at the most: told by their files, without reading events."""
    day = timedelta(days=1)
    files = lake.scan("ingested_files", through={"ingest_batch": through}).filter(
        pl.col("last_timestamp") >= first - day, pl.col("first_timestamp") <= last + day
    )
    return tuple(lake.collect(files.select(pl.col("ingest_batch").unique().sort()))["ingest_batch"])


def computed(lake: Lake, found: Traced) -> Mapping[str, pl.DataFrame]:
    return lake.collect_all({name: getattr(found, name) for name in Traced.__slots__})


def metrics_of(catalog: Catalog, products: Iterable[str]) -> tuple[Metered, ...]:
    """The metrics that the products count, at any time."""
    wanted = set(products)
    named = {
        version.billable_metric_id
        for product in catalog.products
        if product.id in wanted
        for version in usage_versions(product)
    }
    return tuple(one for one in event_metrics(catalog.billable_metrics) if one.id in named)


def columns(
    metrics: Iterable[Metered], measures: Iterable[metering.Measure], promoted: frozenset[str]
) -> tuple[str, ...]:
    """The columns of events that are needed: their JSON text only where a property has no column of its own."""
    texts, numbers = needed_properties(measures)
    named = [f"property_{name}" for name in texts] + [f"number_{name}" for name in numbers]
    whole = any(isinstance(metric, SqlQuery) for metric in metrics) or not promoted.issuperset(named)
    return (*READ, *(name for name in named if name in promoted), *(("properties",) if whole else ()))


def owners(lake: Lake, frames: CatalogFrames, contracts: pl.Series) -> pl.Series:
    found = frames.contracts.filter(pl.col("contract_id").is_in(contracts.to_list())).select("customer_id").unique()
    return lake.collect(found)["customer_id"]


def periods_of(
    lake: Lake,
    recorded: Recorded,
    spans: pl.DataFrame,
    customers: pl.Series,
    references: pl.Series,
    marks: Watermarks,
) -> tuple[pl.DataFrame, pl.LazyFrame | None]:
    """`started_periods` of the customers, is_billed where they are those of the spans; and `invoiced_references`.

    Of other customers only those that had one of the references under another catalog.
    """
    frames, through = recorded.frames, marks.ledger_through
    held = lake.scan("customer_aliases", pl.col("customer_ref").is_in(references.to_list()))
    holders = pl.concat([customers, lake.collect(held.select("customer_id").unique())["customer_id"]]).unique()
    started = started_of(lake, recorded, holders, marks.computed_as_of, through)
    asked = spans.select("contract_id", "period_start").unique().with_columns(is_billed=pl.lit(value=True))
    found = started.join(asked, on=["contract_id", "period_start"], how="left")
    periods = found.with_columns(pl.col("is_billed").fill_null(value=False) & pl.col("is_open"))
    if not (
        lacking := asked.join(periods.filter("is_billed"), on=["contract_id", "period_start"], how="anti")
    ).is_empty():
        raise InvariantBreach(f"no open period of {lacking['contract_id'][0]} as of books batch {through}")
    return periods, invoiced_references(lake, frames, periods.lazy(), through)


def started_of(lake: Lake, recorded: Recorded, customers: pl.Series, now: datetime, through: int) -> pl.DataFrame:
    """`started_periods` of the contracts of these customers."""
    contracts, theirs = recorded.frames.contracts, pl.col("customer_id").is_in(customers.to_list())
    # The periods of a child follow the contract that pays for it.
    payers = lake.collect(contracts.filter(theirs).select("payer_contract_id").unique())["payer_contract_id"]
    asked = theirs | pl.col("contract_id").is_in(payers.to_list())
    since = recorded.catalog.settings.starting_at
    return started_periods(lake, contracts.filter(asked), since, now, through, of=asked).filter(theirs)
