"""Late lines that an action carries: what their invoice would be by the catalog of the action (`billing carry`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from billing_assets.invoicing.finalize import Watermarks
from billing_assets.runs.decisions import carries
from billing_assets.runs.late_usage import late_usage
from billing_assets.runs.periods import started_periods
from billing_assets.runs.tracing import Recorded
from billing_assets.storage.lake import Lake


@dataclass(frozen=True, slots=True)
class Carried:
    """lines: of an invoice, with what the line that they correct came to (`finalized`), what it comes to by the catalog
    of the action (`recomputed`), and what other invoices had `carried` of it before; `stated`, what the invoice bills
    of it, before balances; corrects_number; and of the action: reason, by, at. then, to: by line_item_id, the catalogs
    of the corrected invoice and of the action."""

    lines: pl.DataFrame
    then: Mapping[str, Recorded]
    to: Mapping[str, Recorded]


def carried_of(lake: Lake, late: pl.DataFrame, recorded: Recorded, marks: Watermarks) -> Carried:
    """Those of the `late` lines of an invoice, as of its watermarks, whose corrected invoice an action carries."""
    decided = carries(lake, marks.actions_through).rename({"invoice_id": "corrects_invoice_id"})
    actions = lake.scan("actions").select("reason", "by", "at", carried_since="action_no")
    invoices = lake.scan("invoices").select(
        corrects_invoice_id="invoice_id", corrects_number="invoice_number", invoiced_by="catalog_version"
    )
    asked = late.lazy().join(decided.join(actions, on="carried_since"), on="corrects_invoice_id")
    own = lake.collect(asked.join(invoices, on="corrects_invoice_id", how="left"))
    if own.is_empty():
        return Carried(own, {}, {})
    catalog, frames = recorded.catalog, recorded.frames
    since, now = catalog.settings.starting_at, marks.computed_as_of
    theirs = pl.col("customer_id").is_in(own["origin_customer_id"].unique().to_list())
    periods = started_periods(lake, frames.contracts, since, now, marks.ledger_through)
    found = late_usage(lake, catalog, frames, periods.filter(theirs), marks)
    assert found is not None  # an action carries them
    figures = found.lines.select("corrects_line_item_id", "carried", finalized="before", recomputed="after")
    stated = pl.col("list_amount").sum().over("corrects_line_item_id").alias("stated")
    lines = lake.collect(own.lazy().with_columns(stated).join(figures, on="corrects_line_item_id", how="left"))
    then, to = (dict(lines.select("line_item_id", version).rows()) for version in ("invoiced_by", "carried_by"))
    catalogs = {version: Recorded.of(lake, version) for version in {*then.values(), *to.values()}}
    return Carried(lines, *({name: catalogs[version] for name, version in versions.items()} for versions in (then, to)))
