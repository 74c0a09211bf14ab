"""Tables that ingestion writes: every input row is in exactly one of events, duplicate_events, rejected_events."""

from __future__ import annotations

from typing import Optional

import polars as pl

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, promoted, required


class Events(Table):
    """Accepted usage events. Grain: one row per transaction_id of the dedupe window."""

    event_date: pl.Date = required("UTC date of the timestamp")
    transaction_id: str = required("The sender's id of the event; unique among accepted events of the dedupe window")
    customer_ref: str = required("Customer id or ingest alias, as sent; aliases are resolved when usage is aggregated")
    event_type: str = required("Kind of event, as sent")
    timestamp: Timestamp = required("When the usage happened")
    properties: str = required("Canonical JSON object: values as text, keys sorted, nulls left out")
    ingest_batch: int = required("Number of the ingest batch that accepted the event")
    source_file: str = required("File that the event came from, relative to the events directory")
    source_line: int = required("Line (or row) in the source file, from 1")
    arrived_at: Timestamp = required("Arrival of the source file")
    property_text: Optional[str] = promoted("property_", "Canonical text of the property; null where absent")  # noqa: UP045 - Pandera reads no `X | None`
    property_number: Optional[Decimal12] = promoted("number_", "The property as a number; null where it is none")  # noqa: UP045


class RejectedEvents(Table):
    """Input rows that are no valid event, with the reason and the raw text. Grain: one row per input row."""

    arrival_date: pl.Date = required("UTC date of arrived_at")
    reason: str = required("Why the row was refused, as a code: future_timestamp, too_old, inexact_number, ...")
    detail: str = optional("What was found and what was expected")
    raw: str = optional("The row as it was read, cut at 64 KiB")
    source_file: str = required("File of the row, relative to the events directory")
    source_line: int = required("Line (or row) in the source file, from 1")
    transaction_id: str = optional("The row's transaction_id where one could be read")
    arrived_at: Timestamp = required("Arrival of the source file")
    ingest_batch: int = required("Number of the ingest batch that read the row")


class DuplicateEvents(RejectedEvents):
    """Valid events whose transaction_id had already been accepted. Grain: one row per input row."""

    reason: str = optional("Where the accepted event is: in the same batch or an earlier one")
    transaction_id: str = required("The transaction_id that was accepted before")
    first_ingest_batch: int = required("Batch of the accepted event")
    conflicting: bool = required("True where payload or timestamp differ from those of the accepted event")


class IngestedFiles(Table):
    """Files that were read, once each; rows = accepted + duplicates + rejected. Grain: one row per file and batch."""

    source_file: str = required("Path relative to the events directory")
    content_hash: str = required("Hash of the file's bytes as ingested")
    size_bytes: int = required("Size of the file in bytes")
    arrived_at: Timestamp = required("Arrival of the file, which decides the windows of its events")
    rows: int = required("Input rows")
    accepted: int = required("Rows that became events")
    duplicates: int = required("Rows in duplicate_events")
    rejected: int = required("Rows in rejected_events")
    first_timestamp: Timestamp = optional("Earliest timestamp of the accepted events; null without any")
    last_timestamp: Timestamp = optional("Latest timestamp of the accepted events; null without any")
    ingest_batch: int = required("Number of the ingest batch that read the file")
    etag: str = optional("Object store's tag of the content, where it has one")
    detail: str = optional("What is wrong with the file as a whole: truncated, changed under the same name, ...")
