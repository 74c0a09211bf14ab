"""Kill a real process at a chosen instant of its writes, for tests of recovery.

Production code pays nothing for it: `Lake.on_write` is None there.
"""

from __future__ import annotations

import os
import signal

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


def die_at(instant: str) -> None:
    """From now on this process dies at `instant`, whichever lake it writes to."""
    Lake.on_write = staticmethod(killing_at(instant))
