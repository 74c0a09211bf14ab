"""`billing status`: where things stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, moment, number
from billing_assets.cli.output import Column, heading, paragraph, print_json, print_table, records, say
from billing_assets.cli.settings import Settings
from billing_assets.errors import BillingError, CatalogError

if TYPE_CHECKING:
    from billing_assets.storage.lake import Lake

EXAMPLES = """
billing status
billing status --format json | jq .next_due
"""

BATCHES = (
    Column("sequence", lambda row: row["sequence"]),
    Column("batch", lambda row: str(row["batch_no"]), numeric=True),
    Column("state", lambda row: row["state"]),
    Column("at", lambda row: moment(row["at"])),
    Column("what", lambda row: row["what"]),
    Column("by", lambda row: row["by"] or "", rank=1),
)
MONTHS = (
    Column("month", lambda row: row["close_month"]),
    Column("finalized", lambda row: number(row["finalized"]), numeric=True),
    Column("drafts", lambda row: number(row["drafts"]), numeric=True),
    Column("held", lambda row: number(row["held"]), numeric=True),
    Column("state", lambda row: f"sealed {moment(row['sealed_at'])}" if row["sealed_at"] else "open"),
    Column("next due", lambda row: moment(row["next_due"])),
)


@command("status", examples=EXAMPLES)
def status(settings: Settings) -> int:
    """Show where things stand: the last batches, event files, months open and sealed, holds, what is due next.

    Also whether the catalog's files are what the last run used, which event files wait to be ingested, and which
    were refused as a whole. Nothing is computed or written.
    """
    lake = settings.lake()
    content: dict[str, Any] = {
        "lake": settings.places.lake,
        "events": settings.places.events,
        "catalog": _catalog(lake, settings),
        "batches": _batches(lake),
        "files": _files(lake, settings),
        "months": _months(lake),
    }
    due = [row["next_due"] for row in content["months"] if row["next_due"]]
    content["next_due"] = min(due) if due else None
    content["held"] = sum(row["held"] for row in content["months"])
    if settings.json:
        print_json(content)
    else:
        _print(content, settings)
    return 0


def _catalog(lake: Lake, settings: Settings) -> dict[str, Any]:
    import polars as pl

    applied = records(lake.collect(lake.scan("catalog_versions").sort("applied_at", "catalog_version").tail(1)))
    current = records(lake.collect(lake.scan("customers", pl.col("is_current")).select("catalog_version").head(1)))
    used = (current or applied or [{"catalog_version": None}])[0]["catalog_version"]
    try:
        version, problems = settings.catalog().version, 0
    except CatalogError as error:
        version, problems = None, len(error.problems)
    return {
        "directory": str(settings.places.catalog),
        "version": version,
        "problems": problems,
        "last_used": used,
        "is_current": version is not None and version == used,
    }


def _batches(lake: Lake) -> list[dict[str, Any]]:
    """The last batch of each sequence; COMMITTED, or still the INTENT of a run that was stopped."""
    import polars as pl

    # Within a sequence the last row is that of the highest batch: its COMMITTED row, else its last INTENT.
    ordered = lake.scan("batches").sort("sequence", "batch_no", pl.col("state") == "COMMITTED", "attempt")
    last = ordered.group_by("sequence", maintain_order=True).agg(
        pl.col("batch_no", "state", "at", "by", "engine_version").last(), pl.col("intent").drop_nulls().last()
    )
    return [{**row, "what": _what(row.pop("intent"))} for row in records(lake.collect(last))]


def _what(intent: str | None) -> str:
    content = json.loads(intent or "{}")
    return " ".join(str(content[name]) for name in ("kind", "month") if content.get(name))


def _files(lake: Lake, settings: Settings) -> dict[str, Any]:
    import polars as pl

    sums = pl.col("rows", "accepted", "duplicates", "rejected").sum()
    files = lake.scan("ingested_files").select(sums, files=pl.len(), last_arrival=pl.col("arrived_at").max())
    content = records(lake.collect(files))[0]
    return {**content, **_waiting(lake, settings)}


def _waiting(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Event files that the next ingest will read, and the problems of others, or why they cannot be listed."""
    from billing_assets import runs

    try:
        files, problems = runs.waiting(lake, settings.source())
    except BillingError as error:
        return {"waiting": [], "problems": [str(error)]}
    return {"waiting": [file.name for file in files], "problems": [str(problem) for problem in problems]}


