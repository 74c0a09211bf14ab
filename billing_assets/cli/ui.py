"""`billing ui`: the Dagster UI and daemon on the instance that `billing close` uses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.dagster_home import use_dagster_home
from billing_assets.cli.output import tell
from billing_assets.cli.settings import Settings
from billing_assets.errors import BillingError, UsageError

EXAMPLES = """
billing ui
billing ui --port 3333
"""

MODULE = "billing_assets.definitions"
SUPERSEDED = "ignore:Function `dev_command` is superseded"
"""Dagster's advice to use `dg dev`, which is in a package that we do not need."""


@command("ui", examples=EXAMPLES)
def ui(
    settings: Settings,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, metavar="PORT", help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
) -> int:
    """Start the Dagster UI with its daemon, and stop both on Ctrl-C.

    It shows the runs of `billing close`, every asset with its tables, checks and metadata, and runs schedules and
    sensors that are switched on. It loads with a broken catalog too, and shows its problems on asset `catalog`.
    """
    _refuse_taken(host, port)
    home = use_dagster_home(settings.places)
    environment = {**settings.environment(), "DAGSTER_HOME": str(home), "PYTHONPATH": _import_path()}
    arguments = ["dev", *_target(Path.cwd()), "--host", host, "--port", str(port)]
    tell(f"Dagster UI: http://{host}:{port}   (runs in {home}; Ctrl-C stops it)")
    program = [sys.executable, "-W", SUPERSEDED, "-m", "dagster", *arguments]
    process = subprocess.Popen(program, env=environment, stderr=sys.stderr)
    return _wait(process)


def _target(directory: Path) -> list[str]:
    """The workspace.yaml of the working directory, else the module of this package."""
    return ["-w", "workspace.yaml"] if (directory / "workspace.yaml").is_file() else ["-m", MODULE]


def _import_path() -> str:
    """Where the code location finds this package, also where it is run from its sources."""
    root = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; --port takes another one") from error


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Until the UI ends. Ctrl-C reaches it by itself; a request to terminate is passed on."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = process.wait()
    if code > 0:
        raise BillingError(f"the Dagster UI ended with exit code {code}; its messages are above")
    return 0
