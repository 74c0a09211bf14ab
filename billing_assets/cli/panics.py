"""What libraries write to the standard error output by themselves: kept from the user.

Polars and Delta report a panic there, with its stack, before they raise it, and Dagster each event that it cannot
store. The one message of ours that follows says what it is about.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

PANIC = b"panicked at"
NOT_STORED = "Exception while writing logger call to event log"
_STDERR = 2


class _Ours(io.TextIOWrapper):
    """The standard error output, without what Dagster says of each event that it cannot store."""

    def write(self, text: str) -> int:
        return len(text) if text.startswith(NOT_STORED) else super().write(text)


@contextmanager
def held_back(shown: bool) -> Iterator[None]:
    """Within, what is written to file descriptor 2 past `sys.stderr` waits, and is dropped if it tells of a panic.

    With `shown`, nothing waits. What is written through `sys.stderr` goes out at once.
    """
    if shown or not _is_descriptor_2():
        yield
        return
    ours = sys.stderr
    with tempfile.TemporaryFile() as held, open(os.dup(_STDERR), "wb") as raw:
        direct = _Ours(raw, ours.encoding, "backslashreplace", line_buffering=True)
        ours.flush()
        os.dup2(held.fileno(), _STDERR)
        sys.stderr = direct
        try:
            yield
        finally:
            ours.flush()
            direct.flush()
            sys.stderr = ours
            os.dup2(raw.fileno(), _STDERR)
            held.seek(0)
            said = held.read()
            if PANIC not in said:
                os.write(_STDERR, said)


def _is_descriptor_2() -> bool:
    """Whether `sys.stderr` is what the process was started with; tests and embedders replace it."""
    try:
        return sys.stderr.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):
        return False
