"""The command line as a real process: with redirected output, and on a terminal of a given width."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from billing_assets_tests import forking

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "billing_assets"]
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**changes: str) -> dict[str, str]:
    """Ours, without the places of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "DAGSTER_", "AWS_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "", **changes}


def started(directory: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """One command with its output in pipes, in an interpreter that starts for it."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=forking.PATIENCE,
        check=False,
    )


def billing(
    directory: Path, *arguments: str, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command with its output in files, in a forked process that calls `before` first."""
    return forking.run(arguments, directory, environment(), before)


def billing_json(directory: Path, *arguments: str) -> Any:
    """The JSON that a command prints; it must be alone on stdout."""
    return json.loads(billing(directory, *arguments, "--format", "json").stdout)


def on_terminal(directory: Path, columns: int, *arguments: str) -> list[str]:
    """The lines that a person sees on a terminal of that many columns, without their styles."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    shown = environment(TERM="xterm-256color")
    process = forking.start(arguments, directory, shown, (child, child, child))
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(parent, 65_536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        seen += piece
    forking.ended(process)
    os.close(parent)
    return STYLE.sub("", seen.decode()).replace("\r\n", "\n").splitlines()
