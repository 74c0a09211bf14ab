"""`billing ingest`: new event files into the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, number
from billing_assets.cli.output import Column, heading, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    from billing_assets.runs.reports import IngestReport

EXAMPLES = """
billing ingest
billing ingest --events s3://bucket/usage --format json
"""

FILES = (
    Column("file", lambda row: row["source_file"]),
    Column("rows", lambda row: number(row["rows"]), numeric=True),
    Column("accepted", lambda row: number(row["accepted"]), numeric=True),
    Column("duplicates", lambda row: number(row["duplicates"]), numeric=True),
    Column("rejected", lambda row: number(row["rejected"]), numeric=True),
    Column("remark", lambda row: row.get("detail") or "", rank=1),
)
REASONS = (
    Column("rejected because", lambda row: row["reason"]),
    Column("rows", lambda row: number(row["rows"]), numeric=True),
)


@command("ingest", examples=EXAMPLES)
def ingest(settings: Settings) -> int:
    """Read new event files into the lake, in one batch, and count what became of each row.

    A file is read once; one that changed under the same name is reported, not read again. Every row is accepted, a
    duplicate of an accepted event, or rejected with its reason (table rejected_events has the raw text). Exits 1 if
    a file cannot be read or has changed. `billing close` ingests by itself.
    """
    from billing_assets import runs
    from billing_assets.cli.progress import working

    lake, catalog = settings.lake(), settings.catalog()
    with working("Ingesting"):
        runs.record_catalog(lake, catalog, settings.now)
        report = runs.ingest(lake, settings.source(), catalog, settings.now, settings.by)
    if settings.json:
        print_json(ingest_content(report))
    else:
        print_files(report, settings.places.events)
        say()
        say("next: billing close")
    return 1 if report.problems else 0


def ingest_content(report: IngestReport) -> dict[str, Any]:
    return {
        "batch_no": report.batch_no,
        "files": [record(row) for row in records(report.files)],
        "rejected_by_reason": records(report.rejects_by_reason),
        "days": [day.isoformat() for day in report.days],
        "problems": [str(problem) for problem in report.problems],
    }


def print_files(report: IngestReport, events: str) -> None:
    """Counts per file, rejects by reason, and what is wrong with whole files."""
    if report.batch_no is None:
        say(f"no new event files in {events}")
    else:
        rows = records(report.files)
        print_table(rows, FILES)
        sums = {name: sum(row[name] for row in rows) for name in ("rows", "accepted", "duplicates", "rejected")}
        say()
        say(
            f"ingest batch {report.batch_no}: {counted(len(rows), 'file')}, {counted(sums['rows'], 'row')} = "
            f"{sums['accepted']:,} accepted + {sums['duplicates']:,} duplicates + {sums['rejected']:,} rejected"
        )
    if report.rejects_by_reason.height:
        say()
        print_table(records(report.rejects_by_reason), REASONS)
    if report.problems:
        heading(f"{counted(len(report.problems), 'problem')} with event files")
        for problem in report.problems:
            say(f"  {problem}")
