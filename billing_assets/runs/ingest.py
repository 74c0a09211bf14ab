"""Ingest the event files that are new, in one batch: each file once, each row accepted, a duplicate, or rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from billing_assets.catalog import Catalog
from billing_assets.errors import Problem
from billing_assets.ingestion.batch import Promotions
from billing_assets.ingestion.dedupe import HISTORY
from billing_assets.ingestion.windows import Windows
from billing_assets.metering import promotions
from billing_assets.runs import batches
from billing_assets.runs.reports import IngestReport
from billing_assets.storage.lake import Lake
from billing_assets.storage.sources import EventSource, Listing, SourceFile
from billing_assets.storage.staging import BatchFile, scratch, settle, stage

SEQUENCE = "ingest"


def ingest(lake: Lake, source: EventSource, catalog: Catalog, now: datetime, by: str) -> IngestReport:
    """One batch of the files that were not ingested yet; nothing is written if there are none.

    A file whose content changed after it was ingested is reported, not read again: which of its rows are new cannot be
    told from which were altered. A batch that was killed earlier is finished first, from its own intent.
    """
    problems: list[Problem] = []

    def propose(_batch_no: int) -> dict[str, Any] | None:
        files, found = unseen(lake, source)
        problems[:] = found
        return intent_of(files, catalog, now) if files else None

    def finish(batch: batches.Batch) -> None:
        write(batch, source)

    batch = batches.run(lake, SEQUENCE, propose, finish, clock=lambda: now, by=by)
    return report(lake, None if batch is None else batch.batch_no, problems)


def intent_of(files: list[BatchFile], catalog: Catalog, now: datetime) -> dict[str, Any]:
    """All that the batch's rows depend on: files by content and arrival, windows, promoted columns."""
    texts, numbers = promotions(catalog.billable_metrics)
    settings = catalog.settings
    return {
        "kind": "ingest",
        "now": now,
        "files": [asdict(file) for file in files],
        "catalog_version": catalog.version,
        "starting_at": settings.starting_at,
        "backdating_seconds": _seconds(settings.backdating_window),
        "dedupe_seconds": _seconds(settings.dedupe_window),
        "promoted": sorted([f"property_{name}" for name in texts] + [f"number_{name}" for name in numbers]),
    }


def unseen(lake: Lake, source: EventSource) -> tuple[list[BatchFile], list[Problem]]:
    """Files to ingest with their contents, in order of name, and what is wrong with others."""
    files, problems = waiting(lake, source)
    return [
        BatchFile(file.name, source.content_hash(file.name), file.size_bytes, file.modified, file.etag)
        for file in files
    ], problems


def waiting(lake: Lake, source: EventSource) -> tuple[list[SourceFile], list[Problem]]:
    """The files that the next ingestion will read, in order of name, and what is wrong with others.

    A file is read for it only where one of its name was ingested before.
    """
    listing, known = source.listing(), known_files(lake)
    problems, files = unusable(listing), []
    for file in listing.files:
        before = known.get(file.name, [])
        seen = _as_it_is(file, before, source)
        if seen is not None:
            problems += [_refused(seen)] if seen["detail"] is not None else []
        elif any(row["detail"] is None for row in before):
            problems.append(_changed(file.name, before))
        else:
            files.append(file)
    return files, problems


def unusable(listing: Listing) -> list[Problem]:
    """What is among the event files and is none."""
    expected = "not an event file by its name; expected .jsonl, .ndjson, .csv (.gz, .zst) or .parquet"
    return [Problem(name, 0, "file", expected) for name in listing.unrecognised] + [
        Problem(name, 0, "file", "a link that leads to nothing; send the file itself, or remove the link")
        for name in listing.broken
    ]


def new_files(lake: Lake, source: EventSource) -> tuple[SourceFile, ...]:
    """Files never seen as they are now, by name, size and modification: a cheap look, without reading them."""
    known = known_files(lake)
    return tuple(
        file for file in source.list_files() if not any(_is_as_seen(file, row) for row in known.get(file.name, []))
    )


def known_files(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """What was ingested under each name, oldest first."""
    rows = lake.collect(lake.scan("ingested_files").sort("ingest_batch")).to_dicts()
    known: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        known.setdefault(row["source_file"], []).append(row)
    return known


def _is_as_seen(file: SourceFile, row: Mapping[str, Any]) -> bool:
    same = file.size_bytes == row["size_bytes"] and file.modified == row["arrived_at"]
    return bool(same and file.etag == row["etag"])


def _as_it_is(file: SourceFile, before: list[dict[str, Any]], source: EventSource) -> dict[str, Any] | None:
    """What was ingested under its name with its content, if anything."""
    if not before:
        return None
    content = None if any(_is_as_seen(file, row) for row in before) else source.content_hash(file.name)
    same = (row for row in before if (_is_as_seen(file, row) if content is None else row["content_hash"] == content))
    return next(same, None)


def _refused(row: Mapping[str, Any]) -> Problem:
    return Problem(row["source_file"], 0, "file", f"refused as a whole, send it again: {row['detail']}")


def _changed(name: str, before: list[dict[str, Any]]) -> Problem:
    last = max(row["ingest_batch"] for row in before)
    return Problem(
        name, 0, "file",
        f"changed after batch {last} ingested it; it is not read again. Put new rows into a file of a new name",
    )  # fmt: skip


def write(batch: batches.Batch, source: EventSource) -> None:
    """Read the batch's files, dedupe them against all earlier batches, and write its tables in order."""
    intent = batch.intent
    windows = Windows(
        datetime.fromisoformat(intent["starting_at"]),
        _duration(intent["backdating_seconds"]),
        _duration(intent["dedupe_seconds"]),
    )
    files = [
        BatchFile(**{**file, "arrived_at": datetime.fromisoformat(file["arrived_at"])}) for file in intent["files"]
    ]
    columns = intent["promoted"]
    promoted = Promotions(_named(columns, "property_"), _named(columns, "number_"))
    history = batch.lake.scan("events", through={"ingest_batch": batch.batch_no - 1}).select(HISTORY.names())
    with scratch() as directory, batch.lake.reading():
        staged = stage(source, files, windows, directory)
        outputs = settle(staged, history, windows, batch.batch_no, promoted)
        for table in batch.tables:
            batch.write(table, getattr(outputs, table))
        batch.commit({"files": len(files)})


def report(lake: Lake, batch_no: int | None, problems: list[Problem]) -> IngestReport:
    """Counts per file, touched days and reasons of a committed batch."""
    own = pl.col("ingest_batch") == (batch_no or 0)
    found = lake.collect_all(
        {
            "files": lake.scan("ingested_files", own).sort("source_file"),
            "days": lake.scan("events", own).select(pl.col("event_date").unique().sort()),
            "reasons": lake.scan("rejected_events", own).group_by("reason").agg(rows=pl.len()).sort("reason"),
        }
    )
    damaged = found["files"].filter(pl.col("detail").is_not_null())
    problems = problems + [_refused(row) for row in damaged.iter_rows(named=True)]
    return IngestReport(batch_no, found["files"], tuple(found["days"]["event_date"]), tuple(problems), found["reasons"])


def _named(columns: list[str], prefix: str) -> frozenset[str]:
    return frozenset(name.removeprefix(prefix) for name in columns if name.startswith(prefix))


def _seconds(window: timedelta | None) -> int | None:
    return None if window is None else round(window.total_seconds())


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
