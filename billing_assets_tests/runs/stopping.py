"""Kill a real process at a chosen instant of its writes, for tests of recovery.

As a program it runs the command line and kills itself there:

    python -m billing_assets_tests.runs.stopping line_items/after close --month 2023-11
    python -m billing_assets_tests.runs.stopping 3 ingest        # at the third instant of any table

Production code pays nothing for it: `Lake.on_write` is None there.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

from billing_assets.storage.lake import Lake, Observer, WriteStep


def killing_at(instant: str) -> Observer:
    """An observer that sends SIGKILL to its own process at `table/before`, `table/after`, or the n-th instant."""
    passed = 0

    def observe(step: WriteStep) -> None:
        nonlocal passed
        passed += 1
        if instant in (f"{step.table}/{step.instant}", str(passed)):
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


def main() -> None:
    Lake.on_write = staticmethod(killing_at(sys.argv[1]))
    sys.argv = ["billing", *sys.argv[2:]]
    runpy.run_module("billing_assets", run_name="__main__")


if __name__ == "__main__":
    main()
