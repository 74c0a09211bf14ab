"""Processes forked off a server that has imported the engine and does nothing else.

Such a process is as real as any: its own memory, files, threads, exit code and death. It only saves the imports, which
cost more than what most tests let a process do. A server is started once per pytest process, when first needed.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing import reduction
from pathlib import Path
from typing import Any

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    ["billing_assets.cli.commands", "billing_assets.defs.close", "pandera.polars", "billing_assets_tests.runs.books"]
)
PATIENCE = 300
"""Seconds that tests wait for other processes: a loaded machine is slow, and only what hangs is given up."""


class Passed:
    """A file descriptor as an argument of a process; there it is a plain number."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Callable[..., int], tuple[Any, ...]]:
        return _received, (reduction.DupFd(self.descriptor),)


def _received(passed: Any) -> int:
    return int(passed.detach())


def ended(process: Any) -> int:
    """Its exit code, negative for a signal. Raises TimeoutError, and ends it, where it takes too long."""
    process.join(PATIENCE)
    if process.exitcode is None:
        os.kill(process.pid, signal.SIGUSR1)  # where its threads are; see `_work`
        process.join(1)
        process.kill()
        process.join()
        raise TimeoutError(f"{process.name} was still at work after {PATIENCE} s")
    return int(process.exitcode)


def start(
    arguments: tuple[str, ...],
    directory: Path,
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
    before: Callable[[], None] | None = None,
) -> Any:
    """The command line at work in a process of its own, which calls `before` first."""
    passed = [Passed(stream) for stream in streams]
    process = FORKING.Process(target=_work, args=(arguments, directory, dict(environment), passed, before))
    process.start()
    return process


def run(
    arguments: tuple[str, ...],
    directory: Path,
    environment: Mapping[str, str],
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command and what it printed."""
    with open(os.devnull, "rb") as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        try:
            code = ended(start(arguments, directory, environment, streams, before))
        except TimeoutError as late:
            err.seek(0)
            raise TimeoutError(f"{late}: {' '.join(arguments)}: {err.read().decode()}") from late
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read().decode(), err.read().decode())


def _work(
    arguments: tuple[str, ...],
    directory: Path,
    environment: dict[str, str],
    streams: list[int],
    before: Callable[[], None] | None,
) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["billing", *arguments]
    faulthandler.register(signal.SIGUSR1, file=os.dup(2))
    if before is not None:
        before()
    from billing_assets.cli import main

    raise SystemExit(main(arguments))
