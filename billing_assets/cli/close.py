"""`billing close`: from event files to finalized invoices."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.dagster_home import use_dagster_home
from billing_assets.cli.output import print_json, tell
from billing_assets.cli.settings import Settings, month
from billing_assets.errors import UsageError

EXAMPLES = """
billing close                                  whatever is due, in any month
billing close --month 2026-10                  one month, and its seal when nothing of it is open
billing close --month 2026-10 --dry-run        what it would do; nothing is written
billing close --month 2026-10 --format json    for a scheduler: the report on stdout, progress on stderr
"""


@command("close", examples=EXAMPLES)
def close(
    settings: Settings,
    month_: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="Finalize what is due of this month only.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Do it all on a stand-in of the lake, print what comes out, write nothing."),
    ] = False,
    no_ingest: Annotated[
        bool, typer.Option("--no-ingest", help="Leave new event files alone; bill what has been ingested.")
    ] = False,
    allow_future: Annotated[
        bool, typer.Option("--allow-future", help="Allow a --now later than the clock, which finalizes ahead of time.")
    ] = False,
) -> int:
    """Ingest new event files, meter and rate them, finalize what is due, refresh the drafts, seal the month.

    An invoice is due when its billing period and the grace period are over. What is finalized never changes; a
    second close writes nothing. An invoice that must not be finalized is held, alone, with its reason and the next
    step; the others go out, and the command exits 1. The month is sealed when nothing of it is open.

    A period belongs to the month of its end: the month M of --month has the periods that end after the start of M
    and up to the start of the next month. A week across a month's end thus belongs to the month in which it ends;
    `close --month 2026-01` leaves the week [Jan 26, Feb 2) to February.

    The work is done by the Dagster assets, in this process, on the instance that `billing ui` shows.
    """
    from billing_assets.cli import close_report
    from billing_assets.cli.dry_run import stand_in
    from billing_assets.cli.progress import working

    chosen = month(month_)
    settings.refuse_future(allow_future)
    _refuse_unreachable(settings, chosen)
    _tell_of_later_close(settings)
    if not no_ingest:
        settings.source()  # a place that cannot be opened is told before any work
    with stand_in(settings) if dry_run else nullcontext(settings) as place:
        if not dry_run:
            use_dagster_home(settings.places)
        with working(f"Closing {chosen or 'what is due'}"), warnings.catch_warnings():
            # Dagster marks documented interfaces as beta; that is no news to who closes a month.
            warnings.filterwarnings("ignore", module=r"dagster\b.*")
            from billing_assets.defs.close import run_close

            report = run_close(
                place.places, chosen, place.now, by=f"{settings.by}, billing close", ingest=not no_ingest
            )
        content = close_report.contents(report, place, chosen, dry_run)
    if settings.json:
        print_json(close_report.json_content(content))
    else:
        close_report.print_report(content)
    if dry_run:
        tell("dry run: nothing was written")
    return close_report.exit_code(content)


def _refuse_unreachable(settings: Settings, chosen: str | None) -> None:
    """Before any work: the catalog loads, and the month is one that it covers and that has begun."""
    first = f"{settings.catalog().settings.starting_at:%Y-%m}"
    if chosen is None:
        return
    if chosen < first:
        raise UsageError(f"--month {chosen} is before {first}, the first month of the catalog (settings.starting_at)")
    if chosen > f"{settings.now:%Y-%m}":
        raise UsageError(f"--month {chosen} has not begun at {settings.now:%Y-%m-%d}")


def _tell_of_later_close(settings: Settings) -> None:
    """On stderr, where the lake has been closed as of a later time."""
    import polars as pl

    lake = settings.lake()
    closes = lake.scan("batches", pl.col("sequence") == "books").select(pl.col("at").max())
    last = lake.collect(closes).item()
    if last is not None and last > settings.now:
        tell(f"the last close was as of {last:%Y-%m-%d %H:%M}, after this --now: what it finalized stays as it is, and")
        tell(f"drafts will be those of {settings.now:%Y-%m-%d %H:%M} until the next close")
