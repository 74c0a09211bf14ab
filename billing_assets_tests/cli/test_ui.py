"""`billing ui`: the UI on the instance of the lake, started and stopped for real."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from billing_assets_tests.cli.process import COMMAND, billing, environment

PATIENCE = 120


def test_the_ui_shows_the_assets_and_ends_with_its_children(tmp_path: Path) -> None:
    assert billing(tmp_path, "init", "company").returncode == 0
    company, port = tmp_path / "company", _free_port()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "ui", "--port", str(port)], cwd=company, env=environment(), stdout=log, stderr=log
        )
        try:
            assets = _assets(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=PATIENCE)
    assert {"events", "usage_states", "rated_lines", "invoices", "draft_invoices"} <= assets
    assert code == 0
    shown = (tmp_path / "log").read_text()
    assert f"http://127.0.0.1:{port}" in shown
    assert "Warning" not in shown
    assert (company / "lake" / ".dagster" / "dagster.yaml").exists()
    assert _refused(port)


def test_a_port_that_is_taken_is_wrong_usage(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = billing(tmp_path, "ui", "--port", str(taken.getsockname()[1]))
    assert ran.returncode == 2
    assert "--port" in ran.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _assets(port: int, process: subprocess.Popen[bytes]) -> set[str]:
    """The assets that the UI knows, once it answers."""
    query = json.dumps({"query": "{ assetNodes { assetKey { path } } }"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", query, headers={"content-type": "application/json"}
    )
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                nodes = json.load(answer)["data"]["assetNodes"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
            continue
        if nodes:
            return {node["assetKey"]["path"][-1] for node in nodes}
        time.sleep(0.5)
    raise AssertionError(f"no answer from the UI; it ended with {process.poll()}")


def _refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
