"""The whole way from events in Delta to finalized invoices: metering, rating, finalization, drafts.

    python -m benchmarks.close [--events 10000000] [--groups dense] [--runs 3] [--beside]

Every run is a process of its own on a lake of its own without states, and calls what the Dagster assets call.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import polars as pl

from benchmarks import world
from benchmarks.make_data import BY, ensure, fresh_copy, place
from benchmarks.measuring import Watch, in_turns, machine, measured, median, peak, table
from billing_assets import runs
from billing_assets.catalog import load_catalog
from billing_assets.runs.checks import check

STAGES = ("meter", "rate", "finalize")
"""What the aim is about; drafts and checks are measured beside it."""
BESIDE = ("drafts", "check")


def run(count: int, groups: str, beside: bool) -> None:
    """One measurement, in this process."""
    watch = Watch()
    catalog = load_catalog(place(count, groups)[1])
    with fresh_copy(count, groups) as lake:
        with watch.stage("meter"):
            metered = runs.meter(lake, catalog, world.day_of(0), world.day_of(world.DAYS - 1))
        with watch.stage("rate"):
            rated = runs.rate_month(lake, catalog, world.MONTH, world.NOW)
        with watch.stage("finalize"):
            final = runs.finalize(lake, catalog, world.MONTH, world.NOW, BY)
        if beside:
            with watch.stage("drafts"):
                runs.refresh_drafts(lake, catalog, world.NOW)
            with watch.stage("check"):
                broken = [str(result) for result in check(lake) if not result.discrepancies.is_empty()]
                if broken:
                    raise SystemExit("\n".join(broken))
        total = lake.scan("invoices").select(pl.col("total").sum()).collect().item()
        watch.report(
            states=metered.states_written,
            lines=rated.lines,
            unbilled=rated.unbilled_rows,
            invoices=final.finalized["invoices"].sum(),
            sealed=final.sealed,
            total=total,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--groups", choices=world.GROUPS, default="dense")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--beside", action="store_true", help="measure drafts and all checks too")
    parser.add_argument("--here", action="store_true", help="measure once in this process and print it as JSON")
    options = parser.parse_args()
    if options.here:
        run(options.events, options.groups, options.beside)
        return
    ensure(options.events, options.groups)
    arguments = [
        "--events",
        str(options.events),
        "--groups",
        options.groups,
        "--here",
        *(["--beside"] if options.beside else []),
    ]
    found = in_turns(["close"], options.runs, lambda _: measured("benchmarks.close", *arguments))["close"]
    print(report(found, options.events, options.groups))


def report(found: list[dict[str, Any]], count: int, groups: str) -> str:
    """The table of medians per stage. Exits where two runs disagree about the result."""
    facts = {json.dumps({name: one[name] for name in ("states", "lines", "invoices", "total")}) for one in found}
    if len(facts) != 1:
        raise SystemExit("the results differ:\n" + "\n".join(sorted(facts)))
    stages = [stage for stage in (*STAGES, *BESIDE) if stage in found[0]["stages"]]
    rows = [_row(stage, median(found, stage), median(found, stage, "cpu"), count) for stage in stages]
    both = [sum(median(found, stage, unit) for stage in STAGES) for unit in ("seconds", "cpu")]
    rows.insert(len(STAGES), _row("events to invoices", *both, count))
    told = f"{count:,} events, {groups} groups, {len(found)} runs, medians; {facts.pop()}; peak {peak(found):.2f} GiB"
    return f"{machine()}\n{told}\n\n{table(('stage', 'seconds', 'CPU s', 'events/s'), rows)}"


def _row(stage: str, seconds: float, cpu: float, count: int) -> tuple[str, ...]:
    return stage, f"{seconds:.2f}", f"{cpu:.2f}", f"{count / seconds / 1e6:.2f} M"


if __name__ == "__main__":
    main()
