"""What many tests share: the sample month, closed once per worker through the real command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import ROOT, billing

SAMPLE_NOW = "2023-12-02T00:00:00Z"


@dataclass(frozen=True)
class ClosedSample:
    """The sample data after `billing close --month 2023-11`: its lake, and what the command printed."""

    root: Path
    lake: Lake
    stdout: str
    exit_code: int


@pytest.fixture(scope="session")
def closed_sample(tmp_path_factory: pytest.TempPathFactory) -> ClosedSample:
    """Read it, do not write to it."""
    root = tmp_path_factory.mktemp("sample") / "lake"
    closed = billing(ROOT, "close", "--month", "2023-11", "--now", SAMPLE_NOW, "--lake", str(root))
    assert closed.returncode in (0, 1), closed.stderr
    return ClosedSample(root, Lake(root), closed.stdout, closed.returncode)