def _months(lake: Lake) -> list[dict[str, Any]]:
    """Per month: invoices, drafts, holds, the seal, and when its next draft is due."""
    import polars as pl

    from billing_assets.cli.queries import all_invoices

    held = pl.col("hold_reasons") != "[]"
    is_draft = pl.col("status") == "DRAFT"
    counted_by_month = (
        all_invoices(lake)
        .group_by("close_month")
        .agg(
            finalized=(pl.col("status") == "FINALIZED").sum().cast(pl.Int64),
            drafts=is_draft.sum().cast(pl.Int64),
            held=held.sum().cast(pl.Int64),
            next_due=pl.col("issued_at").filter(is_draft & ~held).min(),
        )
    )
    seals = lake.scan("month_closes").select("close_month", "sealed_at")
    joined = counted_by_month.join(seals, on="close_month", how="full", coalesce=True)
    filled = joined.with_columns(pl.col("finalized", "drafts", "held").fill_null(0))
    return records(lake.collect(filled.sort("close_month")))


def _print(content: dict[str, Any], settings: Settings) -> None:
    catalog, files = content["catalog"], content["files"]
    say(f"Lake      {content['lake']}")
    say(f"Events    {content['events']}")
    say(f"Catalog   {catalog['directory']}: {_catalog_state(catalog)}")
    heading("Event files")
    paragraph(
        f"{counted(files['files'], 'file')} ingested, {counted(files['rows'], 'row')} = {files['accepted']:,} "
        f"accepted + {files['duplicates']:,} duplicates + {files['rejected']:,} rejected; last arrival "
        f"{moment(files['last_arrival']) or 'none'}",
        indent=2,
    )
    if files["waiting"]:
        more = " ..." if len(files["waiting"]) > 5 else ""
        names = ", ".join(files["waiting"][:5])
        paragraph(f"{counted(len(files['waiting']), 'new file')} to ingest: {names}{more}", indent=2)
    for problem in files["problems"][:5]:
        paragraph(f"PROBLEM {problem}", indent=2)
    if len(files["problems"]) > 5:
        paragraph(f"... and {counted(len(files['problems']) - 5, 'more problem')}; --format json lists all", indent=2)
    heading("Last batches")
    if content["batches"]:
        print_table(content["batches"], BATCHES, indent=2)
    else:
        say("  none yet: `billing close` begins")
    for batch in content["batches"]:
        if batch["state"] == "INTENT":
            text = f"batch {batch['batch_no']} of {batch['sequence']} is unfinished; the next run finishes it first"
            paragraph(text, indent=2)
    heading("Months")
    if content["months"]:
        print_table(content["months"], MONTHS, indent=2)
    else:
        say("  none yet")
    _print_next(content, settings)


def _catalog_state(catalog: dict[str, Any]) -> str:
    if catalog["problems"]:
        return f"{counted(catalog['problems'], 'problem')}; `billing validate` lists them"
    version = str(catalog["version"])[:12]
    if catalog["is_current"]:
        return f"version {version}, as the last run used it"
    used = f"the last run used {catalog['last_used'][:12]}" if catalog["last_used"] else "not used by any run yet"
    return f"version {version}, {used}"


def _print_next(content: dict[str, Any], settings: Settings) -> None:
    say()
    if content["held"]:
        say(f"{counted(content['held'], 'invoice')} held: `billing invoices --status held` lists them")
    due = content["next_due"]
    if due and due <= settings.now:
        say(f"due since {moment(due)}: `billing close` finalizes it")
    elif due:
        say(f"next due: {moment(due)}")
