"""One measurement is one fresh process: its seconds, its processor seconds, its peak memory, and what it found."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20


class Watch:
    """Stages of a process by name: seconds and processor seconds of each, of all times that it was entered."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), _processor()
        yield
        spent = {"seconds": time.perf_counter() - wall, "cpu": _processor() - cpu}
        before = self.stages.get(name, {})
        self.stages[name] = {unit: before.get(unit, 0) + value for unit, value in spent.items()}

    def report(self, **found: Any) -> None:
        """Hand everything to the parent process."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"stages": self.stages, "peak": peak, **found}, default=str))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(module: str, *arguments: str, timeout: int = 900) -> dict[str, Any]:
    """What one child process reports."""
    command = [sys.executable, "-m", module, *arguments]
    # Ends with the parent's environment, so that threads and paths are those of the person who measures.
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def in_turns(sides: Sequence[str], runs: int, run: Callable[[str], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """`runs` measurements of each side, in alternation, so that a busy machine is busy for all of them."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(runs):
        for side in sides:
            print(f"run {number + 1} of {runs}: {side}", end="\r", file=sys.stderr, flush=True)
            found[side].append(run(side))
    return found


def median(runs: Sequence[dict[str, Any]], stage: str, unit: str = "seconds") -> float:
    return statistics.median(run["stages"][stage][unit] for run in runs if stage in run["stages"])


def peak(runs: Sequence[dict[str, Any]]) -> float:
    """Largest peak memory in GiB."""
    return max(run["peak"] for run in runs) / 2**30


def machine() -> str:
    """Where it was measured, on one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    tools = ", ".join(f"{name} {version(name)}" for name in ("polars", "deltalake", "duckdb"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores ({_processor_name()}), {memory:.0f} GiB, Python {platform.python_version()}, {tools}"


def _processor_name() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)
