"""How much of a large lake is read to explain an invoice, one line of it, or one event.

    python -m benchmarks.explain [--events 10000000] [--groups typical] [--months 3]

The month is closed once. Then every question is asked in a process of its own, twice: the first time brings modules in,
the second is measured by what the kernel counts as read by the process (`rchar` of /proc/self/io, thus on Linux alone).
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks import world
from benchmarks.make_data import BY, append_month, ensure, fresh_copy, place
from benchmarks.measuring import MIB, Watch, machine, measured, table
from billing_assets import runs
from billing_assets.catalog import load_catalog
from billing_assets.cli.explain_event import fates_of
from billing_assets.cli.explain_line import explain_line
from billing_assets.cli.output import records
from billing_assets.cli.queries import lines_of
from billing_assets.cli.show import find_invoice
from billing_assets.runs.explained import explained
from billing_assets.runs.told_events import received, told
from billing_assets.storage.lake import Lake

QUESTIONS = ("largest invoice", "median invoice", "one line of it", "event and its day", "event alone")


def ask(lake: Lake, question: str) -> int:
    """Answer as `billing explain` does; the number of events that were found."""
    number, event, on = about(lake, question)
    if event is not None:
        (found,) = [told(lake, one, world.NOW) for one in received(lake, event, on).accepted.iter_slices(1)]
        return sum(len(fate.parts) for fate in fates_of(found))
    invoice = find_invoice(lake, number)
    frame = lines_of(lake, [invoice["invoice_id"]])
    lines = records(frame)
    chosen = lines[:1] if question == "one line of it" else lines
    wanted = frame.filter(pl.col("line_number").is_in([one["line_number"] for one in chosen]))
    basis = explained(lake, invoice, wanted)
    made = [explain_line(one, lines, basis) for one in chosen]
    if not all(one.holds for one in made):
        raise SystemExit("an explanation does not agree with its line")
    return sum(one.events.height for one in made if one.events is not None)


def about(lake: Lake, question: str) -> tuple[str, str | None, date | None]:
    """The number of an invoice, or an event and its day."""
    invoices = lake.collect(lake.scan("invoices").select("invoice_number", "customer_id", "total").sort("total"))
    if "event" not in question:
        row = invoices.height - 1 if question == "largest invoice" else invoices.height // 2
        return invoices["invoice_number"][row], None, None
    day = world.day_of(world.DAYS // 2)
    events = lake.scan("events", pl.col("event_date") == day, pl.col("customer_ref") == "customer_0500")
    return "", lake.collect(events.select("transaction_id").head(1)).item(), day if question.endswith("day") else None


def run(root: Path, question: str) -> None:
    """One measurement, in this process."""
    ask(Lake(root), question)
    about_it = bytes_read()
    about(Lake(root), question)
    asking = bytes_read() - about_it
    watch, before = Watch(), bytes_read()
    with watch.stage("ask"):
        found = ask(Lake(root), question)
    watch.report(read=bytes_read() - before - asking, found=found)


def bytes_read() -> int:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(lines[0].removeprefix("rchar: "))


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def close(lake: Lake, count: int, groups: str, months: int) -> None:
    """Close the first month; of those after it there are the events alone."""
    catalog = load_catalog(place(count, groups)[1])
    runs.meter(lake, catalog, world.day_of(0), world.day_of(world.DAYS - 1))
    runs.rate_month(lake, catalog, world.MONTH, world.NOW)
    runs.finalize(lake, catalog, world.MONTH, world.NOW, BY)
    runs.refresh_drafts(lake, catalog, world.NOW)
    for month in range(1, months):
        append_month(lake, catalog, count, groups, month)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--groups", choices=world.GROUPS, default="typical")
    parser.add_argument("--months", type=int, default=3, help="months of so many events each, of which one is closed")
    parser.add_argument("--here", nargs=2, metavar=("LAKE", "QUESTION"), help="measure one in this process, as JSON")
    options = parser.parse_args()
    if options.here:
        run(Path(options.here[0]), options.here[1])
        return
    ensure(options.events, options.groups)
    with fresh_copy(options.events, options.groups) as lake:
        close(lake, options.events, options.groups, options.months)
        print(report(Path(lake.root), options.events, options.groups, options.months))


def report(root: Path, count: int, groups: str, months: int) -> str:
    """A row per question: how much was read, and what part of the lake that is."""
    rows: list[list[object]] = []
    whole = size(root)
    for question in QUESTIONS:
        found = measured("benchmarks.explain", "--here", str(root), question)
        seconds, cpu = found["stages"]["ask"]["seconds"], found["stages"]["ask"]["cpu"]
        share = f"{100 * found['read'] / whole:.2f} %"
        rows.append([question, f"{found['read'] / MIB:.1f}", share, f"{seconds:.1f}", f"{cpu:.1f}", found["found"]])
    titles = ["question", "MiB read", "of the lake", "seconds", "CPU s", "found"]
    title = f"{months} months of {count:,} events, {groups}; a lake of {whole / MIB:,.0f} MiB; {machine()}"
    return f"{title}\n\n{table(titles, rows)}"


if __name__ == "__main__":
    main()
